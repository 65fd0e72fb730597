"""What is asked of the data package, and the values that it returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edgeecg.schema import ClassMapName, DataSummary, Preprocessing, Split, Task

OnRecord = Callable[[int, int], None]
"""(records done, records in all); called while records are prepared, not when they are cached."""


@dataclass(frozen=True)
class DataRequest:
    """Which records, and how they become windows.

    Attributes:
        source: Name of a source in :mod:`edgeecg.data.sources`, such as ``"mitdb"``; the path of a
            folder of WFDB records; or None for the task's own database if it is on this machine,
            else synthetic records. A set ``EDGEECG_DATA`` counts as having it.
        task: One class per beat, or any number of classes per record.
        preprocessing: How leads become windows; None for the task's default.
        class_map: From beat symbols to classes; see :mod:`edgeecg.data.records.beat_classes`.
        leads: For a folder: what the model's leads are called in its records, e.g.
            ``{"MLII": "II"}``; a lead that is not named keeps its name.
        min_likelihood: For PTB-XL: likelihood in percent from which a statement counts.
        score_only: A finished model is to be scored: of a folder, every annotated record goes into
            the test split, and the other splits are empty. Databases keep their splits.
        strict: Refuse a folder with a record that cannot be used, or with annotations outside
            their record, in place of leaving them out and counting them.
    """

    source: str | None = None
    task: Task = "beats"
    preprocessing: Preprocessing | None = None
    class_map: ClassMapName = "aami"
    leads: Mapping[str, str] = field(default_factory=dict[str, str])
    min_likelihood: float = 0.0
    score_only: bool = False
    strict: bool = False


@dataclass(frozen=True)
class Windows:
    """The windows of one split, in the order of their records and then in time.

    Attributes:
        x: Preprocessed windows, float32, ``(n, leads, samples)``; for PTB-XL a memory map, of which
            only what is indexed is read.
        y: Class index of each window, int64, ``(n,)``; or, when a window has any number of classes,
            1 where it has the class and 0 where not, float32, ``(n, classes)``.
        record: Name of the record each window comes from, ``(n,)``.
        patient: Name of the patient, ``(n,)``; what intervals are resampled over.
        sample: Annotated R peak at the record's own sampling rate, 0-based, int64, ``(n,)``; 0 for
            a window that is not about a beat.
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64] | NDArray[np.float32]
    record: NDArray[np.str_]
    patient: NDArray[np.str_]
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
        task: One class per window, or any number.
        outside: Beats of ``val`` and ``test`` that belong to none of the classes (``y`` counts in
            ``beat_classes.OUTSIDE``); EC57 counts how they were classified. Empty for PTB-XL.
    """

    train: Windows
    val: Windows
    test: Windows
    summary: DataSummary
    preprocessing: Preprocessing
    task: Task = "beats"
    outside: Mapping[Split, Windows] = field(default_factory=dict[Split, Windows])

    def split(self, name: Split) -> Windows:
        """Return one split by name."""
        return {"train": self.train, "val": self.val, "test": self.test}[name]
