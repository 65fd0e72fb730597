"""Differences of two models' scores, with paired bootstrap intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scored_records import Rows, scores

from edgeecg.statistics.changes import macro_auroc_change, macro_f1_change, outcome


def noisy(seed: int, gain: int) -> dict[str, Rows]:
    """Twelve records with random errors, ``gain`` fewer of each kind."""
    draw = np.random.default_rng(seed)
    made: dict[str, Rows] = {}
    for n in range(12):
        errors = [max(0, int(e) - gain) for e in draw.integers(5, 60, 3)]
        made[f"r{n}"] = (
            (300 - errors[0], errors[0], 0),
            (errors[1], 100 - errors[1], 0),
            (errors[2], 0, 100 - errors[2]),
        )
    return made


def test_a_model_that_is_better_on_every_record_is_no_tie() -> None:
    change = macro_f1_change(scores(noisy(1, 0)), scores(noisy(1, 4)))
    assert change.ci95 is not None
    assert change.value > 0
    assert change.ci95[0] > 0
    assert change.outcome == "different"
    assert change.tie is False


def test_a_chance_difference_of_few_records_is_not_resolved() -> None:
    change = macro_f1_change(scores(noisy(1, 0)), scores(noisy(2, 0)))
    assert change.ci95 is not None
    assert change.ci95[0] <= change.value <= change.ci95[1]
    assert change.outcome == "not resolved"
    assert change.tie is False


def test_a_model_beside_itself_is_identical() -> None:
    change = macro_f1_change(scores(noisy(1, 0)), scores(noisy(1, 0)))
    assert change.ci95 == (0, 0)
    assert change.outcome == "identical"
    assert change.tie is True


@pytest.mark.parametrize(
    ("ci95", "said"),
    [
        ((-0.096, 0.024), "not resolved"),
        ((-0.01, 0.01), "tie"),
        ((-0.0101, 0.005), "not resolved"),
        ((-0.002, 0.0101), "not resolved"),
        ((0.001, 0.009), "tie"),
        ((0.001, 0.011), "different"),
        ((-0.03, -0.001), "different"),
        ((0.0, 0.0), "identical"),
    ],
)
def test_a_tie_is_an_interval_within_a_hundredth(ci95: tuple[float, float], said: str) -> None:
    assert outcome(ci95) == said


def test_the_interval_is_that_of_a_plain_paired_bootstrap() -> None:
    # The same draws, each resample summed and scored on its own.
    before = {name: rows for name, rows in list(noisy(3, 0).items())[:6]}
    after = {name: rows for name, rows in list(noisy(3, 8).items())[:6]}
    draws = np.random.default_rng(0).multinomial(6, np.full(6, 1 / 6), size=2000).tolist()

    def f1_of(records: dict[str, Rows], draw: list[int]) -> float:
        total = np.zeros((3, 3))
        for times, name in zip(draw, sorted(records), strict=True):
            total += times * np.array(records[name])
        precision = [total[i, i] / total[:, i].sum() for i in range(3)]
        recall = [total[i, i] / total[i].sum() for i in range(3)]
        return sum(2 * p * r / (p + r) for p, r in zip(precision, recall, strict=True)) / 3

    differences = [f1_of(after, draw) - f1_of(before, draw) for draw in draws]
    change = macro_f1_change(scores(before), scores(after))
    assert change.ci95 == pytest.approx(np.percentile(differences, [2.5, 97.5]))


def test_a_handful_of_records_gives_no_interval() -> None:
    few = {name: rows for name, rows in list(noisy(1, 0).items())[:4]}
    better = {name: rows for name, rows in list(noisy(1, 4).items())[:4]}
    change = macro_f1_change(scores(few), scores(better))
    assert change.value > 0
    assert change.ci95 is None
    assert change.reason == "Fewer than 5 records are too few to resample."


def test_scores_of_other_beats_give_no_interval() -> None:
    whole = noisy(1, 0)
    part = {name: whole[name] for name in list(whole)[:6]}
    change = macro_f1_change(scores(whole), scores(part))
    assert change.ci95 is None
    assert change.tie is None
    assert change.reason == "The two were not scored on the same beats."


def test_scores_of_beats_have_no_auroc_change() -> None:
    assert macro_auroc_change(scores(noisy(1, 0)), scores(noisy(1, 0))) is None


def test_an_auroc_change_has_no_interval() -> None:
    before, after = (
        scores(noisy(1, 0)).model_copy(update={"macro_auroc": value}) for value in (0.92, 0.89)
    )
    change = macro_auroc_change(before, after)
    assert change is not None
    assert change.value == pytest.approx(-0.03)
    assert change.ci95 is None
    assert change.reason is not None
