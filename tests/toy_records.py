"""Toy records: a few hundred windows of three shapes, for tests that train."""

from __future__ import annotations

import numpy as np

from edgeecg.data import Dataset, Windows
from edgeecg.schema import DataSummary, Preprocessing

CLASSES = ("N", "S", "V")


def _toy_beats(records: tuple[str, ...], beats: int, seed: int) -> Windows:
    """Windows that a small network tells apart at once: three shapes in noise."""
    rng = np.random.default_rng(seed)
    y = rng.choice(3, size=beats, p=[0.7, 0.1, 0.2])
    time = np.linspace(-1, 1, 256)
    shapes = np.stack(
        [
            np.exp(-((time / 0.05) ** 2)),
            np.exp(-(((time + 0.3) / 0.05) ** 2)),
            -np.exp(-((time / 0.3) ** 2)),
        ]
    )
    x = shapes[y] + 0.3 * rng.standard_normal((beats, 256))
    x = (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)
    record = np.asarray(records)[np.arange(beats) % len(records)]
    return Windows(
        x=x[:, None, :].astype(np.float32),
        y=y.astype(np.int64),
        record=record,
        patient=record,
        sample=np.arange(beats, dtype=np.int64) * 300,
    )


def dataset() -> Dataset:
    """Return a few hundred learnable windows with the interface of real ones."""
    parts = {
        "train": _toy_beats(("a", "b"), 300, 1),
        "val": _toy_beats(("c",), 90, 2),
        "test": _toy_beats(("d", "e"), 120, 3),
    }
    summary = DataSummary(
        source="synthetic",
        class_map="aami",
        classes=CLASSES,
        train_records=("a", "b"),
        val_records=("c",),
        test_records=("d", "e"),
        beats={
            name: {c: int((part.y == i).sum()) for i, c in enumerate(CLASSES)}
            for name, part in parts.items()
        },
        skipped={},
        content_sha256="0" * 64,
        licence="made for tests",
    )
    return Dataset(parts["train"], parts["val"], parts["test"], summary, Preprocessing())
