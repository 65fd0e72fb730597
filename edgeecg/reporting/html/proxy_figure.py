"""The figure of predicted against measured ratios."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgeecg.reporting import units
from edgeecg.reporting.html.figure import (
    DASHES,
    INK,
    SOFT,
    Figure,
    Trace,
    label,
    log_axis,
    mark,
    titled,
    words,
)  # fmt: skip
from edgeecg.reporting.proxy_agreement import KINDS, QUANTITIES, Kind, Point, Quantity
from edgeecg.reporting.rows import AgreementRow

_ROOM = 1.25


def figures(found: Sequence[Point], rows: Sequence[AgreementRow], data: str) -> tuple[Figure, ...]:
    """Return a figure for each prediction and measured quantity that there are points of.

    Args:
        found: The points.
        rows: Their agreement.
        data: The data that the figures are about.
    """
    made: list[Figure] = []
    for quantity in QUANTITIES:
        for kind in KINDS:
            here = [p for p in found if p.quantity == quantity and kind in p.predicted]
            if here and not (kind == "ideal" and _as_executed(here)):
                row = next(
                    r for r in rows
                    if (r.quantity, r.prediction, r.dtype) == (quantity, kind, "all")
                )  # fmt: skip
                made.append(_figure(here, kind, quantity, row, data))
    return tuple(made)


def _as_executed(here: Sequence[Point]) -> bool:
    """Return whether the ideal proxy is the executed one: no file has weights that are zero."""
    return all(
        "executed" in p.predicted
        and math.isclose(p.predicted["ideal"], p.predicted["executed"], rel_tol=0.02)
        for p in here
    )


def _figure(
    here: Sequence[Point], kind: Kind, quantity: Quantity, row: AgreementRow, data: str
) -> Figure:
    predicted = [p.predicted[kind] for p in here]
    every = [*predicted, *(p.measured for p in here)]
    low, high = min(every) / _ROOM, max(1.0, max(every)) * _ROOM
    traces: list[Trace] = [_line([low, high], [low, high], "exact", SOFT, "dot")]
    if row.factor is not None and row.exponent is not None:
        ends = [min(predicted), max(predicted)]
        fit = [row.factor * x**row.exponent for x in ends]
        traces.append(
            _line(
                ends,
                fit,
                f"fit: {units.significant(row.factor)} · x^{row.exponent:.2f}",
                INK,
                "dash",
            )
        )
    for dtype in dict.fromkeys(p.dtype for p in here):
        some = [p for p in here if p.dtype == dtype]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": label(dtype),
                "x": [p.predicted[kind] for p in some],
                "y": [p.measured for p in some],
                "customdata": [p.key for p in some],
                "text": [_hover(p, kind) for p in some],
                "hovertemplate": "%{text}<extra></extra>",
                 "marker": mark(dtype),
            }
        )  # fmt: skip
    rho = "" if row.spearman is None else f", Spearman ρ {units.signed(row.spearman)}"
    spread = f" {units.interval(row.spearman_ci95)}" if rho and row.spearman_ci95 else ""
    return Figure(
        titled(f"{KINDS[kind].capitalize()} against measured {QUANTITIES[quantity]}", data),
        f"{row.n} files{rho}{spread}; measured over predicted: median "
        f"{units.ratio(row.median_ratio)}, worst {units.ratio(row.worst_ratio)} ({row.worst}). "
        + words(
            f"{p.name}: predicted {units.ratio(p.predicted[kind])}, "
            f"measured {units.ratio(p.measured)}"
            for p in here
        ),
        tuple(traces),
        {
            "xaxis": log_axis(f"{KINDS[kind]}, × dense float32", [low, high], 1.0),
            "yaxis": log_axis(f"measured {QUANTITIES[quantity]}, ×", [low, high], 1.0),
        },
        height_px=460,
    )


def _line(x: list[float], y: list[float], name: str, color: str, dash: str) -> Trace:
    return {
        "type": "scatter", "mode": "lines", "name": name, "x": x, "y": y, "hoverinfo": "skip",
        "line": {"color": color, "width": 1.2, "dash": dash if dash in DASHES else "solid"},
    }  # fmt: skip


def _hover(p: Point, kind: Kind) -> str:
    ratio = p.measured / p.predicted[kind]
    lines = [
        label(p.name, 60),
        f"predicted {units.ratio(p.predicted[kind])}, measured {units.ratio(p.measured)}",
        f"measured ÷ predicted: {units.significant(ratio)}",
        *(label(reason, 70) for reason in p.reasons),
    ]
    return "<br>".join(lines)
