"""Windows on disk: whole, or made again."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from ptbxl_copies import digital_of, error_of, load, rewrite, window_of

from edgeecg.data.records import format16
from edgeecg.data.windows import record_cache
from edgeecg.errors import DataError


def _cached(split: str, suffix: str) -> Path:
    (found,) = (Path(os.environ["EDGEECG_CACHE"]) / "records").glob(f"*/{split}{suffix}")
    return found


@pytest.mark.parametrize("name", ["train.x.npy", "val.npz", "manifest.json"])
@pytest.mark.parametrize("how", ["cut", "empty", "gone", "other"])
def test_a_damaged_cache_is_made_again(
    folder: Path, caplog: pytest.LogCaptureFixture, name: str, how: str
) -> None:
    first = load(folder)
    expected = np.array(first.val.x)
    stem, _, rest = name.partition(".")
    path = _cached(stem, f".{rest}")
    content = path.read_bytes()
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes({"cut": content[:-3], "empty": b"", "other": b"[]"}[how])
    with caplog.at_level(logging.WARNING):
        again = load(folder)
    assert "made again" in caplog.text
    np.testing.assert_array_equal(again.val.x, expected)
    assert again.summary == first.summary
    # Nothing half-written is left behind.
    assert not list(path.parent.parent.glob(".*"))


def test_a_cache_whose_writing_failed_is_not_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = format16.read
    calls: list[Path] = []

    def failing(header: format16.Format16Header, path: Path) -> NDArray[np.int16]:
        calls.append(path)
        if len(calls) > 70:
            raise OSError(28, "No space left on device")
        return read(header, path)

    monkeypatch.setattr(format16, "read", failing)
    assert "No space left on device" in error_of(folder)
    monkeypatch.setattr(format16, "read", read)
    cache = Path(os.environ["EDGEECG_CACHE"]) / "records"
    assert not [path for path in cache.iterdir() if path.is_dir()]
    assert len(load(folder).train.y) == 40


def test_a_cache_that_cannot_be_written_says_which_variable_moves_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("EDGEECG_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="EDGEECG_CACHE"):
        load(folder)


def test_a_changed_record_is_noticed(folder: Path) -> None:
    first = load(folder)
    rewrite(folder, 5, digital_of(folder, 6))
    second = load(folder)
    assert second.summary.content_sha256 != first.summary.content_sha256
    deviation_mv = second.preprocessing.deviation_mv
    assert deviation_mv != first.preprocessing.deviation_mv
    np.testing.assert_array_equal(window_of(second, 5), window_of(second, 6))


def test_a_folder_that_another_process_has_published_meanwhile_is_not_removed(
    tmp_path: Path,
) -> None:
    place = tmp_path / "records"
    with record_cache.published(place) as slower:
        (slower / "mine").touch()
        with record_cache.published(place) as quicker:
            (quicker / "theirs").touch()
        reading = (place / "theirs").stat().st_ino
    assert [path.name for path in place.iterdir()] == ["theirs"]
    assert (place / "theirs").stat().st_ino == reading


def test_a_folder_that_was_there_before_is_replaced(tmp_path: Path) -> None:
    place = tmp_path / "records"
    place.mkdir()
    (place / "stale").touch()
    with record_cache.published(place) as beside:
        (beside / "new").touch()
    assert [path.name for path in place.iterdir()] == ["new"]
