"""From record files to three splits of windows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeecg.data import cache, mitdb
from edgeecg.data.aami import CLASSES, group_of
from edgeecg.data.beats import Beats, Dataset
from edgeecg.data.split import MITDB_SPLIT, Split
from edgeecg.errors import DataError
from edgeecg.schema import ClassMapName, DataSummary, Preprocessing, Source

EDGE = "edge"
"""Reason in ``DataSummary.skipped`` for beats too near the record's start or end."""

_DEFAULT = Preprocessing()


@dataclass(frozen=True)
class RecordSet:
    """Record files with their split.

    Attributes:
        source: Real or synthetic.
        folder: Where the files lie.
        split: Which record has which use.
        licence: Licence and citation.
    """

    source: Source
    folder: Path
    split: Split
    licence: str


def load_dataset(
    class_map: ClassMapName = "aami",
    preprocessing: Preprocessing = _DEFAULT,
    source: Source | None = None,
    on_record: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Return the windows of all splits, from the cache or from the record files.

    Args:
        class_map: From beat symbols to classes; see :mod:`edgeecg.data.aami`.
        preprocessing: How a lead becomes windows.
        source: ``"mitdb"``, ``"synthetic"``, or None for real records if there are any and
            synthetic ones otherwise. ``EDGEECG_DATA`` counts as saying that there are some.
        on_record: Called after each record with how many are done and how many there are; not
            called when the windows come from the cache.

    Raises:
        DataError: Records are missing or damaged, or the cache cannot be written to.
    """
    found = _find(source)
    settings = {
        "preprocessing": preprocessing.to_document(),
        "class_map": class_map,
        "split": found.split.parts,
    }
    paths = [found.folder / f"{r}{s}" for r in found.split.records for s in mitdb.SUFFIXES]
    key = cache.content_key(paths, settings)
    cached = cache.load(key, len(CLASSES))
    if cached is None:
        cached = _windows(found, class_map, preprocessing, on_record)
        cache.store(key, *cached)
    parts, skipped = cached
    counts = {part: np.bincount(parts[part].y, minlength=len(CLASSES)) for part in parts}
    summary = DataSummary(
        source=found.source,
        class_map=class_map,
        classes=CLASSES,
        train_records=found.split.train,
        val_records=found.split.val,
        test_records=found.split.test,
        beats={
            part: {name: int(n) for name, n in zip(CLASSES, counts[part], strict=True)}
            for part in parts
        },
        skipped=skipped,
        content_sha256=key,
        licence=found.licence,
        notes=found.split.notes,
    )
    return Dataset(parts["train"], parts["val"], parts["test"], summary, preprocessing)


def _find(source: Source | None) -> RecordSet:
    folder = None if source == "synthetic" else mitdb.locate()
    if folder is None and source == "mitdb":
        folder = mitdb.default_folder()
    if folder is not None:
        mitdb.check_complete(folder, MITDB_SPLIT.records)
        return RecordSet("mitdb", folder, MITDB_SPLIT, mitdb.LICENCE)
    # Brings wfdb and SciPy, which a run on cached real records does not need.
    from edgeecg.data import synthetic

    return RecordSet("synthetic", synthetic.folder(), synthetic.SPLIT, synthetic.LICENCE)


def _windows(
    found: RecordSet,
    class_map: ClassMapName,
    preprocessing: Preprocessing,
    on_record: Callable[[int, int], None] | None,
) -> tuple[dict[str, Beats], dict[str, int]]:
    skipped: Counter[str] = Counter()
    parts: dict[str, Beats] = {}
    done = 0
    for part, names in found.split.parts.items():
        pieces: list[Beats] = []
        for name in names:
            pieces.append(_record_beats(found.folder, name, class_map, preprocessing, skipped))
            done += 1
            if on_record is not None:
                on_record(done, len(found.split.records))
        parts[part] = _joined(pieces)
        absent = [CLASSES[k] for k in range(len(CLASSES)) if not np.any(parts[part].y == k)]
        if absent:
            raise DataError(
                f"The {part} records in '{found.folder}' cannot be used.",
                f"They hold no beat of class {', '.join(absent)}.",
                "Check that the annotation files are the original ones.",
            )
    return parts, dict(sorted(skipped.items()))


def _record_beats(
    folder: Path,
    name: str,
    class_map: ClassMapName,
    preprocessing: Preprocessing,
    skipped: Counter[str],
) -> Beats:
    """Return the beats of one record, and add those left out to ``skipped``."""
    # Both bring SciPy or wfdb, which take longer to import than cached windows take to load.
    from edgeecg.data import records, windows

    record = records.read(folder, name, preprocessing.leads)
    groups = [group_of(symbol, class_map) for symbol in record.symbols]
    skipped.update(group for group in groups if group is not None and group not in CLASSES)
    kept = [i for i, group in enumerate(groups) if group in CLASSES]
    labels: NDArray[np.int64] = np.array([CLASSES.index(groups[i] or "") for i in kept], np.int64)
    sample = record.samples[kept]
    stream = windows.CausalFilter(preprocessing, record.fs_hz)
    filtered = stream.push(record.signal_mv)
    x, whole = windows.cut(filtered, stream.position(sample), preprocessing)
    skipped[EDGE] += int(np.count_nonzero(~whole))
    return Beats(x, labels[whole], np.full(len(x), name), sample[whole])


def _joined(pieces: list[Beats]) -> Beats:
    return Beats(
        np.concatenate([piece.x for piece in pieces]),
        np.concatenate([piece.y for piece in pieces]),
        np.concatenate([piece.record for piece in pieces]),
        np.concatenate([piece.sample for piece in pieces]),
    )
