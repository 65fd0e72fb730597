"""The probe windows that a compressed model classifies otherwise than its dense baseline."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeecg.reporting import units
from edgeecg.reporting.documents import RunDocuments
from edgeecg.runs import RunFolder
from edgeecg.schema import Preprocessing

_MOST = 6


@dataclass(frozen=True)
class ChangedWindow:
    """One window whose class changed.

    Attributes:
        signal: Its first lead as the model sees it, ``(samples,)``.
        before: Class of the dense model.
        after: Class of the compressed model.
        annotated: Annotated class, or None if unknown.
        origin: Record, patient and position in words, or None if unknown.
    """

    signal: NDArray[np.float32]
    before: str
    after: str
    annotated: str | None
    origin: str | None


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
    where = np.flatnonzero(before != after)
    ranked = np.sort(logits[where], axis=1)
    sure = ranked[:, -1] - ranked[:, -2] if len(where) else np.zeros(0)
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
            origin=_origin(kept, int(n)),
        )
        for n in where[np.argsort(-sure)][:_MOST]
    )
    hits = (None, None)
    if truth is not None:
        hits = tuple(int((each[where] == truth[where]).sum()) for each in (before, after))
    return ChangedWindows(shown, len(where), len(before), hits[0], hits[1], made)


def _origin(probe: dict[str, NDArray[np.generic]], n: int) -> str | None:
    if not {"record", "patient", "sample"} <= probe.keys():
        return None
    record, patient = str(probe["record"][n]), str(probe["patient"][n])
    found = f"record {record}"
    found += f", patient {patient}" if patient != record else ""
    return f"{found}, R peak at sample {units.count(int(probe['sample'][n]))}"
