"""The values that leave the data room."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeecg.schema import DataSummary, Preprocessing


@dataclass(frozen=True)
class Beats:
    """The beats of one split, in the order of their records and then in time.

    Attributes:
        x: Preprocessed windows, float32, ``(beats, leads, samples)``.
        y: Class index of each beat, int64, ``(beats,)``.
        record: Name of the record each beat comes from, ``(beats,)``.
        sample: Annotated R peak at the record's own sampling rate, 0-based, int64, ``(beats,)``.
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64]
    record: NDArray[np.str_]
    sample: NDArray[np.int64]


@dataclass(frozen=True)
class Dataset:
    """Three splits without a common record, and what they were made from.

    Attributes:
        train: What weights are fitted to.
        val: What every decision (stopping, pruning, recipe) is taken on.
        test: What is looked at for the final score alone.
        summary: Records, counts, what was left out, the hash of the content, the licence.
        preprocessing: How the windows were made.
    """

    train: Beats
    val: Beats
    test: Beats
    summary: DataSummary
    preprocessing: Preprocessing
