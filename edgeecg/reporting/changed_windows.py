"""The probe windows that a compressed model classifies otherwise than its dense baseline."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeecg.reporting.documents import RunDocuments
from edgeecg.runs import RunFolder
from edgeecg.schema import Preprocessing

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
    pairs = {
        role: next(
            (
                path
                for each in documents.exported
                if each.manifest.role == role
                and (path := _probe(folder.artifacts / each.file)).is_file()
            ),
            None,
        )
        for role in ("baseline", "compressed")
    }
    dense, kept = (None if path is None else _read(path) for path in pairs.values())
    if dense is None or kept is None:
        return (
            "The probe sets of a baseline file and of a compressed file are needed. Run: "
            "edgeecg export --target tflite"
        )
    if not np.array_equal(dense["x"], kept["x"]):
        return "The probe sets of both models hold other windows; export both again."
    if dense["logits"].shape != kept["logits"].shape:
        return "The probe sets of both models have other classes; export both again."
    return _changed(dense, kept, documents)


def _probe(file: Path) -> Path:
    return file.with_name(f"{file.stem}.probe.npz")


def _read(path: Path) -> dict[str, NDArray[np.generic]] | None:
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as archive:
            found: dict[str, NDArray[np.generic]] = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return None
    sound = all(
        name in found
        and found[name].ndim == axes
        and found[name].dtype == np.float32
        and bool(np.isfinite(found[name].astype(np.float64)).all())
        for name, axes in (("x", 3), ("logits", 2))
    )
    return found if sound and len(found["x"]) == len(found["logits"]) else None


def _changed(
    dense: dict[str, NDArray[np.generic]],
    kept: dict[str, NDArray[np.generic]],
    documents: RunDocuments,
) -> ChangedWindows:
    classes, made = documents.model.classes, documents.model.preprocessing
    logits = kept["logits"].astype(np.float64)
    before, after = dense["logits"].argmax(axis=1), logits.argmax(axis=1)
    where = surest_changes(dense["logits"], kept["logits"])
    label = kept.get("label")
    known = label is not None and label.shape == before.shape
    truth = label.astype(np.int64) if known and label is not None else None
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
        each.ndim == _STRIP_AXES[name] and len(each) == len(found["window"])
        for name, each in found.items()
    )
    places = np.flatnonzero(found["window"] == n) if sound else np.zeros(0, np.int64)
    if not len(places):
        return None
    at = places[0]
    fs_hz, start, length = (float(found[name][at]) for name in ("fs_hz", "start", "length"))
    signal = found["microvolts"][at][: int(length)].astype(np.float64) / 1e3
    if not (np.isfinite([fs_hz, start]).all() and np.isfinite(signal).all()):
        return None
    if fs_hz <= 0 or not len(signal):
        return None
    return Strip(signal, fs_hz, start / fs_hz, origin.sample / fs_hz)
