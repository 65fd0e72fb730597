"""What averaging adds on PTB-XL: the models err differently.

The mean probability of the package's two record models and three random encoders with linear heads,
fitted to folds 1 to 8. One figure, not a bound. Nothing is chosen by its score::

    EDGEECG_DATA=../shared/data python benchmarks/averaged.py
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from baselines import SEEDS
from numpy.typing import NDArray
from run_provenance import machine, versions
from scipy.special import expit, logit

from edgeecg.data import DataRequest, Dataset, load_dataset
from edgeecg.evaluation.inference import predict
from edgeecg.evaluation.metrics import score
from edgeecg.evaluation.multilabel import best_thresholds
from edgeecg.files import write_text
from edgeecg.models import load, shipped
from edgeecg.runs import git_revision
from edgeecg.training.random_encoder import encode, logits_of, scale

RESULT = Path(__file__).resolve().parent / "results" / "averaged.json"
MODELS = ("resnet1d_se_attn", "conv_transformer")


def networks(dataset: Dataset) -> list[list[NDArray[np.float32]]]:
    """Return the probabilities on folds 9 and 10 of the package's networks."""
    found: list[list[NDArray[np.float32]]] = []
    for name in MODELS:
        ready = shipped(name)
        assert ready is not None, f"the package has no weights of {name}"
        model = load(*ready)
        found.append([expit(predict(model, part.x)) for part in (dataset.val, dataset.test)])
    return found


def encoders(dataset: Dataset) -> list[list[NDArray[np.float32]]]:
    """Return the probabilities on folds 9 and 10 of the random encoders."""
    y = np.asarray(dataset.train.y, np.float32)
    found: list[list[NDArray[np.float32]]] = []
    for seed in SEEDS:
        train, *others = (encode(p.x, seed) for p in (dataset.train, dataset.val, dataset.test))
        scale(train, others)
        found.append([expit(each) for each in logits_of(train, y, others)])
    return found


def main() -> None:
    """Average, score folds 9 and 10, write the result."""
    torch.set_num_threads(os.cpu_count() or 1)
    dataset = load_dataset(DataRequest(source="ptbxl", task="records"))
    parts = zip(*networks(dataset), *encoders(dataset), strict=True)
    val, test = (logit(np.mean(part, axis=0)).astype(np.float32) for part in parts)
    thresholds = best_thresholds(val, dataset.val.y)
    document: dict[str, Any] = {
        "title": "The package's two record models and three random encoders, averaged",
        "models": MODELS,
        "encoder_seeds": SEEDS,
        "val": score(val, dataset, "val").model_dump(mode="json"),
        "test": score(test, dataset, "test", thresholds=thresholds).model_dump(mode="json"),
        "data": dataset.summary.model_dump(mode="json"),
        "git_revision": git_revision(),
        "machine": machine(),
        "versions": versions(("torch", "numpy", "scikit-learn")),
    }
    write_text(RESULT, json.dumps(document, indent=1) + "\n")
    print(f"macro AUROC {document['test']['macro_auroc']:.4f}")


if __name__ == "__main__":
    main()
