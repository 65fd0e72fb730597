"""Strips of the beats whose class changed."""

from __future__ import annotations

from edgeecg.reporting import units
from edgeecg.reporting.changed_windows import ChangedWindow, ChangedWindows
from edgeecg.reporting.html.figure import INK, SOFT, Figure, axis, label, titled


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
    return text


def figures(found: ChangedWindows, data: str) -> tuple[Figure, ...]:
    """Return a strip for each of the windows that are shown.

    Args:
        found: The windows.
        data: The data that they are from.
    """
    return tuple(_strip(each, found, data) for each in found.shown)


def _strip(window: ChangedWindow, found: ChangedWindows, data: str) -> Figure:
    made = found.preprocessing
    peak = 0 if made.r_index is None else made.r_index - made.signal_start
    seconds = [(n - peak) / made.fs_hz for n in range(len(window.signal))]
    was = "" if window.annotated is None else f", annotated {window.annotated}"
    title = f"{window.before} became {window.after}{was}"
    where = window.origin or "record not stored with this file; export it again"
    lead = made.leads[0]
    low, high = (float(each) for each in (window.signal.min(), window.signal.max()))
    return Figure(
        titled(f"{title}: lead {lead}, {where}", data),
        f"Window of {len(window.signal)} samples at {made.fs_hz:g} Hz, from "
        f"{units.significant(low)} to {units.significant(high)} standard deviations.",
        (
            {
                "type": "scatter", "mode": "lines", "x": [round(t, 4) for t in seconds],
                "y": [round(float(v), 3) for v in window.signal], "name": label(lead),
                "line": {"color": INK, "width": 1.4},
                "hovertemplate": "%{x:.2f} s: %{y:.2f}<extra></extra>",
            },
        ),
        {
            "xaxis": axis("seconds from the R peak"),
            "yaxis": axis("deviations"),
            "showlegend": False,
            "shapes": [
                {"type": "line", "x0": 0, "x1": 0, "y0": 0, "y1": 1, "yref": "paper",
                 "line": {"color": SOFT, "width": 1, "dash": "dot"}}
            ],
        },
        height_px=220,
    )  # fmt: skip
