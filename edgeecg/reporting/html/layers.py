"""The figures of layers before and after compression."""

from __future__ import annotations

from edgeecg.reporting import layer_rows
from edgeecg.reporting.html.figure import Figure, bars, titled
from edgeecg.reporting.variants import Variant

_MICRO = 1e6


def figures(before: Variant, after: Variant, data: str) -> tuple[Figure, ...]:
    """Return the figures of executed proxy, and of measured seconds or else MACs, of each layer.

    Args:
        before: The dense file.
        after: The compressed file.
        data: The data that the figures are about.
    """
    rows = [each for each in layer_rows.rows(before, after) if _counts(each)]
    if not rows:
        return ()
    names = [each.name for each in rows]
    label = after.subject.label
    made = [
        bars(
            titled(f"Executed proxy of each layer, {label}", data),
            names,
            {
                "dense": [100 * each.before_share for each in rows],
                "compressed": [100 * each.after_share for each in rows],
            },
            "% of the dense file",
        )
    ]
    if any(each.before_s and each.after_s for each in rows):
        made.append(
            bars(
                titled(f"Measured time of each layer, {label}", data),
                names,
                {
                    "dense": [_micro(each.before_s) for each in rows],
                    "compressed": [_micro(each.after_s) for each in rows],
                },
                "µs",
            )
        )
    else:
        made.append(
            bars(
                titled(f"MACs of each layer, {label}", data),
                names,
                {
                    "dense": [(each.before.macs if each.before else 0) / 1e3 for each in rows],
                    "compressed": [(each.after.macs if each.after else 0) / 1e3 for each in rows],
                },
                "thousand MACs",
            )
        )
    return tuple(made)


def _counts(row: layer_rows.LayerRow) -> bool:
    """Return whether a layer multiplies; the others would fill the figure with empty rows."""
    return any(each is not None and each.macs for each in (row.before, row.after))


def _micro(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * _MICRO
