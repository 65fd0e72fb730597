"""Synthetic records: the same every time, with beats that are what they say."""

from __future__ import annotations

import filecmp
from pathlib import Path

import numpy as np
import pytest

from edgeecg.data.records.reader import Record, read
from edgeecg.data.sources import _synthetic_beats

NAMES = ("s100", "s101", "s102", "s103")


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    folder = tmp_path_factory.mktemp("records")
    _synthetic_beats.generate(folder, names=NAMES, duration_s=120)
    return [read(folder, name, ("MLII", "V1")) for name in NAMES]


def test_they_have_the_rate_and_the_leads_of_mit_bih(records: list[Record]) -> None:
    for record in records:
        assert record.fs_hz == 360
        assert record.signal_mv.shape == (2, 120 * 360)
        assert 0.5 < np.ptp(record.signal_mv[0]) < 10


def test_the_same_seed_gives_the_same_files_and_another_one_does_not(tmp_path: Path) -> None:
    for place, seed in [("a", 1), ("b", 1), ("c", 2)]:
        (tmp_path / place).mkdir()
        _synthetic_beats.generate(tmp_path / place, seed, ("s100",), duration_s=10)
    names = ["s100.hea", "s100.dat", "s100.atr"]
    assert filecmp.cmpfiles(tmp_path / "a", tmp_path / "b", names, shallow=False)[0] == names
    assert "s100.dat" in filecmp.cmpfiles(tmp_path / "a", tmp_path / "c", names, shallow=False)[1]


def _rr_s(record: Record) -> tuple[dict[str, list[float]], float]:
    """Return the RR intervals before the beats of each symbol, and the median sinus interval."""
    rr = np.diff(record.samples) / record.fs_hz
    found: dict[str, list[float]] = {}
    pairs = zip(record.symbols, record.symbols[1:], rr, strict=False)
    for before, symbol, interval in pairs:
        if before == "N":
            found.setdefault(symbol, []).append(float(interval))
    return found, float(np.median(found["N"]))


def test_s_and_v_beats_are_premature(records: list[Record]) -> None:
    for record in records:
        found, sinus = _rr_s(record)
        for symbol in "AV":
            if len(found.get(symbol, [])) >= 5:
                assert np.median(found[symbol]) < 0.92 * sinus


def test_a_full_pause_follows_a_v_beat_and_not_an_s_beat(records: list[Record]) -> None:
    after: dict[str, list[float]] = {"A": [], "V": []}
    for record in records:
        rr = np.diff(record.samples) / record.fs_hz
        _, sinus = _rr_s(record)
        for i, symbol in enumerate(record.symbols[:-1]):
            if symbol in after and i:
                # One premature interval and the pause, in units of the sinus interval.
                after[symbol].append(float(rr[i - 1] + rr[i]) / sinus)
    assert np.median(after["V"]) == pytest.approx(2.0, abs=0.1)
    assert np.median(after["A"]) < 1.95


def _width_s(record: Record, symbol: str) -> float:
    """Return the median width at half height of the R waves of one kind."""
    widths: list[float] = []
    for sample, kind in zip(record.samples, record.symbols, strict=True):
        if kind != symbol or not 100 < sample < record.signal_mv.shape[1] - 100:
            continue
        around = record.signal_mv[0, sample - 60 : sample + 61]
        around = (around - np.median(around)) * np.sign(around[60] - np.median(around))
        below = np.flatnonzero(around < around[60] / 2)
        widths.append(float(below[below > 60].min() - below[below < 60].max()) / record.fs_hz)
    return float(np.median(widths)) if widths else float("nan")


def test_v_beats_are_wide_and_s_beats_are_as_wide_as_normal_ones(records: list[Record]) -> None:
    for record in records:
        normal = _width_s(record, "N")
        early, ventricular = _width_s(record, "A"), _width_s(record, "V")
        assert np.isnan(early) or 0.8 < early / normal < 1.25
        assert np.isnan(ventricular) or ventricular > 1.1 * normal


def test_annotations_lie_on_the_r_peak(records: list[Record]) -> None:
    off: list[int] = []
    for record in records:
        for sample, symbol in zip(record.samples, record.symbols, strict=True):
            if symbol == "N" and 40 < sample < record.signal_mv.shape[1] - 40:
                off.append(int(record.signal_mv[0, sample - 15 : sample + 16].argmax()) - 15)
    # Three samples at 360 Hz are about one at 128 Hz.
    assert np.mean(np.abs(off) <= 3) > 0.95


def test_the_folder_is_made_once_and_made_again_when_damaged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Path] = []
    generate = _synthetic_beats.generate

    def short(place: Path, seed: int) -> None:
        made.append(place)
        generate(place, seed, ("s100",), duration_s=10)

    monkeypatch.setattr(_synthetic_beats, "generate", short)
    place = _synthetic_beats.folder(seed=7)
    assert _synthetic_beats.folder(seed=7) == place
    assert len(made) == 1
    whole = (place / "s100.dat").read_bytes()
    (place / "s100.dat").write_bytes(whole[:-10])
    assert _synthetic_beats.folder(seed=7) == place
    assert len(made) == 2
    (place / "content.sha256").write_bytes(b"\xff\xfe")
    assert _synthetic_beats.folder(seed=7) == place
    assert len(made) == 3
    assert (place / "s100.dat").read_bytes() == whole
    assert [path.name for path in place.parent.iterdir()] == [place.name]


def test_patients_are_split_and_none_is_in_two_parts() -> None:
    split = _synthetic_beats.SPLIT
    assert sorted(split.records) == sorted(_synthetic_beats.NAMES)
    assert all(len(part) >= 4 for part in split.parts.values())
