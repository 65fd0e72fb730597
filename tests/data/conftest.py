"""Records that tests may damage, and a cache that no other test sees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb
from numpy.typing import NDArray

from edgeecg.data.sources import _synthetic_ptbxl

WriteRecord = Callable[..., Path]


@pytest.fixture(autouse=True)
def _own_cache(  # pyright: ignore[reportUnusedFunction]
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEECG_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Fifty 12-lead records like those of PTB-XL, with each class in each fold."""
    place = tmp_path / "ptbxl"
    place.mkdir()
    _synthetic_ptbxl.generate(place, records=50)
    return place


@pytest.fixture
def write_record(tmp_path: Path) -> WriteRecord:
    """Return a function that writes a small WFDB record and returns its folder."""

    def write(name: str = "100", **changes: Any) -> Path:
        folder = tmp_path / "mitdb"
        folder.mkdir(exist_ok=True)
        digital: NDArray[np.int64] | None = changes.pop("digital", None)
        if digital is None:
            ramp = np.arange(2000)
            digital = np.stack([1024 + ramp % 400, 1024 - ramp % 300], axis=1)
        settings: dict[str, Any] = {
            "fs": 360,
            "units": ["mV", "mV"],
            "sig_name": ["V5", "MLII"],
            "fmt": ["212", "212"],
            "adc_gain": [200, 100],
            "baseline": [1024, 1000],
            **changes,
        }
        annotated = settings.pop("annotated", [700, 1100, 1500])
        symbols = settings.pop("symbols", ["N", "A", "V"])
        wfdb.wrsamp(name, d_signal=digital, write_dir=str(folder), **settings)
        wfdb.wrann(name, "atr", np.array(annotated), symbol=symbols, write_dir=str(folder))
        return folder

    return write


@pytest.fixture
def five(write_record: WriteRecord) -> Path:
    """Five annotated records, N, S and V in each."""
    paths = [write_record(name) for name in ("a", "b", "c", "d", "e")]
    return paths[0]
