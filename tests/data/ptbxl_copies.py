"""Small folders in the layout of PTB-XL that tests may damage, and what they ask of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import wfdb
from numpy.typing import NDArray

from edgeecg.data import DataRequest, Dataset
from edgeecg.data.sources import ptbxl
from edgeecg.data.sources.ptbxl import LEADS
from edgeecg.errors import DataError
from edgeecg.schema import Split

SPLITS: tuple[Split, ...] = ("train", "val", "test")


def load(folder: Path, **changes: Any) -> Dataset:
    """Load a folder with a request that differs from the default as given."""
    return ptbxl.load_folder(folder, DataRequest(task="records", **changes), None)


def error_of(folder: Path, **changes: Any) -> str:
    """Return what the error says that loading the folder ends in."""
    with pytest.raises(DataError) as caught:
        load(folder, **changes)
    assert caught.value.todo
    return f"{caught.value.what} {caught.value.why}"


def set_cell(folder: Path, ecg_id: int, column: str, value: str) -> None:
    """Put other text into one cell of the table."""
    path = folder / "ptbxl_database.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table.loc[table["ecg_id"] == str(ecg_id), column] = value
    table.to_csv(path, index=False)


def base(folder: Path, ecg_id: int) -> Path:
    """Return the path of a record without suffix."""
    return folder / "records100" / "00000" / f"{ecg_id:05d}_lr"


def digital_of(folder: Path, ecg_id: int) -> NDArray[np.int64]:
    """Return a record as wfdb reads it, ``(samples, leads)``."""
    record: Any = wfdb.rdrecord(str(base(folder, ecg_id)), physical=False)
    return np.asarray(record.d_signal, np.int64)


def rewrite(folder: Path, ecg_id: int, digital: NDArray[np.int64], **changes: Any) -> None:
    """Write other digital values for a record, with wfdb."""
    path = base(folder, ecg_id)
    leads = digital.shape[1]
    written: dict[str, Any] = {
        "fs": 100,
        "units": ["mV"] * leads,
        "sig_name": list(LEADS)[:leads],
        "fmt": ["16"] * leads,
        "adc_gain": [1000.0] * leads,
        "baseline": [0] * leads,
        **changes,
    }
    wfdb.wrsamp(path.name, d_signal=digital, write_dir=str(path.parent), **written)


def window_of(made: Dataset, ecg_id: int) -> NDArray[np.float32]:
    """Return the window of one record, whichever split it is in."""
    for split in SPLITS:
        windows = made.split(split)
        for row in np.flatnonzero(windows.record == str(ecg_id)):
            return windows.x[row]
    raise AssertionError(f"record {ecg_id} is in no split")
