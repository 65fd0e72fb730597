"""What compression removed of a model: channels, LSTM units, heads and blocks, part by part."""

from __future__ import annotations

from itertools import zip_longest

from edgeecg.reporting import units
from edgeecg.reporting.documents import RunDocuments
from edgeecg.reporting.tables import Row, Table


def table(documents: RunDocuments, data: str) -> Table | None:
    """Return the widths of the dense and of the compressed model; None where all are equal.

    Args:
        documents: The documents of the run.
        data: The data that the figures are about.
    """
    if documents.baseline is None:
        return None
    before, after = documents.baseline.widths, documents.model.widths
    made: list[Row] = []
    for name in dict.fromkeys((*before, *after)):
        pairs = list(zip_longest(before.get(name, ()), after.get(name, ()), fillvalue=0))
        for place, (one, other) in enumerate(pairs, start=1):
            made.append(_row(f"{name} {place}" if len(pairs) > 1 else name, one, other))
    if before == after or not made:
        return None
    return Table(
        title="What was removed: channels, units or heads of each part of the model",
        data=data,
        head=("part", "dense", "compressed", "removed"),
        rows=tuple(made),
    )


def _row(name: str, before: int, after: int) -> Row:
    share = units.percent(1 - after / before) if before else units.DASH
    return (
        name,
        units.count(before) if before else units.DASH,
        units.count(after) if after else "removed",
        share,
    )
