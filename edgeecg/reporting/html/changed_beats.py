"""Strips of the beats whose class changed."""

from __future__ import annotations

import math
from typing import Any

from edgeecg.reporting import units
from edgeecg.reporting.changed_windows import ChangedWindow, ChangedWindows, Strip
from edgeecg.reporting.html.figure import (
    GRID,
    INK,
    SERIES,
    Figure,
    Trace,
    axis,
    label,
    titled,
    vertical_line,
)
from edgeecg.schema import Preprocessing

_LEAST_MV = 2.0
"""Height of a strip at least, so that noise is not shown as large as beats."""

_FEW_LABELS_MV = 1.6
"""Half the height from which only every other line has a number."""

_STEP_MV, _STEP_S = 0.5, 0.2
"""Distance of the lines: a large square of the paper that electrocardiograms are printed on."""


def sentence(found: ChangedWindows) -> str:
    """Return how many windows changed, in words.

    Args:
        found: The windows.
    """
    text = (
        f"{found.changed} of {found.windows} probe windows (validation records, as many of each "
        "class as there are) have another class after compression."
    )
    if found.right_before is not None and found.right_after is not None:
        text += (
            f" Of these, the dense model alone was right in {found.right_before} and the "
            f"compressed model alone in {found.right_after}."
        )
    if any(each.strip is not None for each in found.shown):
        text += (
            " The strips are as recorded, without a filter. A vertical line is at the R peak of "
            f"the beat, and the model sees what is shaded{_besides(found.preprocessing)}. "
            "Lines are 0.2 s and 0.5 mV apart."
        )
    return text


def _besides(made: Preprocessing) -> str:
    """Return what the model sees besides the signal around the beat, in words."""
    more = [
        *(("the intervals between the beats before it",) if made.rhythm else ()),
        *(("the patient's mean beat",) if made.reference else ()),
    ]
    return f", besides {' and '.join(more)}" if more else ""


def figures(found: ChangedWindows, data: str) -> tuple[Figure, ...]:
    """Return a strip for each of the windows that are shown.

    Args:
        found: The windows.
        data: The data that they are from.
    """
    return tuple(_figure(each, found.preprocessing, data) for each in found.shown)


def _figure(window: ChangedWindow, made: Preprocessing, data: str) -> Figure:
    lead = made.leads[0]
    was = "" if window.annotated is None else f", annotated {window.annotated}"
    title = f"Dense {window.before}, compressed {window.after}{was}: lead {lead}, {_where(window)}"
    if window.strip is None:
        return _window(window, made, titled(title, data))
    return _strip(window.strip, made, titled(title, data))


def _where(window: ChangedWindow) -> str:
    """Return record, patient and time of a beat in words."""
    if window.origin is None:
        return "record not stored with this file; export it again"
    found = f"record {window.origin.record}, patient {window.origin.patient}"
    if window.strip is None:
        return f"{found}, R peak at sample {units.count(window.origin.sample)}"
    return f"{found}, at {clock(window.strip.peak_s, 1)}"


def clock(seconds: float, digits: int = 0) -> str:
    """Return a time in a record as minutes and seconds, with hours where there are some.

    Args:
        seconds: The time.
        digits: Digits after the point.
    """
    whole = round(seconds, digits)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(int(minutes), 60)
    shown = f"{rest:0{3 + digits if digits else 2}.{digits}f}"
    return f"{hours}:{minutes:02d}:{shown}" if hours else f"{minutes:02d}:{shown}"


def _strip(strip: Strip, made: Preprocessing, title: str) -> Figure:
    """Return the record around a beat, on the squares of ECG paper."""
    signal = strip.signal_mv
    end_s = strip.start_s + (len(signal) - 1) / strip.fs_hz
    low, high = float(signal.min()), float(signal.max())
    middle, half = (low + high) / 2, max(_LEAST_MV, 1.1 * (high - low)) / 2
    seconds = range(math.ceil(strip.start_s), math.floor(end_s) + 1)
    first, last = _seen(made)
    return Figure(
        title,
        f"{len(signal) / strip.fs_hz:.1f} s from {clock(strip.start_s, 1)}, from "
        f"{low:.2f} to {high:.2f} mV. The model sees {-first:.2f} s before to {last:.2f} s after "
        "the R peak.",
        (
            {
                "type": "scatter", "mode": "lines", "x0": round(strip.start_s, 6),
                "dx": 1 / strip.fs_hz, "y": [round(float(v), 3) for v in signal],
                "line": {"color": INK, "width": 1.2},
                "hovertemplate": "%{x:.2f} s: %{y:.2f} mV<extra></extra>",
            },
        ),
        {
            "xaxis": axis(
                "time in the record, minutes:seconds",
                range=[strip.start_s, end_s],
                tickvals=list(seconds),
                ticktext=[clock(each) for each in seconds],
                minor={"dtick": _STEP_S, "tick0": 0, "showgrid": True, "gridcolor": GRID},
            ),
            "yaxis": axis(
                "mV",
                range=[middle - half, middle + half],
                dtick=_STEP_MV if half < _FEW_LABELS_MV else 2 * _STEP_MV,
                minor={"dtick": _STEP_MV, "tick0": 0, "showgrid": True, "gridcolor": GRID},
            ),
            "showlegend": False,
            "shapes": [
                vertical_line(strip.peak_s),
                {
                    "type": "rect", "x0": strip.peak_s + first, "x1": strip.peak_s + last,
                    "y0": 0, "y1": 1, "yref": "paper", "layer": "below", "opacity": 0.25,
                    "fillcolor": SERIES[0], "line": {"width": 0},
                },
            ],
        },
        height_px=240,
        wide=True,
    )  # fmt: skip


def _seen(made: Preprocessing) -> tuple[float, float]:
    """Return the ends of the signal that the model sees, in seconds from the R peak."""
    before = 0 if made.r_index is None else made.r_index - made.signal_start
    return -before / made.fs_hz, (made.signal_samples - before) / made.fs_hz


def _window(window: ChangedWindow, made: Preprocessing, title: str) -> Figure:
    """Return what the model sees, where the record around it was not stored."""
    first, _ = _seen(made)
    low, high = (float(each) for each in (window.signal.min(), window.signal.max()))
    trace: Trace = {
        "type": "scatter", "mode": "lines",
        "x": [round(first + n / made.fs_hz, 4) for n in range(len(window.signal))],
        "y": [round(float(v), 3) for v in window.signal], "name": label(made.leads[0]),
        "line": {"color": INK, "width": 1.4},
        "hovertemplate": "%{x:.2f} s: %{y:.2f}<extra></extra>",
    }  # fmt: skip
    layout: dict[str, Any] = {
        "xaxis": axis("seconds from the R peak"),
        "yaxis": axis("deviations"),
        "showlegend": False,
        "shapes": [vertical_line(0.0)],
    }
    return Figure(
        title,
        f"Window of {len(window.signal)} samples at {made.fs_hz:g} Hz, from "
        f"{units.significant(low)} to {units.significant(high)} standard deviations. The record "
        "around it is not stored with this file; export it again.",
        (trace,),
        layout,
        height_px=220,
    )
