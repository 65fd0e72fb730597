"""Trains the dense models, as a user would, into ``runs/baseline-MODEL-SEED``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from edgeecg.schema import Scores
from edgeecg.statistics.confusion import class_score, without_record

from ..dense_models import card_of, run_of, trained
from ..experiment import Context, Experiment
from ..tasks import Task

PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "wfdb", "accelerate")


def tasks(experiment: Experiment, context: Context) -> Iterable[Task]:
    """Return a task for each model and seed."""
    for run in experiment.runs:
        for seed in experiment.seeds:
            model = run.model or run.label
            done = run_of(model, seed).baseline_card.is_file()
            made = partial(_row, model, seed, context.quick, run.options)
            key = {"model": model, "seed": seed}
            yield Task(key, made, quickly=done, group=(model, seed))


def _row(model: str, seed: int, quick: bool, options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return everything worth keeping of one seed."""
    card = card_of(trained(model, seed, quick, options))
    return [
        {
            "dataset": card.data.source,
            "split": card.data.class_map,
            "parameters": card.parameters,
            "macs": card.macs,
            "n": card.test.n,
            "training": card.training.model_dump(mode="json", exclude={"seed"}),
            "preprocessing": card.preprocessing.model_dump(mode="json"),
            "notes": card.data.notes,
            "content_sha256": card.data.content_sha256,
            "classes": card.classes,
            "epochs": card.epochs,
            "weights_sha256": card.weights_sha256,
            "val": card.val.model_dump(mode="json", exclude={"records"}),
            "test": card.test.model_dump(mode="json", exclude={"records"}),
            "s_recall_without_232": _without_232(card.test),
            "trained_by": card.git_revision,
        }
    ]


def _without_232(scores: Scores) -> float | None:
    """Return recall of S on the test records other than 232, which holds three quarters of them."""
    rest = without_record(scores, "232")
    return None if rest is None else class_score(rest, tuple(scores.per_class).index("S")).recall
