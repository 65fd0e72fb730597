"""The tables of ``edgeecg evaluate``: scores by class, overall scores, confusion matrix."""

from __future__ import annotations

from edgeecg.reporting import captions, units
from edgeecg.reporting.tables import Row, Table
from edgeecg.schema import ClassScore, DataSummary, Ec57, Fidelity, Scores
from edgeecg.statistics import confusion

_EC57 = (
    "EC57: F and Q beats are classified, too. An F or Q beat classified as V is not a false "
    "positive of V, nor a Q beat classified as S one of S; every other class given to them counts."
)
_INTERVALS = "95 % intervals are bootstrap intervals over patients."
_NO_INTERVALS = "There are no intervals: they need records of several patients."
_HALF = "F1 is at a probability of 0.50; the thresholds were chosen on validation records."


def tables(scored: Scores, data: DataSummary, fidelity: Fidelity | None = None) -> list[Table]:
    """Return the tables of an evaluation.

    Args:
        scored: The scores.
        data: The records that they were computed on.
        fidelity: How often the model decides as its dense model, or None.
    """
    agreement = [] if fidelity is None else [_fidelity(fidelity, scored, data)]
    if scored.task == "records":
        return [_labels(scored, data), _means(scored, data), *agreement]
    return [_beats(scored, data), _means(scored, data), *agreement, _confusion(scored, data)]


def _fidelity(found: Fidelity, scored: Scores, data: DataSummary) -> Table:
    shares = {
        **{f"{name} (by the dense model)": each for name, each in found.per_class.items()},
        "all": found.overall,
    }
    if found.worst_record is not None:
        name, of_record = found.worst_record
        shares[f"worst record: {name}"] = of_record
    return Table(
        title="Fidelity: decided as the dense model does",
        data=captions.split(data, scored.split),
        head=("", scored.task, "fidelity"),
        rows=tuple(
            (
                name,
                units.count(each.n),
                units.DASH if each.fidelity is None else units.fraction(each.fidelity),
            )
            for name, each in shares.items()
        ),
    )


def _beats(scored: Scores, data: DataSummary) -> Table:
    ec57 = scored.ec57
    rows = [
        _beats_row(name, each, ec57.per_class.get(name) if ec57 else None)
        for name, each in scored.per_class.items()
    ]
    rows += [_beats_row(d.label, d.rest, None) for d in confusion.dominant_records(scored)]
    return Table(
        title="Scores by class",
        data=captions.split(data, scored.split),
        head=("class", "beats", "Se", "+P", "F1", "EC57 +P", "EC57 F1"),
        rows=tuple(rows),
        notes=((_EC57,) if ec57 else ()),
    )


def _beats_row(name: str, plain: ClassScore, ec57: ClassScore | None) -> Row:
    return (
        name,
        units.count(plain.support),
        *(units.fraction(value) for value in (plain.recall, plain.precision, plain.f1)),
        *(
            (units.DASH, units.DASH)
            if ec57 is None
            else (units.fraction(ec57.precision), units.fraction(ec57.f1))
        ),
    )


def _labels(scored: Scores, data: DataSummary) -> Table:
    rows = tuple(
        (
            name,
            units.count(each.support),
            *(
                units.DASH if value is None else units.fraction(value)
                for value in (
                    each.auroc,
                    each.auprc,
                    each.f1,
                    each.threshold,
                    each.f1_at_threshold,
                )
            ),
        )
        for name, each in scored.per_class.items()
    )
    return Table(
        title="Scores by class",
        data=captions.split(data, scored.split),
        head=("class", "records", "AUROC", "AUPRC", "F1", "threshold", "F1 there"),
        rows=rows,
        notes=(_HALF,),
    )


def _means(scored: Scores, data: DataSummary) -> Table:
    rightly = "accuracy" if scored.task == "beats" else "all classes right"
    found = (
        ("macro AUROC", scored.macro_auroc, scored.macro_auroc_ci95),
        ("macro AUPRC", scored.macro_auprc, scored.macro_auprc_ci95),
        ("macro-F1", scored.macro_f1, scored.macro_f1_ci95),
        (
            "macro-F1 at thresholds",
            scored.macro_f1_at_threshold,
            scored.macro_f1_at_threshold_ci95,
        ),
        (rightly, scored.accuracy, scored.accuracy_ci95),
    )
    return Table(
        title=f"Over all {units.count(scored.n)} {scored.task}",
        data=captions.split(data, scored.split),
        head=("score", "value", "95 % interval"),
        rows=tuple(
            (name, units.fraction(value), units.interval(bounds) or units.MISSING)
            for name, value, bounds in found
            if value is not None
        ),
        notes=(
            _NO_INTERVALS if scored.headline_ci95 is None else _INTERVALS,
            *captions.footnotes(data),
        ),
    )


def _confusion(scored: Scores, data: DataSummary) -> Table:
    names = tuple(scored.per_class)
    rows = [
        (name, *map(units.count, row)) for name, row in zip(names, scored.confusion, strict=True)
    ]
    return Table(
        title="Confusion matrix: annotated class down, predicted class across",
        data=captions.split(data, scored.split),
        head=("", *names),
        rows=(*rows, *_outside(scored.ec57, names)),
    )


def _outside(ec57: Ec57 | None, names: Row) -> list[Row]:
    called = ec57.called if ec57 else {}
    return [
        (group, *(units.count(row[name]) for name in names))
        for group, row in called.items()
        if any(row.values())
    ]
