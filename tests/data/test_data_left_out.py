"""One bad record or annotation never ends a folder: it is left out, counted and reported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb

from edgeecg.data import DataRequest, Dataset
from edgeecg.data.loading import load_dataset
from edgeecg.data.windows.left_out import ANNOTATION_OUTSIDE, UNUSABLE
from edgeecg.errors import DataError
from edgeecg.schema import DataSummary

WriteRecord = Callable[..., Path]


def _load(path: Path, **settings: Any) -> Dataset:
    return load_dataset(DataRequest(source=str(path), **settings))


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)


def _replace(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


def _flatten(path: Path) -> None:
    digital = np.stack([np.arange(2000) % 400, np.full(2000, 1000)], axis=1)
    wfdb.wrsamp(
        path.stem,
        fs=360,
        units=["mV", "mV"],
        sig_name=["V5", "MLII"],
        d_signal=digital,
        fmt=["212", "212"],
        adc_gain=[200, 100],
        baseline=[1024, 1000],
        write_dir=str(path.parent),
    )


def _annotate(path: Path, samples: list[int], symbols: str) -> None:
    wfdb.wrann(
        path.stem, "atr", np.array(samples), symbol=list(symbols), write_dir=str(path.parent)
    )


FAULTS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "truncated signal": (".dat", _truncate, "should hold 6000 bytes"),
    "no signal": (".dat", Path.unlink, "holds 0"),
    "changed signal": (".dat", _flip, "checksum"),
    "flat lead": (".hea", _flatten, "is flat"),
    "header of something else": (".hea", lambda p: p.write_text("<html>\n"), "not the header"),
    "empty header": (".hea", lambda p: p.write_text(""), "not the header"),
    "no signals": (".hea", lambda p: p.write_text("r 0 360 2000\n"), "no signals"),
    "unknown unit": (".hea", lambda p: _replace(p, "/mV", "/mmHg"), "mmHg"),
    "another lead": (".hea", lambda p: _replace(p, "MLII", "V2"), "has no lead MLII"),
    "signal elsewhere": (".hea", lambda p: _replace(p, ".dat", ".xyz"), "holds 0"),
    "unknown format": (".hea", lambda p: _replace(p, " 212 ", " 999 "), "999"),
    "truncated annotations": (".atr", _truncate, "truncated"),
    "rhythm marks alone": (".atr", lambda p: _annotate(p, [5, 90], "++"), "no annotated beats"),
    "a beat twice": (".atr", lambda p: _annotate(p, [700, 700], "NN"), "sample 700"),
    "too low a rate": (".hea", lambda p: _replace(p, " 360 ", " 0.5 "), "50 Hz or more"),
}


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        *((fault, "abcde"[number % 5]) for number, fault in enumerate(FAULTS)),
        # Whichever split the record would be in.
        *(("flat lead", name) for name in "abcde"),
    ],
)
def test_the_others_are_used_whichever_record_is_bad(five: Path, fault: str, name: str) -> None:
    suffix, spoil, why = FAULTS[fault]
    spoil(five / f"{name}{suffix}")
    made = _load(five)
    summary = made.summary
    assert summary.skipped[UNUSABLE] == 1
    assert list(summary.left_out) == [name]
    assert why in summary.left_out[name]
    assert any(note == f"Left out: {summary.left_out[name]}" for note in summary.notes)
    used = summary.train_records + summary.val_records + summary.test_records
    assert sorted(used) == sorted({"a", "b", "c", "d", "e"} - {name})
    # No split is left without records.
    assert summary.train_records
    assert summary.val_records
    assert summary.test_records
    assert DataSummary.from_json(summary.to_json(), "summary") == summary
    # The same from the cache.
    assert _load(five).summary == summary
    with pytest.raises(DataError) as caught:
        _load(five, strict=True)
    assert "1 records" in caught.value.what
    assert why in caught.value.why
    assert "--strict" in caught.value.todo


def test_a_repaired_record_is_used_again(five: Path) -> None:
    whole = (five / "c.dat").read_bytes()
    _truncate(five / "c.dat")
    assert _load(five).summary.left_out
    (five / "c.dat").write_bytes(whole)
    summary = _load(five).summary
    assert not summary.left_out
    assert UNUSABLE not in summary.skipped
    assert _load(five, strict=True).summary == summary


def test_scoring_leaves_out_too(five: Path) -> None:
    _truncate(five / "c.dat")
    made = _load(five, score_only=True)
    assert made.summary.test_records == ("a", "b", "d", "e")
    assert len(made.test.y) == 12


def test_no_usable_record_is_the_error_of_the_first(five: Path) -> None:
    for path in five.glob("*.dat"):
        _truncate(path)
    for settings in ({}, {"score_only": True}):
        with pytest.raises(DataError, match=r"Record \w in .* damaged"):
            _load(five, **settings)


def test_too_few_usable_records_cannot_train(five: Path) -> None:
    for name in "abc":
        _truncate(five / f"{name}.dat")
    with pytest.raises(DataError, match="3 annotated records, and it has 2"):
        _load(five)
    assert len(_load(five, score_only=True).test.y) == 6


def test_a_stated_split_loses_the_record(five: Path) -> None:
    (five / "split.json").write_text('{"train": ["a", "b"], "val": ["c"], "test": ["d", "e"]}')
    _truncate(five / "e.dat")
    summary = _load(five).summary
    assert summary.test_records == ("d",)
    assert summary.train_records == ("a", "b")
    _truncate(five / "c.dat")
    with pytest.raises(DataError, match="The val records"):
        _load(five)


def test_a_listed_record_that_is_missing_is_left_out(five: Path) -> None:
    (five / "RECORDS").write_text("a\nb\nc\nd\ne\nnobody\n")
    summary = _load(five).summary
    assert "'nobody.hea'" in summary.left_out["nobody"]
    assert summary.skipped == {UNUSABLE: 1}
    with pytest.raises(DataError, match="nobody"):
        _load(five, strict=True)


def test_an_annotation_at_or_behind_the_end_is_left_out_and_counted(five: Path) -> None:
    whole = _load(five)
    _annotate(five / "a.atr", [700, 1100, 1500, 2000, 2500], "NAVNN")
    made = _load(five)
    assert made.summary.skipped == {ANNOTATION_OUTSIDE: 2}
    assert not made.summary.left_out
    for part in ("train", "val", "test"):
        np.testing.assert_array_equal(getattr(made, part).x, getattr(whole, part).x)
    with pytest.raises(DataError, match="2 of them are before the first or after the last"):
        _load(five, strict=True)


def test_many_bad_records_do_not_flood_the_notes(write_record: WriteRecord) -> None:
    names = [f"r{number:02}" for number in range(12)]
    paths = [write_record(name) for name in names]
    path = paths[0]
    for name in names[:8]:
        _truncate(path / f"{name}.dat")
    summary = _load(path).summary
    assert len(summary.left_out) == 8
    left = [note for note in summary.notes if note.startswith("Left out")]
    assert len(left) == 6
    assert left[-1] == "Left out: 3 more records."


def test_an_error_about_beats_says_why_they_were_left_out(write_record: WriteRecord) -> None:
    path = write_record("a", annotated=[5, 1995], symbols=["N", "N"])
    with pytest.raises(DataError) as caught:
        _load(path, score_only=True)
    assert "no beat of class N, S, V. Left out of the records: " in caught.value.why
    assert "(2)" in caught.value.why
