"""Pictures of records on ECG paper: a lead with its beats and their classes, or twelve leads.

The paper is the usual one, 25 mm/s and 10 mm/mV: a small square is 0.04 s by 0.1 mV, a large one
0.2 s by 0.5 mV, and the picture is as large as the paper would be.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator
from numpy.typing import NDArray

from edgeecg import files
from edgeecg.data.records.reader import Record
from edgeecg.errors import UsageError

KINDS = ("png", "svg", "pdf")
"""Kinds of pictures, by the ending of the file's name."""

ROW_S = 10.0
"""Length of one row of a strip."""

CLASS_COLOURS = {"N": "#33658a", "S": "#d17a00", "V": "#c1121f", "F": "#7b2d8b", "Q": "#5c6b73"}
"""Colour of each class of beats."""

CLASS_NAMES = {
    "N": "normal",
    "S": "supraventricular",
    "V": "ventricular",
    "F": "fusion",
    "Q": "paced or unclassifiable",
}

_INK, _FINE, _COARSE, _PAPER = "#1b1b1e", "#f9dedb", "#efb3ac", "#fffdfb"
_MM = 1 / 25.4
_MM_PER_S, _MM_PER_MV = 25, 10
_SIDE_MM, _TOP_MM, _FOOT_MM = 8, 17, 11
_DPI = 160
_PULSE_S, _END_S = 0.4, 0.2
_MOST_MV = 5.0
_COLUMNS = (("I", "II", "III"), ("aVR", "aVL", "aVF"), ("V1", "V2", "V3"), ("V4", "V5", "V6"))


def beats(
    record: Record, lead: str, groups: Sequence[str], start_s: float, seconds: float
) -> Figure:
    """Draw a stretch of one lead with its beats, in rows of ten seconds.

    Args:
        record: Holds one lead; its annotations are beats.
        lead: The lead's name, for the title.
        groups: Class of each beat, a key of :data:`CLASS_COLOURS` or anything else for none.
        start_s: Where to begin.
        seconds: How much to draw; what is behind the record's end stays white.
    """
    rows = math.ceil(seconds / ROW_S)
    signal = record.signal_mv[0]
    first, last = (round(at * record.fs_hz) for at in (start_s, start_s + seconds))
    low, high = _reach(signal[first:last])
    height = high - low + 0.5  # Space for the letters.
    figure, axes = _paper(min(seconds, ROW_S) + _PULSE_S + _END_S, rows * height)
    times_s = record.samples / record.fs_hz
    seen = Counter[str]()
    for row in range(rows):
        begin_s = start_s + row * ROW_S
        zero = (rows - 1 - row) * height - low
        end_s = min(begin_s + ROW_S, start_s + seconds)
        _pulse(axes, zero)
        _trace(axes, record, signal, (begin_s, end_s), zero, at_s=_PULSE_S)
        axes.text(0.04, zero + high + 0.2, _clock(begin_s), fontsize=7, color=_INK)
        for time_s, group in zip(times_s.tolist(), groups, strict=True):
            if not begin_s <= time_s < end_s:
                continue
            seen[group] += 1
            colour = CLASS_COLOURS.get(group, _INK)
            x = time_s - begin_s + _PULSE_S
            axes.plot([x, x], [zero + low, zero + high], color=colour, lw=0.7, alpha=0.35)
            top = zero + high + 0.2
            axes.text(x, top, group, color=colour, fontsize=9, fontweight="bold", ha="center")
    _heading(figure, f"Record {record.name}, lead {lead}", f"{record.fs_hz:g} Hz")
    _legend(figure, seen)
    return figure


def twelve_leads(record: Record, leads: Sequence[str], classes: str) -> Figure:
    """Draw twelve leads in four columns of 2.5 s, over ten seconds of lead II.

    Args:
        record: Holds the twelve leads, ten seconds or more of each.
        leads: Their names, in any order and case.
        classes: The record's classes, for the title.
    """
    row_of = {name.upper(): i for i, name in enumerate(leads)}
    length = round(ROW_S * record.fs_hz)
    low, high = _reach(record.signal_mv[:, :length])
    high += 0.5  # Space for the names.
    height = high - low
    figure, axes = _paper(ROW_S + _PULSE_S + _END_S, 4 * height)
    for row in range(3):
        zero = (3 - row) * height - low
        _pulse(axes, zero)
        for column, names in enumerate(_COLUMNS):
            begin_s = column * ROW_S / 4
            signal = record.signal_mv[row_of[names[row].upper()]]
            stretch = (begin_s, begin_s + ROW_S / 4)
            _trace(axes, record, signal, stretch, zero, at_s=_PULSE_S + begin_s)
            _name(axes, names[row], _PULSE_S + begin_s, zero + high)
            if column:
                axes.plot([_PULSE_S + begin_s] * 2, [zero - 0.3, zero + 0.3], color=_INK, lw=0.6)
    _pulse(axes, -low)
    _trace(axes, record, record.signal_mv[row_of["II"]], (0, ROW_S), -low, at_s=_PULSE_S)
    _name(axes, "II", _PULSE_S, high - low)
    _heading(figure, f"Record {record.name}: {classes}", f"{record.fs_hz:g} Hz, 12 leads")
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a picture; its kind is that of the name's ending, PNG without one.

    Raises:
        UsageError: There is no such kind of picture.
        EdgeECGError: The file cannot be written.
    """
    kind = path.suffix.lstrip(".").lower() or "png"
    if kind not in KINDS:
        raise UsageError(
            f"No picture can be written to '{path}'.",
            f"Its name ends in '.{kind}'; the kinds are {', '.join(KINDS)}.",
            "Choose another ending.",
        )
    with files.replacing(path) as beside:
        figure.savefig(beside, format=kind, dpi=_DPI, facecolor="white")


def _reach(signal: NDArray[np.float64]) -> tuple[float, float]:
    """Return the lowest and highest millivolts to leave space for, in halves."""
    valid = signal[np.isfinite(signal)]
    if not valid.size:
        return -1.0, 1.5
    # One spike must not make a metre of paper.
    low = max(float(valid.min()), -_MOST_MV)
    high = min(float(valid.max()), _MOST_MV)
    return min(-0.5, math.floor(2 * low) / 2), max(1.0, math.ceil(2 * high) / 2)


def _paper(seconds: float, height_mv: float) -> tuple[Figure, Axes]:
    """Return a figure in true size with one axes of paper."""
    width_mm, paper_mm = seconds * _MM_PER_S, height_mv * _MM_PER_MV
    whole_mm = (width_mm + 2 * _SIDE_MM, paper_mm + _TOP_MM + _FOOT_MM)
    figure = Figure(figsize=(whole_mm[0] * _MM, whole_mm[1] * _MM))
    axes = figure.add_axes(
        (
            _SIDE_MM / whole_mm[0],
            _FOOT_MM / whole_mm[1],
            width_mm / whole_mm[0],
            paper_mm / whole_mm[1],
        )
    )
    axes.set(xlim=(0, seconds), ylim=(0, height_mv), facecolor=_PAPER)
    for axis, fine, coarse in ((axes.xaxis, 0.04, 0.2), (axes.yaxis, 0.1, 0.5)):
        axis.set_minor_locator(MultipleLocator(fine))
        axis.set_major_locator(MultipleLocator(coarse))
    axes.grid(which="minor", color=_FINE, lw=0.4)
    axes.grid(which="major", color=_COARSE, lw=0.6)
    axes.tick_params(which="both", length=0, labelbottom=False, labelleft=False)
    axes.set_axisbelow(True)
    axes.spines[:].set(color=_COARSE, lw=0.8)
    x, y = 1 - _SIDE_MM / whole_mm[0], 4 / whole_mm[1]
    figure.text(x, y, "25 mm/s   10 mm/mV", fontsize=7, color=_INK, ha="right")
    return figure, axes


def _trace(
    axes: Axes,
    record: Record,
    signal: NDArray[np.float64],
    stretch_s: tuple[float, float],
    zero: float,
    at_s: float,
) -> None:
    """Draw a stretch of a signal with its 0 mV at ``zero`` and its begin at ``at_s``."""
    first, last = (round(s * record.fs_hz) for s in stretch_s)
    drawn = signal[first : min(last + 1, len(signal))]
    time_s = at_s + np.arange(len(drawn)) / record.fs_hz
    axes.plot(time_s, zero + drawn, color=_INK, lw=0.9, solid_joinstyle="round")


def _pulse(axes: Axes, zero: float) -> None:
    """Draw the calibration pulse: 1 mV, 0.2 s."""
    x = np.array([0.04, 0.1, 0.1, 0.3, 0.3, 0.36])
    axes.plot(x, zero + np.array([0, 0, 1, 1, 0, 0]), color=_INK, lw=0.9)


def _name(axes: Axes, lead: str, x: float, top: float) -> None:
    axes.text(x + 0.06, top - 0.08, lead, color=_INK, fontsize=9, fontweight="bold", va="top")


def _heading(figure: Figure, left: str, right: str) -> None:
    width_mm, height_mm = figure.get_size_inches() / _MM
    y = 1 - 8 / height_mm
    x = _SIDE_MM / width_mm
    figure.text(x, y, left, fontsize=12, fontweight="bold", color=_INK)
    figure.text(1 - x, y, right, fontsize=9, color=_INK, ha="right")


def _legend(figure: Figure, seen: Counter[str]) -> None:
    """Write how many beats of each class are drawn, in their colours."""
    width_mm, height_mm = figure.get_size_inches() / _MM
    x = _SIDE_MM / width_mm
    y = 1 - 14 / height_mm
    for group in [*CLASS_COLOURS, *sorted(set(seen) - set(CLASS_COLOURS))]:
        if not seen[group]:
            continue
        text = f"{group} {CLASS_NAMES.get(group, 'in no class')}: {seen[group]}"
        colour = CLASS_COLOURS.get(group, _INK)
        figure.text(x, y, text, fontsize=9, color=colour, fontweight="bold")
        x += (len(text) * 2.0 + 6) / width_mm
    if not seen:
        figure.text(x, y, "no annotated beats", fontsize=9, color=_INK)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds, 1), 60)
    return f"{int(minutes)}:{rest:04.1f}"
