"""Reading WFDB records. Damage is reported as an error and never repaired.

A known database is read strictly. The user's records state less and name their files as they like,
so for them ``strict`` is False; whatever their headers state is still checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeecg.data.records import annotations, segments
from edgeecg.data.records.leads import LeadChoice
from edgeecg.data.records.wfdb_input import damaged, opened
from edgeecg.errors import DataError

_SAME_NAMES: Mapping[str, str] = {}


@dataclass(frozen=True)
class RecordHeader:
    """What the header of a record states.

    Attributes:
        name: Record name.
        fs_hz: Sampling rate; the highest one where leads have different rates.
        leads: Names of its leads, in the order of the file.
        length: Samples per lead at ``fs_hz``.
        files: Names of the files of its signals, relative to the header's folder.
        annotated: Whether there is a ``NAME.atr`` beside it.
        comments: Comment lines, without ``#``.
    """

    name: str
    fs_hz: float
    leads: tuple[str, ...]
    length: int
    files: tuple[str, ...]
    annotated: bool
    comments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Record:
    """One record, checked.

    Attributes:
        name: Record name.
        fs_hz: Sampling rate.
        signal_mv: Leads in the order asked for, float64, ``(leads, samples)``, millivolts; NaN
            where a sample is marked invalid, which a strict reading refuses.
        samples: Position of each annotation, 0-based, int64, ``(annotations,)``.
        symbols: Symbol of each annotation.
        outside: Number of annotations left out because the record has no sample at their position.
    """

    name: str
    fs_hz: float
    signal_mv: NDArray[np.float64]
    samples: NDArray[np.int64]
    symbols: tuple[str, ...]
    outside: int = 0


def read(
    folder: Path,
    name: str,
    leads: tuple[str, ...],
    *,
    called: Mapping[str, str] = _SAME_NAMES,
    strict: bool = True,
    annotated: bool = True,
) -> Record:
    """Read one record and check it against its header.

    Args:
        folder: Folder that holds ``NAME.hea``, its signal file and ``NAME.atr``.
        name: Record name; may begin with a folder inside ``folder``.
        leads: Leads wanted, by name.
        called: What some of these leads are called in the record, by the wanted name.
        strict: Require that the signal is in ``NAME.dat``, in millivolts, with a checksum and
            without invalid samples. If not, any signal file inside ``folder`` will do, other units
            of voltage are converted, a checksum that is not stated is not missed, leads are found
            in upper or lower case, and invalid samples come as NaN.
        annotated: Read ``NAME.atr``; without it the record comes with no annotations.

    Raises:
        DataError: A file is missing, unreadable, truncated or outside ``folder``; a checksum does
            not fit; a lead is missing, in another unit or flat; or a sample is marked invalid.
    """
    choice = LeadChoice(leads, called, strict)
    with opened(folder, name) as source:
        if segments.has_segments(source):
            signal, per_frame = segments.read(source, folder, name, choice)
        else:
            signal, per_frame = segments.read_one(source, folder, name, choice)
        for lead, row in zip(leads, signal, strict=True):
            _check_samples(row, lead, folder, name, strict)
        fs_hz = float(source.header.fs) * per_frame
        found = annotations.NONE
        if annotated:
            found = annotations.read(source, folder, name, fs_hz, signal.shape[1])
    signal = np.ascontiguousarray(signal)
    return Record(name, fs_hz, signal, found.samples, found.symbols, found.outside)


def describe(folder: Path, name: str) -> RecordHeader:
    """Read a record's header, and look at the size of its files.

    Raises:
        DataError: The header is missing, is something else or outside ``folder``, or a signal file
            is missing or truncated.
    """
    with opened(folder, name) as source:
        if segments.has_segments(source):
            layout = segments.describe(source, folder, name)
        else:
            layout = segments.describe_one(source, folder, name)
        return RecordHeader(
            name,
            float(source.header.fs) * layout.per_frame,
            layout.leads,
            layout.frames * layout.per_frame,
            layout.files,
            (folder / f"{name}.atr").is_file(),
            source.comments,
        )


def _check_samples(
    row: NDArray[np.float64], lead: str, folder: Path, name: str, strict: bool
) -> None:
    valid = row[np.isfinite(row)]
    if strict and len(valid) < len(row):
        invalid = len(row) - len(valid)
        raise damaged(
            folder, name, f"{invalid} samples of lead {lead} are marked invalid in {name}.dat."
        )
    if valid.size and valid.min() < valid.max():
        return
    raise DataError(
        f"Lead {lead} of record {name} in '{folder}' is flat.",
        f"Every sample is {valid[0]:g} mV." if valid.size else "Every sample is marked invalid.",
        "Leave the record out, or choose another lead.",
    )
