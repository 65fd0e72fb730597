"""Which trials beat which, and how much a front covers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import cast

import numpy as np
import pytest
from optuna import _hypervolume

from edgeecg.tuning import pareto

BOTH = ("macro_f1", "energy")


def test_the_front_is_what_no_other_trial_beats() -> None:
    points = {
        "best score": (0.90, 0.8),
        "cheapest": (0.70, 0.2),
        "between": (0.85, 0.4),
        "worse in both": (0.84, 0.5),
        "same score, dearer": (0.70, 0.3),
    }
    found = pareto.front(points, BOTH)
    assert found == ["best score", "between", "cheapest"]


def test_equal_trials_are_both_on_the_front() -> None:
    assert pareto.front({"b": (0.9, 0.5), "a": (0.9, 0.5)}, BOTH) == ["a", "b"]


def test_the_hypervolume_is_the_area_between_the_front_and_the_reference() -> None:
    # Two rectangles: 0.5 x 0.2 (score 0.9 down to 0.4, energy 0.8 to 1.0), and 0.3 x 0.4 of which
    # 0.3 x 0.4 lies below it (score 0.7 down to 0.4, energy 0.4 to 0.8).
    points = [(0.9, 0.8), (0.7, 0.4), (0.6, 0.9), (0.3, 0.1)]
    found = pareto.hypervolume(points, (0.4, 1.0), BOTH)
    assert found == pytest.approx(0.5 * 0.2 + 0.3 * 0.4)
    assert pareto.hypervolume([], (0.4, 1.0), BOTH) == 0


def test_the_hypervolume_agrees_with_that_of_optuna_in_three_dimensions() -> None:
    rng = np.random.default_rng(1)
    points = rng.random((12, 3))
    losses = points * (-1, 1, 1)
    compute = cast("Callable[..., float]", _hypervolume.compute_hypervolume)
    expected = compute(losses, np.array([0.0, 1.0, 1.0]))
    three = ("macro_f1", "energy", "size")
    found = pareto.hypervolume([tuple(each) for each in points], (0, 1, 1), three)
    assert math.isclose(found, expected, rel_tol=1e-9)
