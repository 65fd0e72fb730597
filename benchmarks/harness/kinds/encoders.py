"""Baselines without learning in their depth, on PTB-XL: random convolutions and a linear head.

The features and heads are those of ``edgeecg/training/random_encoder.py``. A row ``what: encoder``
is one seed, with the strength of the regularisation chosen on fold 9. The row ``what: averaged`` is
the mean probability of the package's two record models and of the encoders of all seeds; nothing is
chosen by its score.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit, logit

from edgeecg.data import DataRequest, Dataset, load_dataset
from edgeecg.evaluation.inference import predict
from edgeecg.evaluation.metrics import score
from edgeecg.evaluation.multilabel import best_thresholds
from edgeecg.models import load
from edgeecg.training.random_encoder import KERNELS, encode, logits_of, scale

from ..experiment import Context, Experiment
from ..reduced import shipped
from ..tasks import Task

PACKAGES = ("torch", "numpy", "scikit-learn")
Logits = list[NDArray[np.float32]]


def tasks(experiment: Experiment, context: Context) -> Iterable[Task]:
    """Return a task for each encoder, and one for the average."""
    strengths = experiment.settings.get("strengths", [])
    for seed in experiment.seeds:
        made = partial(_encoder, seed, strengths)
        yield Task({"what": "encoder", "seed": seed}, made)
    models = experiment.settings.get("averaged", [])
    yield Task({"what": "averaged"}, partial(_averaged, models, experiment.seeds))


@cache
def _dataset() -> Dataset:
    torch.set_num_threads(os.cpu_count() or 1)
    return load_dataset(DataRequest(source="ptbxl", task="records"))


def _encoder(seed: int, strengths: Sequence[float]) -> list[dict[str, Any]]:
    """Encode, fit, choose the regularisation on validation, score the test split."""
    dataset, began = _dataset(), time.monotonic()
    train, val, test = (encode(part.x, seed) for part in (dataset.train, dataset.val, dataset.test))
    scale(train, [val, test])
    y = np.asarray(dataset.train.y, np.float32)
    tried: list[tuple[float, float, Logits]] = []
    for strength in strengths:
        found = logits_of(train, y, [val, test], strength)
        tried.append((score(found[0], dataset, "val").headline[1], strength, found))
    _, strength, (val_logits, test_logits) = max(tried, key=lambda each: each[0])
    thresholds = best_thresholds(val_logits, dataset.val.y)
    return [
        {
            "kernels": KERNELS,
            "inverse_strength_chosen_on_val": strength,
            "test": score(test_logits, dataset, "test", thresholds=thresholds).model_dump(
                mode="json"
            ),
            "data": dataset.summary.model_dump(mode="json"),
            "seconds": round(time.monotonic() - began, 1),
        }
    ]


def _averaged(models: Sequence[str], seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Average, and score folds 9 and 10."""
    dataset = _dataset()
    parts = zip(*_networks(dataset, models), *_encoders(dataset, seeds), strict=True)
    val, test = (logit(np.mean(part, axis=0)).astype(np.float32) for part in parts)
    thresholds = best_thresholds(val, dataset.val.y)
    return [
        {
            "models": list(models),
            "encoder_seeds": list(seeds),
            "val": score(val, dataset, "val").model_dump(mode="json"),
            "test": score(test, dataset, "test", thresholds=thresholds).model_dump(mode="json"),
            "data": dataset.summary.model_dump(mode="json"),
        }
    ]


def _networks(dataset: Dataset, models: Sequence[str]) -> list[Logits]:
    """Return the probabilities on folds 9 and 10 of the package's networks."""
    found: list[Logits] = []
    for name in models:
        model = load(*shipped(name))
        found.append([expit(predict(model, part.x)) for part in (dataset.val, dataset.test)])
    return found


def _encoders(dataset: Dataset, seeds: Sequence[int]) -> list[Logits]:
    """Return the probabilities on folds 9 and 10 of the random encoders."""
    y = np.asarray(dataset.train.y, np.float32)
    found: list[Logits] = []
    for seed in seeds:
        train, *others = (encode(p.x, seed) for p in (dataset.train, dataset.val, dataset.test))
        scale(train, others)
        found.append([expit(each) for each in logits_of(train, y, others)])
    return found
