"""The page of ``edgeecg compare``."""

from __future__ import annotations

from collections.abc import Sequence

from edgeecg.reporting import difference_tables, units
from edgeecg.reporting.difference_rows import ComparedPair, Differences, QuantityChange
from edgeecg.reporting.html.document import Page, Section, render as render_page
from edgeecg.reporting.html.figure import (
    INK,
    SERIES,
    SYMBOLS,
    Figure,
    Trace,
    axis,
    label,
    score_range,
    vertical_line,
    words,
)

_COLOURS = {
    "better": SERIES[0],
    "worse": SERIES[1],
    "tie": SERIES[4],
    "identical": SERIES[4],
    "not resolved": SERIES[2],
    "no interval": INK,
}
_COUNTED = {"tie": "tied", "no interval": "without an interval"}


def render(found: Differences) -> str:
    """Return the page as HTML text.

    Args:
        found: The comparison.
    """
    sections = tuple(
        Section(f"{pair.after}, {pair.after_label}", (table,), _figures(pair))
        for pair, table in zip(found.pairs, difference_tables.tables(found), strict=True)
    )
    first = found.pairs[0]
    return render_page(
        Page(
            title=f"Comparison with {first.before}, {first.before_label}",
            lines=(
                "B is called better or worse only where the 95 % interval of the change excludes "
                "equality.",
            ),
            verdict=_verdict(found),
            sections=sections,
        )
    )


_called = difference_tables.verdict


def _verdict(found: Differences) -> tuple[str, ...]:
    counted = {
        name: sum(
            difference_tables.verdict(each) == name for pair in found.pairs for each in pair.changes
        )
        for name in (*_COLOURS, "not compared", "refused")
    }
    text = ", ".join(
        f"{count} {_COUNTED.get(name, name)}" for name, count in counted.items() if count
    )
    pairs = "One pair" if len(found.pairs) == 1 else f"{len(found.pairs)} pairs"
    lines = [f"{pairs} of results; B is, quantity by quantity: {text or 'not comparable'}."]
    lines += [difference_tables.outcome(each) for each in found.conditions]
    return (*lines, *difference_tables.refusals(found))


def _figures(pair: ComparedPair) -> tuple[Figure, ...]:
    made = (_forest(pair, scores=True), _forest(pair, scores=False))
    return tuple(each for each in made if each is not None)


def _forest(pair: ComparedPair, scores: bool) -> Figure | None:
    """Return the changes with their intervals: differences of scores, or ratios of costs."""
    rows = [
        (each, each.difference if scores else each.ratio)
        for each in pair.changes
        if (each.unit == "score") == scores and each.difference is not None
    ]
    known = [(each, value) for each, value in rows if value is not None]
    if not known:
        return None
    title = "Scores, B minus A" if scores else "Costs, B over A (less is better)"
    return Figure(
        title,
        words(
            f"{difference_tables.name(each)}: "
            f"{units.change(value) if scores else units.ratio(value)}, {_called(each)}"
            for each, value in known
        ),
        _traces(known, scores),
        {
            "xaxis": axis(
                "difference, with its 95 % interval" if scores else "ratio, with its 95 % interval",
                **({"range": _score_range(known)} if scores else {"type": "log"}),
            ),
            "yaxis": {
                "tickvals": list(range(len(known))),
                "ticktext": [label(difference_tables.name(each), 28) for each, _ in known],
                "range": [len(known) - 0.4, -0.6],
            },
            "shapes": [vertical_line(0.0 if scores else 1.0)],
        },
        height_px=130 + 30 * len(known),
    )


def _score_range(known: Sequence[tuple[QuantityChange, float]]) -> list[float]:
    """Return the ends of the axis of scores, which shows 0 and all intervals."""
    return score_range([0.0, *(end for c, v in known for end in (v, *(c.ci95 or ())))])


def _traces(known: Sequence[tuple[QuantityChange, float]], scores: bool) -> tuple[Trace, ...]:
    """Return the changes with their intervals, a series for each verdict."""
    return tuple(
        {
            "type": "scatter", "mode": "markers", "name": called,
            "x": [value for _, value in some],
            "y": [n for n, (each, _) in enumerate(known) if _called(each) == called],
            "error_x": {
                "type": "data", "symmetric": False, "color": colour, "thickness": 1.5,
                "array": [(c.ci95[1] if c.ci95 else v) - v for c, v in some],
                "arrayminus": [v - (c.ci95[0] if c.ci95 else v) for c, v in some],
            },
            "marker": {"color": colour, "symbol": SYMBOLS[n % len(SYMBOLS)], "size": 9},
            "hovertext": [
                f"{label(difference_tables.name(c))}: "
                f"{units.change(v) if scores else units.ratio(v)}"
                for c, v in some
            ],
            "hovertemplate": "%{hovertext}<extra></extra>",
        }
        for n, (called, colour) in enumerate(_COLOURS.items())
        if (some := [(c, v) for c, v in known if _called(c) == called])
    )  # fmt: skip
