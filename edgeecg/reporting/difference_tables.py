"""The tables of ``edgeecg compare``, for a terminal and as Markdown."""

from __future__ import annotations

from edgeecg.reporting import markdown, units
from edgeecg.reporting.difference_rows import (
    ComparedPair,
    ConditionResult,
    Differences,
    QuantityChange,
)
from edgeecg.reporting.tables import Notes, Row, Table
from edgeecg.statistics import changes

_NAMES = {
    "macro_f1": "macro-F1",
    "macro_auroc": "macro AUROC",
    "macro_auprc": "macro AUPRC",
    "macs": "MACs",
    "proxy_executed": "proxy, executed",
    "proxy_ideal": "proxy, ideal",
    "energy": "energy, measured",
    "auroc": "AUROC",
}
_OUTCOMES = {"failed": "Failed", "passed": "Passed", "tie": "Not failed", "unknown": "Not checked"}


def tables(found: Differences) -> list[Table]:
    """Return one table for each pair of results."""
    return [_table(pair) for pair in found.pairs]


def _table(pair: ComparedPair) -> Table:
    notes = Notes()
    rows = tuple(_row(change, notes) for change in pair.changes)
    bases = dict.fromkeys(each.basis for each in pair.changes if each.basis)
    return Table(
        title=f"B against A: {pair.after_label}",
        data="",
        head=("", "A", "B", "change", "95 % interval", "B is"),
        rows=rows,
        notes=(
            f"A: {pair.before}, {pair.before_label}",
            f"B: {pair.after}, {pair.after_label}",
            *notes.lines(),
            *(f"Interval of {basis}." for basis in bases),
            *pair.notes,
        ),
    )


def name(change: QuantityChange) -> str:
    """Return the name of a quantity in words, e.g. ``"recall of S"``.

    Args:
        change: The quantity.
    """
    kind, _, class_name = change.quantity.partition(".")
    shown = _NAMES.get(kind, kind)
    return f"{shown} of {class_name}" if class_name else shown


def verdict(change: QuantityChange) -> str:
    """Return what the change is called.

    Args:
        change: The quantity.
    """
    if change.refused:
        return "refused"
    if change.verdict == "tie" and change.unit == "score" and change.ci95 is not None:
        # A difference that the interval does not rule out is a tie only where none that matters is.
        return changes.outcome(change.ci95)
    return change.verdict


def _row(change: QuantityChange, notes: Notes) -> Row:
    called = verdict(change)
    called = notes.mark(units.DASH if called == "not compared" else called, change.reason)
    if change.forced:
        called = f"{called}, forced"
    return (
        name(change),
        _value(change.before, change),
        _value(change.after, change),
        _difference(change),
        _interval(change),
        called,
    )


def _value(value: float | None, change: QuantityChange) -> str:
    if value is None:
        return "not measured" if change.unit in ("s", "J", "instructions") else units.DASH
    shown = {
        "score": units.fraction,
        "s": units.seconds,
        "J": units.joules,
        "proxy": units.significant,
    }.get(change.unit)
    if shown is not None:
        return shown(value)
    whole = {"B": units.size, "MACs": units.macs}.get(change.unit, units.count)
    return whole(round(value))


def _difference(change: QuantityChange) -> str:
    if change.difference is None:
        return units.DASH
    if change.unit == "score":
        return units.change(change.difference)
    return units.DASH if change.ratio is None else units.ratio(change.ratio)


def _interval(change: QuantityChange) -> str:
    if change.ci95 is None:
        return "exact" if change.exact and change.difference is not None else units.DASH
    if change.unit == "score":
        return units.interval(change.ci95)
    low, high = change.ci95
    return f"[{units.significant(low)}, {units.significant(high)}]"


def outcome(result: ConditionResult) -> str:
    """Return the outcome of a condition as a line.

    Args:
        result: The outcome.
    """
    return (
        f"{_OUTCOMES[result.outcome]}: '{result.condition}' of {result.after} "
        f"against {result.before}: {result.text}"
    )


def refusals(found: Differences) -> list[str]:
    """Return a line for each reason why quantities of a pair were refused.

    Args:
        found: The comparison.
    """
    grouped: dict[tuple[str, str], list[str]] = {}
    for pair, change in found.refused:
        which = f"{pair.after}, {pair.after_label} against {pair.before}, {pair.before_label}"
        grouped.setdefault((which, change.reason or ""), []).append(change.quantity)
    return [
        f"Refused: {', '.join(names)} of {which}. {reason}"
        for (which, reason), names in grouped.items()
    ]


def as_markdown(found: Differences) -> str:
    """Return the comparison as Markdown, e.g. for a comment on a pull request.

    Args:
        found: The comparison.
    """
    lines: list[str] = []
    if found.conditions:
        lines += [f"- {markdown.escaped(outcome(result))}" for result in found.conditions]
        lines.append("")
    for table in tables(found):
        lines += markdown.table(table)
    return markdown.text(lines)
