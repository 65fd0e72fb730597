"""Which values of trials beat which, and how much a front covers; needs no PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgeecg.schema.search import SCORES, Objective


def losses(values: Sequence[float], objectives: Sequence[Objective]) -> tuple[float, ...]:
    """Return values of which smaller is better: scores with their sign changed."""
    return tuple(
        -value if objective in SCORES else value
        for value, objective in zip(values, objectives, strict=True)
    )


def dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether one is nowhere larger and somewhere smaller than the other; both are losses."""
    pairs = list(zip(one, other, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def front(points: Mapping[str, Sequence[float]], objectives: Sequence[Objective]) -> list[str]:
    """Return the names of the points that no other one dominates, best first objective first.

    Args:
        points: Values by name.
        objectives: What the values are.
    """
    found = {name: losses(values, objectives) for name, values in points.items()}
    best = [
        name
        for name, point in found.items()
        if not any(dominates(other, point) for other in found.values())
    ]
    return sorted(best, key=lambda name: (found[name], name))


def hypervolume(
    points: Sequence[Sequence[float]], reference: Sequence[float], objectives: Sequence[Objective]
) -> float:
    """Return the volume between a reference point and the points, of which larger is better.

    Args:
        points: Values of trials; what is not better than the reference counts nothing.
        reference: Values that every useful trial beats.
        objectives: What the values are.

    Returns:
        The volume in the product of the objectives' units. Exact, for any number of objectives, by
        slicing along the last one.
    """
    worst = losses(reference, objectives)
    found = [losses(point, objectives) for point in points]
    inside = [point for point in found if all(a < b for a, b in zip(point, worst, strict=True))]
    return _volume(inside, worst)


def _volume(points: Sequence[tuple[float, ...]], worst: tuple[float, ...]) -> float:
    if not points:
        return 0.0
    if len(worst) == 1:
        return worst[0] - min(point[0] for point in points)
    edges = sorted({point[-1] for point in points})
    total = 0.0
    for low, high in zip(edges, [*edges[1:], worst[-1]], strict=True):
        slice_ = [point[:-1] for point in points if point[-1] <= low]
        total += (high - low) * _volume(slice_, worst[:-1])
    return total
