"""A baseline without learning in its depth: random convolutions and a linear head, on PTB-XL.

ROCKET's recipe (Dempster, Petitjean and Webb, Data Mining and Knowledge Discovery 34, 2020): 2,000
random kernels of 7, 9 or 11 taps with random dilation over random leads; of each the maximum and
the share of positive outputs; then one regularised logistic regression per class. The strength of
the regularisation is chosen on fold 9::

    EDGEECG_DATA=../shared/data python benchmarks/random_encoder.py
"""

from __future__ import annotations

import json
import math
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from baselines import MEANS, SEEDS, spread
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch.nn import functional as F

from edgeecg.data import Dataset, Request, Windows, load_dataset
from edgeecg.files import write_text
from edgeecg.runs import git_revision
from edgeecg.schema import Scores
from edgeecg.training.metrics import score
from edgeecg.training.multilabel import best_thresholds

RESULT = Path(__file__).resolve().parent / "results" / "random_encoder.json"
KERNELS = 2000
GROUP = 50
STRENGTHS = (1e-4, 1e-3, 1e-2)


def encode(windows: Windows, seed: int) -> NDArray[np.float32]:
    """Return ``(records, 2 * KERNELS)`` features; the same seed gives the same kernels."""
    rng = np.random.default_rng(seed)
    x = torch.from_numpy(np.array(windows.x))
    leads, samples = x.shape[1:]
    found: list[torch.Tensor] = []
    for _ in range(KERNELS // GROUP):
        taps = int(rng.choice([7, 9, 11]))
        dilation = int(2 ** rng.uniform(0, math.log2((samples - 1) / (taps - 1) / 4)))
        weight = rng.normal(size=(GROUP, leads, taps))
        weight *= rng.random((GROUP, leads, 1)) < 2 / leads
        weight -= weight.mean(axis=2, keepdims=True)
        weight /= np.linalg.norm(weight, axis=(1, 2), keepdims=True) + 1e-6
        kernel = torch.from_numpy(weight.astype(np.float32))
        bias = torch.from_numpy(rng.uniform(-1, 1, GROUP).astype(np.float32))
        parts: list[torch.Tensor] = []
        for part in x.split(256):
            out = F.conv1d(part, kernel, bias, dilation=dilation)
            parts.append(torch.cat([out.amax(dim=2), (out > 0).float().mean(dim=2)], dim=1))
        found.append(torch.cat(parts))
    return torch.cat(found, dim=1).numpy()


def logits_of(
    train: NDArray[np.float32], y: NDArray[np.float32], others: list[NDArray[np.float32]], c: float
) -> list[NDArray[np.float32]]:
    """Fit one logistic regression per class and return the logits of the other splits."""
    heads = [LogisticRegression(C=c, max_iter=300).fit(train, y[:, k]) for k in range(y.shape[1])]
    return [
        np.stack([head.decision_function(part) for head in heads], axis=1).astype(np.float32)
        for part in others
    ]


def one_seed(dataset: Dataset, seed: int) -> tuple[Scores, float]:
    """Encode, fit, choose the regularisation on validation, score the test split once."""
    scaler = StandardScaler()
    train = np.asarray(scaler.fit_transform(encode(dataset.train, seed)), np.float32)
    val, test = (
        np.asarray(scaler.transform(encode(part, seed)), np.float32)
        for part in (dataset.val, dataset.test)
    )
    y = np.asarray(dataset.train.y, np.float32)
    tried: list[tuple[float, float, list[NDArray[np.float32]]]] = []
    for c in STRENGTHS:
        found = logits_of(train, y, [val, test], c)
        tried.append((score(found[0], dataset, "val").headline[1], c, found))
    _, c, (val_logits, test_logits) = max(tried, key=lambda each: each[0])
    thresholds = best_thresholds(val_logits, dataset.val.y)
    return score(test_logits, dataset, "test", thresholds=thresholds), c


def main() -> None:
    """Score three seeds and write the result."""
    torch.set_num_threads(os.cpu_count() or 1)
    dataset = load_dataset(Request(source="ptbxl", task="records"))
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
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, no GPU",
        "versions": {p: version(p) for p in ("torch", "numpy", "scikit-learn")},
    }
    write_text(RESULT, json.dumps(document, indent=1) + "\n")
    print(f"macro AUROC {document['macro_auroc']}")


if __name__ == "__main__":
    main()
