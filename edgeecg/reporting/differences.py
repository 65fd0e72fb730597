"""Comparing the results of runs, bench reports and evaluations: what ``edgeecg compare`` does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeecg import arguments
from edgeecg.errors import UsageError
from edgeecg.reporting import fail_if as conditions_of, named_results, quantities
from edgeecg.reporting.difference_rows import ComparedPair, Differences
from edgeecg.reporting.subjects import Subject

_FORCED = "Compared by request although they are not alike"


def compare(
    before: str | Path,
    after: str | Path,
    *others: str | Path,
    fail_if: Sequence[str] | str = (),
    fail_on_ties: bool = False,
    force: bool = False,
) -> Differences:
    """Compare results with those of a reference, and call a difference one only where it is.

    A difference of a score is one where its paired bootstrap interval over records leaves out
    zero; of a latency, where an interval over the rounds of the measurement leaves out 1; of an
    energy, where the interval of both measurements does. Everything else is a tie, or not resolved.

    Args:
        before: The reference: the name or folder of a run, or a JSON file that ``bench --json`` or
            ``evaluate --json`` wrote; with ``#LABEL`` after it, one of its results.
        after: What is compared with it.
        others: More of these.
        fail_if: Conditions such as ``"p50 > 1.05x"`` or ``"recall.S < -0.02"``.
        fail_on_ties: Whether a condition can fail on values whose interval contains no change.
        force: Compare results of different devices, test sets and so on, too.

    Returns:
        The quantities of every pair of results, and the outcome of every condition.

    Raises:
        UsageError: A condition cannot be parsed, or the sources have no result in common.
        SchemaError: A document is damaged or is something else.
        EdgeECGError: There is no such run or file, or it cannot be read.
    """
    texts = arguments.listed("fail_if", fail_if, "fail_if=['p50 > 1.05x']")
    conditions = [conditions_of.parse(text) for text in texts]
    names = [str(each) for each in (before, after, *others)]
    read = [named_results.read(name) for name in names]
    pairs = [
        _compared(pair, force)
        for name, other in zip(names[1:], read[1:], strict=True)
        for pair in _pairs(read[0], other, names[0], name)
    ]
    results = conditions_of.check(conditions, pairs, fail_on_ties)
    return Differences(
        pairs=tuple(pairs),
        conditions=tuple(results),
        failed=any(each.outcome == "failed" for each in results),
    )


@dataclass(frozen=True)
class _Pair:
    """Two results to compare, and notes on measurements that are left out beside them."""

    before: Subject
    after: Subject
    left_out: tuple[str, ...] = ()


def _pairs(
    first: Sequence[Subject], second: Sequence[Subject], reference: str, other: str
) -> list[_Pair]:
    """Return what is compared with what: equal labels in equal setups on equal hosts.

    Where no setup of a label is equal, its first results are compared, and what may not be
    compared is refused then. Two sources with one label each are compared whatever those are.
    """
    labels = [list(dict.fromkeys(each.label for each in source)) for source in (first, second)]
    for name, here in ((reference, labels[0]), (other, labels[1])):
        if not here:
            raise UsageError(
                f"'{name}' has no result.",
                "It holds no measurement.",
                "Measure again: edgeecg bench FILE --json OUT.json",
            )
    single = len(labels[0]) == len(labels[1]) == 1
    found: list[_Pair] = []
    for label in labels[0]:
        here = [each for each in first if each.label == label]
        there = [each for each in second if single or each.label == label]
        found += _in_equal_setups(here, there) or [_Pair(here[0], there[0])] if there else []
    if not found:
        raise UsageError(
            f"'{reference}' and '{other}' have no result in common.",
            f"The first has {', '.join(labels[0])}; the second has {', '.join(labels[1])}.",
            "Name one result of each after a '#', "
            f"e.g. '{reference}#{first[0].label.replace(' ', '-')}'.",
        )
    return found


def _in_equal_setups(here: Sequence[Subject], there: Sequence[Subject]) -> list[_Pair]:
    """Return the pairs of each setup host by host, or the first two where no host is in both."""
    found: list[_Pair] = []
    for setup in dict.fromkeys(each.setup for each in here):
        one, two = _by_host(here, setup), _by_host(there, setup)
        hosts = [(host, host) for host in one if host in two]
        if not hosts and two:
            hosts = [(next(iter(one)), next(iter(two)))]
        left_out = (
            *_left_out("A", [host for host in one if host not in dict(hosts)], "B"),
            *_left_out("B", [host for host in two if host not in dict(hosts).values()], "A"),
        )
        for before, after in hosts:
            found.append(_Pair(one[before], two[after], left_out))
            left_out = ()
    return found


def _left_out(side: str, hosts: Sequence[str | None], other: str) -> list[str]:
    places = ["without --on" if host is None else f"on {host}" for host in hosts]
    return [f"{side}: its measurement {each} is left out; {other} has none." for each in places]


def _by_host(
    subjects: Sequence[Subject], setup: tuple[str | None, ...]
) -> dict[str | None, Subject]:
    """Return the first result of every host in a setup."""
    found: dict[str | None, Subject] = {}
    for each in subjects:
        if each.setup == setup:
            found.setdefault(each.host, each)
    return found


def _compared(pair: _Pair, force: bool) -> ComparedPair:
    before, after = pair.before, pair.after
    changes = quantities.changes_of(before, after, force)
    forced = dict.fromkeys(each.forced for each in changes if each.forced)
    return ComparedPair(
        before=before.source,
        before_label=before.label,
        after=after.source,
        after_label=after.label,
        changes=changes,
        notes=(
            *(f"{_FORCED}: {reason[0].lower()}{reason[1:]}" for reason in forced),
            *_both(_notes(before), _notes(after)),
            *pair.left_out,
        ),
    )


def _both(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """Return the notes on two results, those on both once."""
    return [
        f"{'A and B' if text in before and text in after else 'A' if text in before else 'B'}{text}"
        for text in dict.fromkeys((*before, *after))
    ]


def _notes(subject: Subject) -> list[str]:
    """Return what a reader of the figures of one result should know, to follow its name."""
    found: list[str] = []
    if subject.host is not None:
        found.append(f": measured on {subject.host}.")
    if subject.scores is not None and subject.scores.data == "synthetic":
        found.append(": synthetic records; the scores say nothing about patients.")
    if subject.result is not None and subject.result.device.emulated:
        found.append(": an emulated device; the times are not those of the board.")
    if subject.result is not None and subject.result.energy.replayed:
        found.append(": the values of the meter were a recording or a simulation.")
    if subject.report is not None:
        found += [f", a warning of the measurement: {w}" for w in subject.report.warnings]
    found += [f", a file of it that was left out: {why}" for why in subject.unreadable]
    return found
