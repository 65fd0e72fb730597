"""The difference of two models' scores, with a paired bootstrap interval over records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgeecg.schema import Scores
from edgeecg.statistics import bootstrap, confusion

MARGIN = 0.01
"""Scores that differ by less than this are as good as each other."""

Outcome = Literal["identical", "tie", "not resolved", "different"]
"""What the interval of a change says.

- ``"identical"``: no record's confusion matrix differs, so that every resample gives 0.
- ``"tie"``: the whole interval lies within :data:`MARGIN` of 0: the change, if any, is negligible.
- ``"not resolved"``: the interval contains 0 and changes that matter: there are too few patients to
  tell.
- ``"different"``: neither.
"""

_FEWEST_RECORDS = 5


@dataclass(frozen=True)
class Change:
    """Difference of two scores on the same beats or records.

    Attributes:
        value: Second minus first.
        ci95: Paired bootstrap 95 % interval over records, or None.
        reason: Why there is no interval, or None.
    """

    value: float
    ci95: tuple[float, float] | None
    reason: str | None = None

    @property
    def outcome(self) -> Outcome | None:
        """What the interval says; None without an interval."""
        return None if self.ci95 is None else outcome(self.ci95)

    @property
    def tie(self) -> bool | None:
        """Whether the two are as good as each other; None without an interval."""
        return None if self.ci95 is None else self.outcome in ("identical", "tie")


def outcome(ci95: tuple[float, float]) -> Outcome:
    """Return what the interval of a change of a score says.

    Args:
        ci95: The paired 95 % interval of the difference.
    """
    low, high = ci95
    if low == high == 0:
        return "identical"
    if low >= -MARGIN and high <= MARGIN:
        return "tie"
    return "not resolved" if low <= 0 <= high else "different"


def macro_f1_change(before: Scores, after: Scores) -> Change:
    """Return how much macro-F1 changed, with a paired bootstrap interval over records.

    The same draws of records serve both models, because both were scored on the same beats.

    Args:
        before: Scores of the first model.
        after: Scores of the second model on the same records.

    Returns:
        The difference; without an interval where the two were not scored on the same beats, or on
        fewer than five records.
    """
    return score_change(before, after, after.macro_f1 - before.macro_f1, confusion.macro_f1)


def score_change(
    before: Scores,
    after: Scores,
    value: float,
    statistic: Callable[[confusion.Counts], NDArray[np.float64]],
) -> Change:
    """Return how much a score changed, with a paired bootstrap interval over records.

    The same draws of records serve both models, because both were scored on the same beats.

    Args:
        before: Scores of the first model.
        after: Scores of the second model on the same records.
        value: The change of the score itself: second minus first.
        statistic: Returns the score of confusion matrices ``(..., classes, classes)``, as
            ``(...)``; NaN where the matrices have no such score.

    Returns:
        The difference; without an interval where the two were not scored on the same beats, or on
        fewer than five records.
    """
    if before.data != after.data or before.split != after.split or before.n != after.n:
        return Change(value, None, "The two were not scored on the same beats.")
    if before.records.keys() != after.records.keys():
        return Change(value, None, "The two were not scored on the same records.")
    if not before.records:
        return Change(value, None, "The scores do not contain the results for single records.")
    if len(before.records) < _FEWEST_RECORDS:
        return Change(value, None, f"Fewer than {_FEWEST_RECORDS} records are too few to resample.")
    first, second = confusion.stacked(before), confusion.stacked(after)
    if not np.array_equal(first.sum(axis=-1), second.sum(axis=-1)):
        return Change(value, None, "The two were not scored on the same beats.")
    draws = bootstrap.draw_counts(len(first))
    resampled = [statistic(np.tensordot(draws, each, 1)) for each in (first, second)]
    differences = resampled[1] - resampled[0]
    if np.isnan(differences).all():
        return Change(value, None, "No record has a beat of the class.")
    return Change(value, bootstrap.interval(differences))


def macro_auroc_change(before: Scores, after: Scores) -> Change | None:
    """Return how much macro AUROC changed; None where one of the two has none.

    There is no interval: the scores do not contain the outputs for single records, which a paired
    bootstrap needs.
    """
    if before.macro_auroc is None or after.macro_auroc is None:
        return None
    reason = "The scores do not contain the outputs for single records."
    return Change(after.macro_auroc - before.macro_auroc, None, reason)
