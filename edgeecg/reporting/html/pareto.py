"""Score against cost: which variants no other one beats in both."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgeecg.reporting import units
from edgeecg.reporting.html.figure import (
    SOFT,
    Figure,
    Trace,
    axis,
    label,
    log_axis,
    mark,
    score_range,
    titled,
    words,
)
from edgeecg.reporting.variants import Variant


@dataclass(frozen=True)
class _Cost:
    """One cost of a variant.

    Attributes:
        title: Its name.
        unit: Text after a value on the axis.
        of: Returns the cost; None where it is not known.
        shown: Returns a cost as text.
        scale: What the cost is multiplied with for the axis.
    """

    title: str
    unit: str
    of: Callable[[Variant], float | None]
    shown: Callable[[float], str]
    scale: float = 1.0


_COSTS = (
    _Cost("net energy, measured", "µJ", lambda v: joules(v), units.joules, 1e6),
    _Cost("net energy, calibrated", "µJ", lambda v: _calibrated(v), units.joules, 1e6),
    _Cost("executed proxy", "× dense float32", lambda v: _executed(v), units.ratio),
    _Cost("latency p50", "µs", lambda v: latency(v), units.seconds, 1e6),
    _Cost("size", "kB", lambda v: v.subject.size_bytes, lambda b: units.size(round(b)), 1e-3),
)


def figures(keyed: Sequence[tuple[int, Variant]], data: str) -> tuple[Figure, ...]:
    """Return a figure for each cost that at least two scored variants have.

    Devices are not mixed: a measured cost is shown for each setup in a figure of its own.

    Args:
        keyed: The variants of one data set, each with the number that selects it.
        data: The data that the figures are about.
    """
    variants = [each for _, each in keyed]
    name = headline_name(variants)
    made: list[Figure] = []
    for cost in _COSTS:
        measured = cost.title.startswith(("net energy, m", "latency"))
        places = list(dict.fromkeys(v.place for v in variants if v.place)) if measured else [""]
        for place in places:
            here = [
                (key, v)
                for key, v in keyed
                if (not measured or v.place == place)
                and headline(v) is not None
                and _known(cost, v)
            ]
            if len(here) > 1:
                title = f"{name[0].upper()}{name[1:]} against {cost.title}"
                if cost is _COSTS[0] and any(_replayed(v) for _, v in here):
                    title += " or replayed"
                title += f" on {place}" if place and len(places) > 1 else ""
                made.append(_figure(here, cost, name, titled(title, data)))
    return tuple(made)


def _known(cost: _Cost, variant: Variant) -> bool:
    value = cost.of(variant)
    return value is not None and value > 0


def headline(variant: Variant) -> float | None:
    """Return the main test score, or None."""
    scores = variant.subject.scores
    return None if scores is None else scores.headline[1]


def headline_name(variants: Sequence[Variant]) -> str:
    """Return the name of the main score."""
    scores = [v.subject.scores for v in variants if v.subject.scores is not None]
    return scores[0].headline[0] if scores else "score"


def latency(variant: Variant) -> float | None:
    """Return the median latency in seconds, or None."""
    result = variant.subject.result
    return None if result is None else result.latency.p50_s


def joules(variant: Variant) -> float | None:
    """Return the measured net energy of an inference, or None."""
    result = variant.subject.result
    if result is None or result.energy.tier != "measured":
        return None
    return result.energy.net_j


def _replayed(variant: Variant) -> bool:
    result = variant.subject.result
    return result is not None and result.energy.replayed


def _calibrated(variant: Variant) -> float | None:
    result = variant.subject.result
    return None if result is None or result.calibrated is None else result.calibrated.net_j


def _executed(variant: Variant) -> float | None:
    return None if variant.subject.proxy is None else variant.subject.proxy.executed


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Return the indexes of the points that no other one beats, from the lowest cost up.

    Args:
        points: Cost and score of each.
    """
    order = sorted(range(len(points)), key=lambda n: (points[n][0], -points[n][1]))
    kept: list[int] = []
    best = -math.inf
    for n in order:
        if points[n][1] > best:
            kept.append(n)
            best = points[n][1]
    return kept


def interval_note(variants: Sequence[Variant]) -> tuple[str, ...]:
    """Return how wide the interval of a score is, which the figures do not show.

    Args:
        variants: The variants.
    """
    scores = [v.subject.scores for v in variants if v.subject.scores is not None]
    widest = max(
        (each.headline_ci95 for each in scores if each.headline_ci95 is not None),
        key=lambda ends: ends[1] - ends[0],
        default=None,
    )
    if widest is None:
        return ()
    return (
        f"The 95 % interval of a single {scores[0].headline[0]} is up to "
        f"{units.fraction(widest[0])} to {units.fraction(widest[1])}: whether two files differ is "
        "what the table of changes says, not their height here.",
    )


def _figure(here: Sequence[tuple[int, Variant]], cost: _Cost, name: str, title: str) -> Figure:
    spots = [((cost.of(v) or 0.0) * cost.scale, headline(v) or 0.0) for _, v in here]
    best = front(spots)
    traces: list[Trace] = [
        {
            "type": "scatter", "mode": "lines", "name": "not beaten in both", "hoverinfo": "skip",
            "x": [spots[n][0] for n in best], "y": [spots[n][1] for n in best],
            "line": {"color": SOFT, "width": 1.2, "dash": "dot", "shape": "hv"},
        }
    ]  # fmt: skip
    for dtype in dict.fromkeys(v.dtype for _, v in here):
        some = [i for i, (_, v) in enumerate(here) if v.dtype == dtype]
        traces.append(
            {
                "type": "scatter", "mode": "markers", "name": label(dtype),
                "x": [spots[i][0] for i in some], "y": [spots[i][1] for i in some],
                "customdata": [here[i][0] for i in some],
                "text": [_hover(here[i][1], cost, name) for i in some],
                "hovertemplate": "%{text}<extra></extra>",
                 "marker": mark(dtype),
            }
        )  # fmt: skip
    return Figure(
        title,
        words(
            f"{v.subject.name}: {name} {units.fraction(headline(v))}, "
            f"{cost.shown(cost.of(v) or 0.0)}"
            for _, v in here
        ),
        tuple(traces),
        {
            "xaxis": log_axis(f"{cost.title}, {cost.unit}", [x for x, _ in spots]),
            "yaxis": axis(f"test {name}", range=score_range([y for _, y in spots])),
        },
        height_px=380,
    )


def _hover(variant: Variant, cost: _Cost, name: str) -> str:
    return "<br>".join(
        [
            label(variant.subject.name, 60),
            f"test {name}: {units.fraction(headline(variant))} {_interval(variant)}".rstrip(),
            f"{cost.title}: {cost.shown(cost.of(variant) or 0.0)}",
            *([label(variant.place, 60)] if variant.place else []),
        ]
    )


def _interval(variant: Variant) -> str:
    scores = variant.subject.scores
    return "" if scores is None else units.interval(scores.headline_ci95)
