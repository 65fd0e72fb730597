"""The summary of a run or of many variants in a sentence or two."""

from __future__ import annotations

from collections.abc import Sequence

from edgeecg.reporting import units
from edgeecg.reporting.rows import Comparison, FileRow
from edgeecg.reporting.tables import change as change_text
from edgeecg.reporting.variants import Variant
from edgeecg.schema import Scores
from edgeecg.statistics import changes
from edgeecg.statistics.changes import Change

NO_REFERENCE = "There is no dense file with scores on the same records to compare with."


def of_run(comparison: Comparison, row: FileRow | None) -> tuple[str, ...]:
    """Return the verdict on the smallest compressed file of a run.

    Args:
        comparison: The figures of the run.
        row: The file, or None where none was exported.
    """
    score = comparison.models[-1].headline if row is None else row.headline
    name = "The compressed PyTorch model" if row is None else f"The file {row.label}"
    return (
        f"{name}: {_of_score(score.name, score.change, score.ci95)}. {_gains(comparison, row)}",
    )


def of_classes(before: Scores | None, after: Scores) -> tuple[str, ...]:
    """Return the class that lost most, which a mean over all classes can hide; none for a tie.

    Args:
        before: Test scores of the dense model, or None.
        after: Test scores of the compressed model.
    """
    if before is None or before.task != after.task:
        return ()
    name = "AUROC" if after.task == "records" else "recall"
    losses: dict[str, tuple[float, float]] = {}
    for label in before.per_class.keys() & after.per_class.keys():
        ends = before.per_class[label], after.per_class[label]
        if after.task == "records":
            if ends[0].auroc is not None and ends[1].auroc is not None:
                losses[label] = ends[0].auroc, ends[1].auroc
        else:
            losses[label] = ends[0].recall, ends[1].recall
    worst = max(sorted(losses), key=lambda each: losses[each][0] - losses[each][1], default=None)
    if worst is None or losses[worst][0] - losses[worst][1] <= changes.MARGIN:
        return ()
    one, other = map(units.fraction, losses[worst])
    return (
        f"Of the classes, {worst} lost most: its {name} was {one} in the dense model and is "
        f"{other} in the compressed one.",
    )


def _of_score(name: str, change: float | None, ci95: tuple[float, float] | None) -> str:
    if change is None:
        return f"{name} cannot be compared with that of the baseline"
    if ci95 is None:
        return f"{name} changed by {units.change(change)}; its uncertainty is not known"
    found = Change(change, ci95)
    spread = f"{units.change(change)} {units.interval(ci95)}"
    if found.outcome == "identical":
        return f"{name} is that of the baseline: both decide alike on every record ({spread})"
    if found.tie:
        return f"{name} is a tie with the baseline's ({spread})"
    if found.outcome == "not resolved":
        return f"the change of {name} is not resolved: there are too few patients ({spread})"
    side = "better" if change > 0 else "worse"
    return f"{name} is {side} than the baseline's ({spread})"


def _gains(comparison: Comparison, row: FileRow | None) -> str:
    if row is None:
        return "No file is exported yet, so nothing is measured."
    base = next(
        (
            each
            for each in comparison.files
            if (each.role, each.dtype, each.format) == ("baseline", "float32", row.format)
        ),
        None,
    )
    parts: list[str] = []
    if base is not None and base.size_bytes:
        parts.append(f"size {units.ratio(row.size_bytes / base.size_bytes)}")
    m = row.measured
    if m is None:
        parts.append("latency and energy not measured")
    else:
        ratio = m.latency_ratio
        latency, energy = _names(m.emulated, m.energy.replayed)
        parts.append(
            "latency not comparable" if ratio is None else f"{latency} {units.ratio(ratio)}"
        )
        parts.append(
            f"energy {m.energy.tier}"
            if m.energy_ratio is None
            else f"{energy} {units.ratio(m.energy_ratio)}"
        )
    return f"Relative to the dense float32 file: {', '.join(parts)}."


def _names(emulated: bool, replayed: bool) -> tuple[str, str]:
    """Return what latency and energy are called: measured only where a device was measured."""
    where = " in an emulator" if emulated else ""
    energy = "net energy from replayed values of a meter" if replayed else "measured net energy"
    return f"measured latency{where}", energy + where


def score_change(variant: Variant) -> Change | None:
    """Return how much the main score differs from that of the dense file, or None.

    Args:
        variant: The variant.
    """
    before, after = variant.dense and variant.dense.subject.scores, variant.subject.scores
    if before is None or after is None:
        return None
    if after.task == "records":
        return changes.macro_auroc_change(before, after)
    return changes.macro_f1_change(before, after)


def of_variants(
    variants: Sequence[Variant], differences: Sequence[Change | None]
) -> tuple[str, ...]:
    """Return which variant costs least of those that are not worse than their dense file.

    Args:
        variants: The variants.
        differences: What :func:`score_change` returns for each.
    """
    kept = [
        (variant, change)
        for variant, change in zip(variants, differences, strict=True)
        if change is not None
        and change.ci95 is not None
        and (change.outcome != "different" or change.value > 0)
    ]
    compared = [change for change in differences if change is not None]
    if not compared:
        return (f"{_counted(len(variants))}. {NO_REFERENCE}",)
    known = [change for change in compared if change.ci95 is not None]
    if not known:
        return (
            f"{_counted(len(variants))}. Scores of {len(compared)} can be compared with a dense "
            "file, without an interval: which differences are ties is not known.",
        )
    worse = len(known) - len(kept)
    text = (
        f"{len(known)} of {len(variants)} variants can be compared in score with "
        f"{'its' if len(known) == 1 else 'their'} dense file; {_worse(worse)}."
    )
    if not kept:
        return (text,)
    best, change = min(kept, key=lambda pair: _cost(pair[0]))
    return (
        f"{text} Of {'the others' if worse else 'these'}, {best.subject.name} costs least: "
        f"{_cost_text(best)}; its score changed by {change_text(change.value, change.ci95)}.",
    )


def _counted(number: int) -> str:
    return "One variant" if number == 1 else f"{number} variants"


def _worse(number: int) -> str:
    if not number:
        return "none is shown to be worse"
    return f"{number} {'is' if number == 1 else 'are'} worse"


def _cost(variant: Variant) -> tuple[int, float]:
    """Return a cost to sort by: measured energy, else latency, each relative, else size."""
    predicted = variant.prediction
    if predicted is not None and predicted.energy_ratio is not None:
        return 0, predicted.energy_ratio
    if predicted is not None and predicted.latency_ratio is not None:
        return 1, predicted.latency_ratio
    return 2, variant.subject.size_bytes or 0


def _cost_text(variant: Variant) -> str:
    kind, value = _cost(variant)
    if kind == 2:
        return f"{units.size(variant.subject.size_bytes)}, not measured"
    result = variant.subject.result
    latency, energy = (
        _names(False, False)
        if result is None
        else _names(result.device.emulated, result.energy.replayed)
    )
    return f"{(energy, latency)[kind]} {units.ratio(value)} dense float32"
