"""A baseline without learning in its depth: random convolutions and a linear head, on PTB-XL.

The features and heads are those of ``edgeecg/training/random_encoder.py``; the strength of the
regularisation is chosen on fold 9::

    EDGEECG_DATA=../shared/data python benchmarks/random_encoder.py
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import torch
from baselines import MEANS, SEEDS, spread
from numpy.typing import NDArray
from run_provenance import machine, versions

from edgeecg.data import DataRequest, Dataset, load_dataset
from edgeecg.evaluation.metrics import score
from edgeecg.evaluation.multilabel import best_thresholds
from edgeecg.files import write_text
from edgeecg.runs import git_revision
from edgeecg.schema import Scores
from edgeecg.training.random_encoder import KERNELS, encode, logits_of, scale

RESULT = Path(__file__).resolve().parent / "results" / "random_encoder.json"
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1)


def one_seed(dataset: Dataset, seed: int) -> tuple[Scores, float]:
    """Encode, fit, choose the regularisation on validation, score the test split once."""
    train, val, test = (encode(part.x, seed) for part in (dataset.train, dataset.val, dataset.test))
    scale(train, [val, test])
    y = np.asarray(dataset.train.y, np.float32)
    tried: list[tuple[float, float, list[NDArray[np.float32]]]] = []
    for strength in STRENGTHS:
        found = logits_of(train, y, [val, test], strength)
        tried.append((score(found[0], dataset, "val").headline[1], strength, found))
    _, strength, (val_logits, test_logits) = max(tried, key=lambda each: each[0])
    thresholds = best_thresholds(val_logits, dataset.val.y)
    return score(test_logits, dataset, "test", thresholds=thresholds), strength


def main() -> None:
    """Score three seeds and write the result."""
    torch.set_num_threads(os.cpu_count() or 1)
    dataset = load_dataset(DataRequest(source="ptbxl", task="records"))
    started = time.monotonic()
    scores, strengths = zip(*(one_seed(dataset, seed) for seed in SEEDS), strict=True)
    document = {
        "title": "Random convolutional encoder with a linear head, PTB-XL (part), fold 10",
        "kernels": KERNELS,
        "inverse_strength_chosen_on_val": strengths,
        **{what: spread([getattr(each, what) for each in scores]) for what in MEANS},
        "seeds": [each.model_dump(mode="json") for each in scores],
        "data": dataset.summary.model_dump(mode="json"),
        "seconds": round(time.monotonic() - started, 1),
        "git_revision": git_revision(),
        "machine": machine(),
        "versions": versions(("torch", "numpy", "scikit-learn")),
    }
    write_text(RESULT, json.dumps(document, indent=1) + "\n")
    print(f"macro AUROC {document['macro_auroc']}")


if __name__ == "__main__":
    main()
