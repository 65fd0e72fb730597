"""The probe windows that a compressed model classifies otherwise than its dense baseline."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeecg.benchmark import probe_set
from edgeecg.errors import ArtifactError
from edgeecg.reporting.documents import RunDocuments
from edgeecg.runs import RunFolder
from edgeecg.schema import ModelCard, Preprocessing, Role

_MOST = 6

_STRIP_AXES = {"window": 1, "microvolts": 2, "length": 1, "fs_hz": 1, "start": 1}
"""Arrays of the strips in a probe set, with their numbers of axes."""


@dataclass(frozen=True)
class Origin:
    """Where a window comes from.

    Attributes:
        record: Name of the record.
        patient: Name of the patient.
        sample: The R peak at the record's own sampling rate, 0-based.
    """

    record: str
    patient: str
    sample: int


@dataclass(frozen=True)
class Strip:
    """The record around a window.

    Attributes:
        signal_mv: The first lead as it was recorded, ``(samples,)``.
        fs_hz: Its sampling rate.
        start_s: Time of its first sample in the record.
        peak_s: Time of the R peak in the record.
    """

    signal_mv: NDArray[np.float64]
    fs_hz: float
    start_s: float
    peak_s: float


@dataclass(frozen=True)
class ChangedWindow:
    """One window whose class changed.

    Attributes:
        signal: Its first lead as the model sees it, ``(samples,)``.
        before: Class of the dense model.
        after: Class of the compressed model.
        annotated: Annotated class, or None if unknown.
        origin: Record, patient and position, or None if unknown.
        strip: The record around it, or None where it was not stored.
    """

    signal: NDArray[np.float32]
    before: str
    after: str
    annotated: str | None
    origin: Origin | None
    strip: Strip | None


@dataclass(frozen=True)
class ChangedWindows:
    """The windows whose class changed.

    Attributes:
        shown: Some of them: those on which the compressed model is surest.
        changed: How many there are.
        windows: How many windows were compared.
        right_before: How many of the changed ones only the dense model classified as annotated;
            None without annotations.
        right_after: How many of them only the compressed model did; None without annotations.
        preprocessing: How the windows were made.
    """

    shown: tuple[ChangedWindow, ...]
    changed: int
    windows: int
    right_before: int | None
    right_after: int | None
    preprocessing: Preprocessing


def find(folder: RunFolder, documents: RunDocuments) -> ChangedWindows | str:
    """Return the probe windows with another class after compression, or why they are not known.

    Both models' outputs are those of PyTorch, which 'edgeecg export' stores beside each file.

    Args:
        folder: The run.
        documents: Its documents.
    """
    if documents.model.test.task == "records":
        return "Records have any number of classes; strips are drawn of single beats."
    paths = [_probe(folder, documents, role) for role in ("baseline", "compressed")]
    if None in paths:
        return (
            "The probe sets of a baseline file and of a compressed file are needed. "
            f"Run: {documents.to_export}"
        )
    try:
        dense, kept = (_read(path, documents.model) for path in paths if path is not None)
    except ArtifactError as error:
        return f"{error.what} {error.why} {error.todo}"
    if not np.array_equal(dense["x"], kept["x"]):
        return "The probe sets of both models hold other windows; export both again."
    return _changed(dense, kept, documents)


def _probe(folder: RunFolder, documents: RunDocuments, role: Role) -> Path | None:
    """Return the probe set of the first file of a role that has one."""
    files = (each.file for each in documents.exported if each.manifest.role == role)
    paths = (probe_set.probe_path(folder.artifacts / file) for file in files)
    return next((path for path in paths if path.is_file()), None)


def _read(path: Path, model: ModelCard) -> dict[str, NDArray[Any]]:
    """Return a probe set whose arrays fit each other and the model.

    Raises:
        ArtifactError: It is damaged, or belongs to another model.
    """
    found = probe_set.read(path)
    made, classes, n = model.preprocessing, len(model.classes), len(found["x"])
    each_window = {name: (n,) for name in ("label", "record", "patient", "sample") if name in found}
    shapes = {"x": (n, len(made.leads), made.window), "logits": (n, classes), **each_window}
    for name, shape in shapes.items():
        if found[name].shape != shape:
            came = found[name].shape
            raise probe_set.misfit(path, f"'{name}' should have the shape {shape} and has {came}")
    for name in ("label", "sample"):
        if name in found and not np.issubdtype(found[name].dtype, np.integer):
            kind = found[name].dtype
            raise probe_set.misfit(path, f"'{name}' should be integers and is {kind}")
    label = found.get("label")
    if label is not None and not ((label >= 0) & (label < classes)).all():
        raise probe_set.misfit(path, f"'label' should be class numbers from 0 to {classes - 1}")
    return found


def _changed(
    dense: dict[str, NDArray[Any]],
    kept: dict[str, NDArray[Any]],
    documents: RunDocuments,
) -> ChangedWindows:
    classes, made = documents.model.classes, documents.model.preprocessing
    logits = kept["logits"].astype(np.float64)
    before, after = dense["logits"].argmax(axis=1), logits.argmax(axis=1)
    where = surest_changes(dense["logits"], kept["logits"])
    truth = kept.get("label")
    start = made.signal_start
    shown = tuple(
        ChangedWindow(
            signal=kept["x"][n, 0, start : start + made.signal_samples].astype(np.float32),
            before=classes[int(before[n])],
            after=classes[int(after[n])],
            annotated=None if truth is None else classes[int(truth[n])],
            origin=(origin := _origin(kept, int(n))),
            strip=None if origin is None else _strip(kept, int(n), origin),
        )
        for n in where[:_MOST]
    )
    hits = (None, None)
    if truth is not None:
        hits = tuple(int((each[where] == truth[where]).sum()) for each in (before, after))
    return ChangedWindows(shown, len(where), len(before), hits[0], hits[1], made)


def surest_changes(before: NDArray[np.generic], after: NDArray[np.generic]) -> NDArray[np.int64]:
    """Return which windows have another class, those first of which the second model is surest.

    Args:
        before: Outputs of the dense model, ``(windows, classes)``.
        after: Outputs of the compressed model, ``(windows, classes)``.
    """
    where = np.flatnonzero(before.argmax(axis=1) != after.argmax(axis=1))
    if not len(where):
        return where.astype(np.int64)
    ranked = np.sort(after[where].astype(np.float64), axis=1)
    return where[np.argsort(ranked[:, -2] - ranked[:, -1])].astype(np.int64)


def _origin(probe: dict[str, NDArray[np.generic]], n: int) -> Origin | None:
    if not {"record", "patient", "sample"} <= probe.keys():
        return None
    return Origin(str(probe["record"][n]), str(probe["patient"][n]), int(probe["sample"][n]))


def _strip(probe: dict[str, NDArray[np.generic]], n: int, origin: Origin) -> Strip | None:
    """Return the record around a window; None where it was not stored or is damaged."""
    stored = {name: probe.get(f"strip_{name}") for name in _STRIP_AXES}
    found = {name: each for name, each in stored.items() if each is not None}
    sound = len(found) == len(stored) and all(
        each.ndim == _STRIP_AXES[name]
        and len(each) == len(found["window"])
        and np.issubdtype(each.dtype, np.number)
        for name, each in found.items()
    )
    places = np.flatnonzero(found["window"] == n) if sound else np.zeros(0, np.int64)
    if not len(places):
        return None
    at = places[0]
    fs_hz, start, length = (float(found[name][at]) for name in ("fs_hz", "start", "length"))
    if not np.isfinite([fs_hz, start, length]).all() or fs_hz <= 0:
        return None
    signal = found["microvolts"][at][: int(length)].astype(np.float64) / 1e3
    if not len(signal) or not np.isfinite(signal).all():
        return None
    return Strip(signal, fs_hz, start / fs_hz, origin.sample / fs_hz)
