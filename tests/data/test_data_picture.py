"""Pictures: paper in true size, every beat in its colour, and files that appear whole."""

from __future__ import annotations

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from matplotlib.colors import same_color
from matplotlib.figure import Figure

from edgeecg.data.records import picture
from edgeecg.data.records.reader import Record
from edgeecg.errors import EdgeECGError

TWELVE = ("I", "II", "III", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5", "V6")


def _record(leads: int = 1, seconds: float = 30, fs: int = 100) -> Record:
    time = np.arange(round(seconds * fs)) / fs
    signal = np.stack([(1 + i / 10) * np.sin(2 * np.pi * time) for i in range(leads)])
    beats = np.arange(50, len(time), 100)
    return Record("r1", float(fs), signal, beats, ("N",) * len(beats))


def _letters(figure: Figure) -> list[tuple[str, float]]:
    """The beats' letters from left to right: text and x."""
    found = [t for t in figure.axes[0].texts if t.get_text() in picture.CLASS_COLOURS]
    assert all(same_color(t.get_color(), picture.CLASS_COLOURS[t.get_text()]) for t in found)
    return [(t.get_text(), t.get_position()[0]) for t in found]


def _said(figure: Figure) -> str:
    return " | ".join(text.get_text() for text in figure.texts)


def test_every_beat_of_the_stretch_is_marked_in_its_place() -> None:
    record = _record()
    groups = ["N", "S", "V", "F", "Q"] * 6
    figure = picture.beats(record, "MLII", groups, start_s=10, seconds=5)
    # Beats are at 10.5, 11.5, ... s; the stretch begins behind the calibration pulse.
    assert [letter for letter, _ in _letters(figure)] == ["N", "S", "V", "F", "Q"]
    np.testing.assert_allclose([x for _, x in _letters(figure)], np.arange(5) + 0.5 + 0.4)
    assert "Record r1, lead MLII" in _said(figure)
    assert "100 Hz" in _said(figure)
    assert "V ventricular: 1" in _said(figure)


def test_the_paper_has_25_mm_a_second_and_10_mm_a_millivolt() -> None:
    figure = picture.beats(_record(), "II", ["N"] * 30, 0, 10)
    box = figure.axes[0].get_position()
    width, height = figure.get_size_inches() * 25.4
    (left, right), (low, high) = figure.axes[0].get_xlim(), figure.axes[0].get_ylim()
    assert box.width * width == pytest.approx(25 * (right - left))
    assert box.height * height == pytest.approx(10 * (high - low))


def test_long_stretches_go_on_in_rows() -> None:
    one, three = (picture.beats(_record(), "II", ["N"] * 30, 0, s) for s in (10, 30))
    assert three.get_size_inches()[0] == one.get_size_inches()[0]
    assert len(_letters(three)) == 30


def test_a_record_without_beats_or_with_invalid_samples_or_too_short() -> None:
    record = _record(seconds=3)
    record.signal_mv[0, :50] = np.nan
    bare = Record("r1", 100.0, record.signal_mv, np.zeros(0, np.int64), ())
    assert "no annotated beats" in _said(picture.beats(bare, "II", [], 0, 10))
    record.signal_mv[:] = np.nan
    picture.beats(bare, "II", [], 0, 10)


def test_twelve_leads_by_name_whatever_their_order() -> None:
    figure = picture.twelve_leads(_record(12, 10), TWELVE, "MI, CD")
    names = [text.get_text() for text in figure.axes[0].texts]
    assert sorted(names) == sorted([*(n.replace("AV", "aV") for n in TWELVE), "II"])
    assert "Record r1: MI, CD" in _said(figure)
    swapped = picture.twelve_leads(
        Record("r1", 100.0, _record(12, 10).signal_mv[::-1], np.zeros(0, np.int64), ()),
        TWELVE[::-1],
        "MI, CD",
    )
    for one, other in zip(figure.axes[0].lines, swapped.axes[0].lines, strict=True):
        np.testing.assert_array_equal(one.get_ydata(), other.get_ydata())


def test_a_picture_is_a_file_of_its_endings_kind(tmp_path: Path) -> None:
    figure = picture.beats(_record(), "II", ["N"] * 30, 0, 1)
    picture.save(figure, tmp_path / "new" / "a.png")
    assert matplotlib.image.imread(tmp_path / "new" / "a.png").shape[2] in (3, 4)
    picture.save(figure, tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text().startswith("<?xml")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.svg", "new"]


def test_an_unknown_kind_of_picture(tmp_path: Path) -> None:
    with pytest.raises(EdgeECGError, match="png"):
        picture.save(picture.beats(_record(), "II", ["N"] * 30, 0, 1), tmp_path / "a.txt")
    assert not list(tmp_path.iterdir())
