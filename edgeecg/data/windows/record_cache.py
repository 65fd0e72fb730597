"""Windows of whole records kept on disk as memory maps, under the hash of what they were made from.

A full database is larger than what training may hold in memory, so the windows of each split are
in a separate ``.npy`` file, which is mapped and not loaded. A folder that is incomplete or damaged
is made again.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeecg import files
from edgeecg.data.windows import cache
from edgeecg.data.windows.dataset import Windows
from edgeecg.errors import EdgeECGError
from edgeecg.schema import Split

SPLITS: tuple[Split, ...] = ("train", "val", "test")

_MANIFEST = "manifest.json"
# Version 1 also counted records that were left out before any was read.
_VERSION = 2
# What NumPy, zipfile and the checks below raise on what is not a whole cache.
_DAMAGE = (
    *(OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, RuntimeError),
    zipfile.BadZipFile,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StoredRecords:
    """What the cache keeps for one key.

    Attributes:
        parts: Windows of each split.
        skipped: Number of records left out, by reason.
        left_out: Why a record could not be used, by its name.
    """

    parts: dict[Split, Windows]
    skipped: dict[str, int]
    left_out: dict[str, str]


@dataclass(frozen=True)
class Labels:
    """What is known of the windows of one split.

    Attributes:
        y: Classes, float32, ``(n, classes)``.
        record: Name of each record, ``(n,)``.
        patient: Name of each patient, ``(n,)``.
    """

    y: NDArray[np.float32]
    record: NDArray[np.str_]
    patient: NDArray[np.str_]


def folder(key: str) -> Path:
    """Return the folder of the windows with a key."""
    return cache.folder() / "records" / key


def load(key: str) -> StoredRecords | None:
    """Return what was stored under a key, or None.

    The label files are checked by their SHA-256, the windows, which may have gigabytes, by their
    length, shape and type alone.

    Args:
        key: What they were stored under.

    Returns:
        None when they are not there, not whole, or of an earlier version. ``x`` is a read-only
        memory map.
    """
    place = folder(key)
    if not place.is_dir():
        return None
    try:
        manifest = json.loads((place / _MANIFEST).read_text("utf-8"))
        if manifest.get("version") != _VERSION:
            return None
        skipped = {str(reason): int(count) for reason, count in manifest["skipped"].items()}
        left_out = {str(name): str(why) for name, why in manifest["left_out"].items()}
        parts: dict[Split, Windows] = {
            split: _open(place, split, manifest[split]) for split in SPLITS
        }
        return StoredRecords(parts, skipped, left_out)
    except _DAMAGE as error:
        _log.warning("%s is damaged (%s) and is made again from the records", place, error)
        return None


def store(
    key: str,
    labels: Mapping[Split, Labels],
    rows: Callable[[Split], Iterable[NDArray[np.float32]]],
    shape: tuple[int, int],
    omitted: tuple[Mapping[str, int], Mapping[str, str]],
) -> None:
    """Write the windows of all splits, whole or not at all.

    Args:
        key: What :func:`load` will find them under.
        labels: Labels of each split.
        rows: Gives the windows of a split one after another, in the order of the labels.
        shape: Leads and samples of a window.
        omitted: Number of records left out by reason, and why a record could not be used by its
            name.

    Raises:
        DataError: The cache folder cannot be written to; or what ``rows`` raises.
    """
    skipped, left_out = omitted
    manifest: dict[str, object] = {
        "version": _VERSION,
        "skipped": dict(skipped),
        "left_out": dict(left_out),
    }
    with published(folder(key)) as beside:
        for split, known in labels.items():
            size = (len(known.y), *shape)
            # Plain writes: a memory map on a full disk ends the process instead of raising.
            with (beside / f"{split}.x.npy").open("wb") as opened:
                np.lib.format.write_array_header_1_0(
                    opened, {"descr": "<f4", "fortran_order": False, "shape": size}
                )
                for row in rows(split):
                    opened.write(np.ascontiguousarray(row, "<f4").tobytes())
            path = beside / f"{split}.npz"
            np.savez(path, y=known.y, record=known.record, patient=known.patient)
            manifest[split] = {"shape": size, "sha256": files.sha256(path)}
        (beside / _MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")


@contextlib.contextmanager
def published(place: Path) -> Generator[Path]:
    """Yield a folder beside ``place`` to fill; on success it takes ``place``'s place.

    Where another process was quicker, its folder stays, because it may be in use already.

    Args:
        place: A folder in the cache, which is replaced when it is there.

    Raises:
        DataError: The cache folder cannot be written to; ``place`` is as it was.
    """
    before = _identity(place)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{place.name}.", dir=place.parent) as name:
            beside = Path(name) / place.name
            beside.mkdir()
            yield beside
            now = _identity(place)
            if now is not None and now != before:
                return
            if now is not None:
                shutil.rmtree(place)
            try:
                os.replace(beside, place)
            except OSError:
                # Another process may have been quicker since; what it made is the same.
                if not place.is_dir():
                    raise
    except OSError as error:
        raise cache.unwritable(place.parent, error) from error


def _identity(place: Path) -> int | None:
    """Return what tells a folder from a later one of the same name; None when there is none."""
    try:
        return place.stat().st_ino
    except OSError:
        return None


def constants(key: str) -> tuple[float, float] | None:
    """Return the mean and the deviation stored under a key, in millivolts, or None."""
    try:
        document = json.loads(_constants_file(key).read_text("utf-8"))
        mean_mv, deviation_mv = float(document["mean_mv"]), float(document["deviation_mv"])
    except _DAMAGE:
        return None
    return (mean_mv, deviation_mv) if np.isfinite(mean_mv) and 0 < deviation_mv < np.inf else None


def store_constants(key: str, mean_mv: float, deviation_mv: float) -> None:
    """Keep the mean and the deviation of training records under a key.

    Raises:
        DataError: The cache folder cannot be written to.
    """
    path = _constants_file(key)
    try:
        files.write_text(path, json.dumps({"mean_mv": mean_mv, "deviation_mv": deviation_mv}))
    except EdgeECGError as error:
        raise cache.unwritable(path.parent, error) from error


def _constants_file(key: str) -> Path:
    return cache.folder() / "records" / f"{key}.json"


def _open(place: Path, split: Split, stated: Mapping[str, object]) -> Windows:
    path = place / f"{split}.x.npy"
    # A file that is too short cannot be mapped.
    x: NDArray[np.float32] = np.load(path, mmap_mode="r", allow_pickle=False)
    if list(x.shape) != stated["shape"] or x.ndim != 3 or x.dtype != np.dtype("<f4"):
        raise ValueError(f"{path.name} has another shape or type")
    path = place / f"{split}.npz"
    if files.sha256(path) != stated["sha256"]:
        raise ValueError(f"{path.name} has another content")
    with np.load(path, allow_pickle=False) as stored:
        y, record, patient = stored["y"], stored["record"], stored["patient"]
    return Windows(x, y, record, patient, np.zeros(len(x), np.int64))
