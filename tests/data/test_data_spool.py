"""Windows in files: a spool while records are prepared, maps of the cache afterwards."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest

from edgeecg.data import Windows
from edgeecg.data.windows import cache
from edgeecg.data.windows.cache import Stored
from edgeecg.data.windows.mapped import release
from edgeecg.data.windows.spool import Spool, spool
from edgeecg.errors import DataError

RNG = np.random.default_rng(0)
FIRST, SECOND = (RNG.normal(size=(n, 2, 16)).astype(np.float32) for n in (5000, 3))
EMPTY = np.zeros((0, 2, 16), np.float32)


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use a cache of the test's own."""
    monkeypatch.setenv("EDGEECG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_kept_windows_can_be_joined_and_outlive_the_spool(cache_folder: Path) -> None:
    with spool() as kept:
        first, second = kept.keep([FIRST]), kept.keep([SECOND])
        none = kept.keep([EMPTY])
        both = kept.keep([second, none, first])
    assert isinstance(both, np.memmap)
    assert np.array_equal(both, np.concatenate([SECOND, FIRST]))
    assert np.array_equal(first, FIRST)
    assert none.shape == (0, 2, 16)
    assert list(cache_folder.iterdir()) == []


def test_a_full_disk_is_an_error_of_the_cache() -> None:
    class FullFile:
        def seek(self, *place: int) -> int:
            return 0

        def writelines(self, lines: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    file: Any = FullFile()
    opened: IO[bytes] = file
    with pytest.raises(DataError, match="No space left"):
        Spool(opened).keep([FIRST])


def test_a_cache_that_cannot_be_written_is_an_error(cache_folder: Path) -> None:
    cache_folder.touch()
    with pytest.raises(DataError, match="EDGEECG_CACHE"), spool():
        pass


def test_released_pages_are_read_again() -> None:
    with spool() as kept:
        mapped = kept.keep([FIRST])
    for _ in range(2):
        assert np.array_equal(mapped[1000:2000], FIRST[1000:2000])
        release(mapped[::2])
    release(FIRST)


def windows(x: np.ndarray[Any, np.dtype[np.float32]]) -> Windows:
    names = np.full(len(x), "a")
    return Windows(x, np.zeros(len(x), np.int64), names, names, np.arange(len(x)))


def test_the_cache_maps_windows_and_numpy_reads_its_file() -> None:
    parts = {"train": windows(FIRST), "test": windows(EMPTY), "val": windows(FIRST[::2])}
    cache.store("k", Stored(parts, {}, {}))
    loaded = cache.load("k", 3)
    assert loaded is not None
    assert isinstance(loaded.parts["train"].x, np.memmap)
    with np.load(cache.folder() / "windows" / "k.npz") as stored:
        for part, expected in parts.items():
            assert np.array_equal(loaded.parts[part].x, expected.x)
            assert np.array_equal(stored[f"{part}.x"], expected.x)
            assert stored[f"{part}.x"].dtype == np.float32


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_a_file_that_numpy_wrote_is_read_or_made_again(write: Any) -> None:
    cache.store("k", Stored({"train": windows(FIRST)}, {}, {}))
    path = cache.folder() / "windows" / "k.npz"
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    write(path, **arrays)
    loaded = cache.load("k", 3)
    if write is np.savez_compressed:
        assert loaded is None
    else:
        assert loaded is not None
        assert np.array_equal(loaded.parts["train"].x, FIRST)
