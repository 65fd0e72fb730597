"""An interactive figure: Plotly's JSON with colours that the page fills in, light or dark."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgeecg.reporting import units
from edgeecg.statistics.changes import MARGIN

Trace = dict[str, Any]
"""One trace as Plotly's JSON."""

INK, SOFT, GRID, CARD = "$ink", "$soft", "$grid", "$card"
SERIES = ("$s1", "$s2", "$s3", "$s4", "$s5", "$s6")
"""Names of colours: ``$name`` is the CSS variable ``--name`` of the page."""

SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "x")
"""Marker shapes: series differ in shape, too, and not in colour alone."""

DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")

_DTYPES = ("float32", "int8", "float16", "int8 weights, float32 activations")
_MOST_WORDS = 40
_LONG_AXIS, _SHORT_AXIS = 2000, 8
_LEAST_RANGE = 4 * MARGIN
"""Length of an axis of scores at least: twice the largest tie on either side."""


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes:
        title: What it shows, and for which data.
        text: The values in words, for readers who cannot see the figure.
        traces: Plotly's traces. A ``customdata`` of numbers of variants makes points selectable.
        layout: Plotly's layout, apart from what all figures have in common.
        height_px: Its height.
        wide: Whether it takes the whole width of the page.
    """

    title: str
    text: str
    traces: tuple[Trace, ...]
    layout: dict[str, Any] = field(default_factory=dict[str, Any])
    height_px: int = 340
    wide: bool = False


def mark(dtype: str, opacity: float = 0.85) -> dict[str, Any]:
    """Return the marks of a type: in every figure the same colour and shape.

    Args:
        dtype: Type of weights and activations, in words.
        opacity: From 0 to 1.
    """
    n = _DTYPES.index(dtype) if dtype in _DTYPES else len(_DTYPES)
    return {"symbol": SYMBOLS[n], "color": SERIES[n], "size": 9, "opacity": opacity}


def titled(title: str, data: str) -> str:
    """Return a title followed by the name of the data in brackets, if that is not empty."""
    return f"{title} ({data})" if data else title


def label(text: str, most: int = 0) -> str:
    """Return a text for a figure, in which Plotly finds no markup.

    Args:
        text: The text.
        most: Longest text in characters; 0 for any length.
    """
    shown = units.printable(text)
    if most and len(shown) > most:
        shown = f"{shown[: most - 1]}…"
    return html.escape(shown, quote=False)


def words(values: Iterable[str]) -> str:
    """Return values in words, of many only the first."""
    every = list(values)
    shown = "; ".join(every[:_MOST_WORDS])
    rest = len(every) - _MOST_WORDS
    return f"{shown}; and {rest} more, see the tables" if rest > 0 else shown


def axis(title: str, **changes: Any) -> dict[str, Any]:
    """Return an axis with a title.

    Args:
        title: Quantity and unit.
        changes: More of Plotly's keys.
    """
    return {"title": {"text": title}, **changes}


def score_range(scores: Sequence[float]) -> list[float]:
    """Return the ends of an axis of scores; scores that are a tie are not drawn far apart.

    Args:
        scores: What is drawn.
    """
    low, high = min(scores), max(scores)
    margin = max(0.06 * (high - low), (_LEAST_RANGE - (high - low)) / 2)
    return [low - margin, high + margin]


def log_axis(title: str, values: Sequence[float], margin: float = 1.15) -> dict[str, Any]:
    """Return a logarithmic axis with marks at 1, 2 and 5, or at powers of ten on a long one.

    Args:
        title: Quantity and unit.
        values: What is drawn, above zero.
        margin: Factor between the outermost values and the ends of the axis.
    """
    low, high = min(values) / margin, max(values) * margin
    digits = (1, 2, 5) if high / low < _LONG_AXIS else (1,)
    if high / low < _SHORT_AXIS:
        digits = (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [digit * 10.0**power for power in powers for digit in digits]
    ticks = [tick for tick in ticks if low <= tick <= high]
    return axis(
        title,
        type="log",
        range=[math.log10(low), math.log10(high)],
        tickvals=ticks,
        ticktext=[f"{tick:,.6g}" if tick >= 1 else f"{tick:.3g}" for tick in ticks],
    )


def bars(
    title: str,
    names: Sequence[str],
    series: dict[str, Sequence[float | None]],
    unit: str,
) -> Figure:
    """Return a group of horizontal bars for each name; a value that is None leaves a gap.

    Args:
        title: What the figure shows.
        names: One for each group.
        series: The values of each kind of bar.
        unit: Title of the axis.
    """
    traces: list[Trace] = [
        {
            "type": "bar",
            "orientation": "h",
            "name": label(kind),
            "y": list(range(len(names))),
            "x": list(values),
            "text": ["" if v is None else units.significant(v) for v in values],
            "textposition": "outside",
            "cliponaxis": False,
            "hovertext": [label(name) for name in names],
            "hovertemplate": "%{hovertext}<br>%{fullData.name}: %{text}<extra></extra>",
            "marker": {"color": SERIES[n]},
        }
        for n, (kind, values) in enumerate(series.items())
    ]
    text = words(
        f"{name}: "
        + ", ".join(
            f"{kind} {units.MISSING if (v := values[n]) is None else units.significant(v)}"
            for kind, values in series.items()
        )
        for n, name in enumerate(names)
    )
    layout: dict[str, Any] = {
        "barmode": "group",
        "xaxis": axis(unit, rangemode="tozero"),
        "yaxis": {
            "tickvals": list(range(len(names))),
            "ticktext": [label(name, 24) for name in names],
            "autorange": "reversed",
            "automargin": True,
        },
    }
    height = 110 + len(names) * (14 + 15 * len(series))
    return Figure(title, f"{unit}. {text}", tuple(traces), layout, min(height, 1400))


def vertical_line(x: float) -> dict[str, Any]:
    """Return a dotted line over the whole height."""
    return {
        "type": "line", "x0": x, "x1": x, "y0": 0, "y1": 1, "yref": "paper",
        "line": {"color": SOFT, "width": 1, "dash": "dot"},
    }  # fmt: skip
