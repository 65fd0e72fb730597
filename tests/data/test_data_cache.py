"""The cache: what comes out is what went in, or nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from edgeecg.data import Windows
from edgeecg.data.windows import cache
from edgeecg.data.windows.cache import Stored
from edgeecg.errors import DataError

KEY = "ab" * 32


def _parts(beats: int = 5) -> dict[str, Windows]:
    rng = np.random.default_rng(3)
    return {
        part: Windows(
            x=rng.normal(size=(beats, 1, 16)).astype(np.float32),
            y=rng.integers(0, 3, beats),
            record=np.full(beats, "100"),
            patient=np.full(beats, "100"),
            sample=np.arange(beats),
        )
        for part in ("train", "val", "test")
    }


def _file() -> Path:
    return cache.folder() / "windows" / f"{KEY}.npz"


def test_round_trip() -> None:
    parts = _parts()
    cache.store(KEY, Stored(parts, {"edge": 2, "F": 1}, {"a": "It is damaged."}))
    loaded = cache.load(KEY, 3)
    assert loaded is not None
    assert loaded.skipped == {"edge": 2, "F": 1}
    assert loaded.left_out == {"a": "It is damaged."}
    for part, beats in parts.items():
        for field in ("x", "y", "record", "sample"):
            np.testing.assert_array_equal(getattr(loaded.parts[part], field), getattr(beats, field))
            assert getattr(loaded.parts[part], field).dtype == getattr(beats, field).dtype


def test_a_file_of_an_earlier_version_is_read() -> None:
    cache.store(KEY, Stored(_parts(), {"edge": 2}, {}))
    with np.load(_file()) as stored:
        arrays = {name: stored[name] for name in stored.files if name != "left_out"}
    np.savez(_file(), **arrays)
    loaded = cache.load(KEY, 3)
    assert loaded is not None
    assert (loaded.skipped, loaded.left_out) == ({"edge": 2}, {})


def test_what_was_never_stored_is_not_there() -> None:
    assert cache.load(KEY, 3) is None


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), cut=st.booleans())
def test_a_damaged_file_never_brings_other_windows(where: float, bit: int, cut: bool) -> None:
    parts = _parts()
    cache.store(KEY, Stored(parts, {}, {}))
    data = bytearray(_file().read_bytes())
    at = int(where * len(data))
    data[at] ^= 1 << bit
    _file().write_bytes(data[:at] if cut else data)
    loaded = cache.load(KEY, 3)
    if loaded is not None:
        # The bit was one that the content does not depend on, such as a time stamp.
        for part, beats in parts.items():
            np.testing.assert_array_equal(loaded.parts[part].x, beats.x)
            np.testing.assert_array_equal(loaded.parts[part].y, beats.y)


def test_a_label_out_of_range_is_refused() -> None:
    parts = _parts()
    parts["val"].y[2] = 3
    cache.store(KEY, Stored(parts, {}, {}))
    assert cache.load(KEY, 3) is None


def test_objects_are_never_unpickled() -> None:
    _file().parent.mkdir(parents=True)
    np.savez(_file(), skipped=np.array({"a": 1}, dtype=object))
    assert cache.load(KEY, 3) is None


def test_the_key_follows_content_names_and_settings_but_not_the_folder(tmp_path: Path) -> None:
    keys: list[str] = []
    for folder, name, text in [("a", "x", "1"), ("b", "x", "1"), ("c", "x", "2"), ("d", "y", "1")]:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text(text)
        keys.append(cache.content_key([tmp_path / folder / name], {"map": "aami"}))
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    assert cache.content_key([tmp_path / "a" / "x"], {"map": "ec57"}) != keys[0]


def test_a_record_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"100\.dat"):
        cache.content_key([tmp_path / "100.dat"], {})


def test_a_cache_that_cannot_be_written_says_which_variable_moves_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("EDGEECG_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="EDGEECG_CACHE"):
        cache.store(KEY, Stored(_parts(), {}, {}))
