"""Records of one segment, and of several that follow one another.

A record of several segments has a header that lists them. Where it begins with a segment of length
0, that one names the leads of all, and a segment may lack some of them; ``~`` stands for a gap.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeecg.data.records import signals
from edgeecg.data.records.leads import LeadChoice
from edgeecg.data.records.wfdb_input import WfdbInput, damaged, opened
from edgeecg.errors import DataError

_GAP = "~"
_OTHER_RATE = "Its segments have different sampling rates."


@dataclass(frozen=True)
class Layout:
    """What a record's headers state.

    Attributes:
        leads: Names of the leads.
        frames: Length in frames.
        per_frame: Samples per frame of the leads; the highest number where they differ.
        files: Signal files, and headers and signal files of segments, relative to the record's
            folder.
    """

    leads: tuple[str, ...]
    frames: int
    per_frame: int
    files: tuple[str, ...]


def has_segments(source: WfdbInput) -> bool:
    """Return whether a record consists of segments."""
    return hasattr(source.header, "seg_name")


def describe_one(source: WfdbInput, folder: Path, name: str) -> Layout:
    """Return what the header of a record without segments states, and look at its files.

    Raises:
        DataError: The header is incomplete, or a file is missing or truncated.
    """
    header = source.header
    _check_header(source, folder, name)
    frames = signals.check_files(source, folder, name)
    files = tuple(dict.fromkeys(source.file_names))
    return Layout(tuple(header.sig_name), frames, max(header.samps_per_frame), files)


def describe(source: WfdbInput, folder: Path, name: str) -> Layout:
    """Return what the headers of a record of segments state.

    Raises:
        DataError: A header is missing or incomplete, or a file is missing or truncated.
    """
    leads: dict[str, None] = {}
    files: list[str] = []
    per_frame, frames = 1, 0
    for segment, length in _segments(source, folder, name):
        frames += length
        if segment == _GAP:
            continue
        segment_name = _beside(name, segment)
        files.append(f"{segment}.hea")
        with opened(folder, segment_name) as part:
            if length == 0:
                _check_header(part, folder, segment_name)
                leads |= dict.fromkeys(part.header.sig_name)
                continue
            _check_rate(source, part, folder, name)
            layout = describe_one(part, folder, segment_name)
        leads |= dict.fromkeys(layout.leads)
        per_frame = max(per_frame, layout.per_frame)
        files += layout.files
    return Layout(tuple(leads), frames, per_frame, tuple(files))


def read_one(
    source: WfdbInput, folder: Path, name: str, choice: LeadChoice
) -> tuple[NDArray[np.float64], int]:
    """Read leads of a record without segments.

    Returns:
        Millivolts ``(leads, samples)``, and the samples per frame.

    Raises:
        DataError: A lead is missing or in another unit, or a file is damaged.
    """
    header = source.header
    _check_header(source, folder, name)
    rows = choice.rows(header.sig_name, folder, name)
    factors = [
        choice.millivolts(lead, header.units[row] or "mV", folder, name)
        for lead, row in zip(choice.names, rows, strict=True)
    ]
    if choice.strict and set(source.file_names) != {f"{Path(name).name}.dat"}:
        raise damaged(
            folder,
            name,
            f"{name}.hea names {', '.join(sorted(set(source.file_names)))} as its signal file, "
            f"{Path(name).name}.dat was expected.",
        )
    signals.check_files(source, folder, name)
    physical, per_frame = signals.read(source, folder, name, rows, strict=choice.strict)
    return physical * np.array(factors)[:, None], per_frame


def read(
    source: WfdbInput, folder: Path, name: str, choice: LeadChoice
) -> tuple[NDArray[np.float64], int]:
    """Read leads of a record of segments; NaN in gaps and where a segment lacks a lead.

    Returns:
        Millivolts ``(leads, samples)``, and the samples per frame.

    Raises:
        DataError: No segment has a lead, a segment is damaged, or segments have different rates.
    """
    pieces: list[tuple[int, NDArray[np.float64] | None]] = []
    rates: set[int] = set()
    found: dict[str, None] = {}
    for segment, length in _segments(source, folder, name):
        if segment == _GAP or length == 0:
            pieces.append((length, None))
            continue
        segment_name = _beside(name, segment)
        with opened(folder, segment_name) as part:
            _check_rate(source, part, folder, name)
            layout = describe_one(part, folder, segment_name)
            if layout.frames != length:
                raise damaged(
                    folder,
                    name,
                    f"{name}.hea gives segment {segment} {length} frames, and it has "
                    f"{layout.frames}.",
                )
            found |= dict.fromkeys(layout.leads)
            here = [lead for lead in choice.names if choice.row(lead, layout.leads) is not None]
            if not here:
                pieces.append((length, None))
                continue
            some = LeadChoice(tuple(here), choice.called, choice.strict)
            signal, per_frame = read_one(part, folder, segment_name, some)
        rates.add(per_frame)
        whole = np.full((len(choice.names), signal.shape[1]), np.nan)
        whole[[choice.names.index(lead) for lead in here]] = signal
        pieces.append((length, whole))
    for lead in choice.names:
        if choice.row(lead, tuple(found)) is None:
            raise choice.missing(lead, tuple(found), folder, name)
    if len(rates) != 1:
        raise damaged(folder, name, _OTHER_RATE)
    (per_frame,) = rates
    gap = [np.full((len(choice.names), length * per_frame), np.nan) for length, _ in pieces]
    signal = [gap[i] if piece is None else piece for i, (_, piece) in enumerate(pieces)]
    return np.concatenate(signal, axis=1), per_frame


def _check_rate(source: WfdbInput, part: WfdbInput, folder: Path, name: str) -> None:
    if part.header.fs != source.header.fs:
        raise damaged(folder, name, _OTHER_RATE)


def _segments(source: WfdbInput, folder: Path, name: str) -> list[tuple[str, int]]:
    """Return name and length of every segment.

    Raises:
        DataError: The header names fewer or more segments than it states, or they are together
            longer or shorter than it states.
    """
    header = source.header
    total = sum(map(int, header.seg_len))
    if len(header.seg_name) != header.n_seg or (header.sig_len and header.sig_len != total):
        raise damaged(
            folder,
            name,
            f"{name}.hea states {header.n_seg} segments with {header.sig_len} frames, and lists "
            f"{len(header.seg_name)} with {total}.",
        )
    return [
        (str(n), int(length)) for n, length in zip(header.seg_name, header.seg_len, strict=True)
    ]


def _beside(name: str, segment: str) -> str:
    """Return the name of a segment, which is in the folder of its record."""
    return str(Path(name).parent / segment)


def _check_header(source: WfdbInput, folder: Path, name: str) -> None:
    """Check that a header describes every signal, and name the leads that it does not name.

    Raises:
        DataError: It does not, or there are no signals.
    """
    header = source.header
    described = len(source.file_names)
    if not header.n_sig and not described:
        raise DataError(
            f"Record {name} in '{folder}' has no signals.",
            f"{name}.hea describes no lead.",
            "Leave the record out.",
        )
    if not header.n_sig or header.n_sig != described:
        raise damaged(
            folder, name, f"{name}.hea states {header.n_sig} leads and describes {described}."
        )
    header.sig_name = [lead or f"signal {i}" for i, lead in enumerate(header.sig_name)]
