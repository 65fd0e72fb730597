"""Confusion matrices as figures, and the records that lost most."""

from __future__ import annotations

from collections.abc import Sequence

from edgeecg.reporting import captions, units
from edgeecg.reporting.documents import RunDocuments
from edgeecg.reporting.html.figure import Figure, axis, label, titled, words
from edgeecg.reporting.tables import Row, Table
from edgeecg.schema import Scores

_MOST_RECORDS = 8


def confusion(name: str, scores: Scores, classes: Sequence[str], data: str) -> Figure | None:
    """Return a confusion matrix with counts, coloured by the fraction of the annotated class.

    Args:
        name: Whose it is.
        scores: The scores.
        classes: Names of the classes.
        data: The records.

    Returns:
        The figure; None where samples have several classes.
    """
    if not scores.confusion:
        return None
    totals = [max(sum(row), 1) for row in scores.confusion]
    shares = [
        [count / total for count in row]
        for row, total in zip(scores.confusion, totals, strict=True)
    ]
    texts = [
        [
            f"{units.count(count)}<br>{units.percent(share)}"
            for count, share in zip(*pair, strict=True)
        ]
        for pair in zip(scores.confusion, shares, strict=True)
    ]
    shown = [label(each, 16) for each in classes]
    places = list(range(len(shown)))
    trace = {
        "type": "heatmap", "x": places, "y": places, "z": shares, "zmin": 0, "zmax": 1,
        "colorscale": [[0, "$low"], [1, "$high"]], "showscale": False, "xgap": 2, "ygap": 2,
        "hoverinfo": "skip",
    }  # fmt: skip
    ticks = {"tickvals": places, "ticktext": shown, "showgrid": False, "zeroline": False}
    notes = [
        {"x": j, "y": i, "text": text, "showarrow": False, "font": {"size": 11, "color": _ink(s)}}
        for i, (row, share) in enumerate(zip(texts, shares, strict=True))
        for j, (text, s) in enumerate(zip(row, share, strict=True))
    ]
    return Figure(
        titled(f"Confusion matrix: {name}", data),
        words(
            f"annotated {one}, predicted {other}: {units.count(count)}"
            for one, row in zip(classes, scores.confusion, strict=True)
            for other, count in zip(classes, row, strict=True)
        ),
        (trace,),
        {
            "xaxis": axis("predicted class", **ticks),
            "yaxis": axis("annotated class", autorange="reversed", **ticks),
            "annotations": notes,
        },
        height_px=150 + 62 * len(places),
    )


def _ink(share: float) -> str:
    return "$on-high" if share > 0.5 else "$ink"


def worst_records(documents: RunDocuments) -> Table | None:
    """Return the test records whose accuracy changed for the worse most; None without records.

    Args:
        documents: The documents of the run.
    """
    after = documents.model.test.records
    before = documents.baseline.test.records if documents.baseline else {}
    both = [name for name in after if name in before and _beats(after[name])]
    if not both:
        return None
    changes = {name: _accuracy(after[name]) - _accuracy(before[name]) for name in both}
    order = sorted(both, key=lambda name: (changes[name], name))[:_MOST_RECORDS]
    rows: list[Row] = [
        (
            name,
            units.count(_beats(after[name])),
            units.fraction(_accuracy(before[name])),
            units.fraction(_accuracy(after[name])),
            units.change(changes[name]),
            _confused(before[name], after[name], documents.model.classes),
        )
        for name in order
    ]
    return Table(
        title="Records that lost most accuracy",
        data=captions.test(documents.model.data),
        head=("record", "beats", "baseline", "compressed", "change", "most new errors"),
        rows=tuple(rows),
        notes=("A record is a patient or a part of one; all are in the table below.",),
        text_columns=("most new errors",),
    )


Matrix = Sequence[Sequence[int]]


def _beats(matrix: Matrix) -> int:
    return sum(map(sum, matrix))


def _accuracy(matrix: Matrix) -> float:
    return sum(row[i] for i, row in enumerate(matrix)) / max(_beats(matrix), 1)


def _confused(before: Matrix, after: Matrix, classes: Sequence[str]) -> str:
    """Return the cell of the confusion matrix that grew most, in words."""
    grown = [
        (after[i][j] - before[i][j], one, other)
        for i, one in enumerate(classes)
        for j, other in enumerate(classes)
        if i != j
    ]
    if not grown:
        return units.DASH
    most, one, other = max(grown, key=lambda each: each[0])
    return f"{most:+,} {one} as {other}" if most > 0 else "none"
