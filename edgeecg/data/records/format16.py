"""A fast reader of one kind of WFDB record: all leads in one file, in format 16, with checksums.

PTB-XL's 21,799 records are of this kind, and those of the PhysioNet Challenges 2020 and 2021 in
``.mat`` files. :mod:`edgeecg.data.records.reader`, which reads every kind, would take minutes for
them. Any other kind of record is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeecg.data.records import units
from edgeecg.errors import DataError

INVALID = -32768
"""Format 16's mark for "no valid sample"."""

_FIRST_LINE = re.compile(
    r"(?P<name>\S+) (?P<leads>\d{1,3}) (?P<fs>\d{1,6}(\.\d+)?) (?P<n>\d{1,9})(?P<date> .*)?"
)
_NUMBER = r"\d{1,12}(?:\.\d+)?(?:[eE][+-]?\d{1,2})?"
_LEAD_LINE = re.compile(
    r"(?P<file>[^\s/\\]+) 16(?:x1)?(?:\+(?P<offset>\d{1,6}))?"
    rf" (?P<gain>{_NUMBER})(?:\((?P<baseline>-?\d{{1,6}})\))?/(?P<unit>\S+)"
    r" \d+ (?P<zero>-?\d{1,6}) -?\d+ (?P<checksum>-?\d{1,6}) 0 (?P<lead>\S.*)"
)


@dataclass(frozen=True)
class Format16Header:
    """What a header says.

    Attributes:
        fs_hz: Sampling rate.
        samples: Samples of each lead.
        leads: Names of the leads, upper case, in the order of the file.
        gains: Digital units per millivolt, float64, ``(leads,)``.
        baselines: Digital value of 0 mV, int64, ``(leads,)``.
        checksums: Sum of the samples of each lead modulo 65536, int64, ``(leads,)``.
        file_name: Name of the signal file, which is in the header's folder.
        offset: Bytes before the first sample.
    """

    fs_hz: float
    samples: int
    leads: tuple[str, ...]
    gains: NDArray[np.float64]
    baselines: NDArray[np.int64]
    checksums: NDArray[np.int64]
    file_name: str
    offset: int = 0


def parse(content: bytes, path: Path, *, strict: bool = True) -> Format16Header:
    """Parse the content of a header file.

    Args:
        content: What ``path`` holds.
        path: The ``.hea`` file; its signal file is in the same folder.
        strict: Require that the signal file has the same stem and holds nothing but the signal,
            that all leads are in mV, and that there is no date.

    Raises:
        DataError: It is not the header of a record of this kind, or the unit of a lead is not
            known.
    """
    lines = [line.strip() for line in content.decode("utf-8", "replace").splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    first = _FIRST_LINE.fullmatch(lines[0]) if lines else None
    foreign = first is not None and strict and (first["date"] or first["name"] != path.stem)
    if first is None or foreign or float(first["fs"]) <= 0:
        raise damaged(path, "Its first line does not give name, leads, rate and length in samples.")
    if len(lines) - 1 != int(first["leads"]):
        raise damaged(path, f"It names {first['leads']} leads and describes {len(lines) - 1}.")
    found = [_LEAD_LINE.fullmatch(line) for line in lines[1:]]
    leads = [match for match in found if match is not None]
    if len(leads) != len(found) or not leads:
        raise damaged(path, "A line does not describe a lead in format 16 with gain and checksum.")
    if len({(match["file"], match["offset"]) for match in leads}) > 1:
        raise damaged(path, "Its leads are in several files.")
    file_name, offset = leads[0]["file"], int(leads[0]["offset"] or 0)
    if strict and (file_name != f"{path.stem}.dat" or offset):
        raise damaged(path, f"It names {file_name}, {path.stem}.dat was expected.")
    scales = [units.in_millivolts(match["unit"]) for match in leads]
    for match, scale in zip(leads, scales, strict=True):
        if scale is None or (strict and match["unit"] != "mV") or float(match["gain"]) == 0:
            raise damaged(path, f"Lead {match['lead']} has no gain in units per mV.")
    names = tuple(match["lead"].upper() for match in leads)
    if len(set(names)) != len(names):
        raise damaged(path, "Two of its leads have the same name.")
    return Format16Header(
        float(first["fs"]),
        int(first["n"]),
        names,
        np.array([float(m["gain"]) / (s or 1.0) for m, s in zip(leads, scales, strict=True)]),
        np.array([int(match["baseline"] or match["zero"]) for match in leads]),
        np.array([int(match["checksum"]) for match in leads]) % 65536,
        file_name,
        offset,
    )


def read(header: Format16Header, path: Path) -> NDArray[np.int16]:
    """Read a signal file and check it against its header.

    Args:
        header: From :func:`parse`.
        path: The signal file.

    Returns:
        The digital values, ``(leads, samples)``.

    Raises:
        DataError: The file is missing or has another size, or a checksum does not fit.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise damaged(path, f"The system reports: {error.strerror or error}.") from error
    expected = header.offset + 2 * len(header.leads) * header.samples
    if len(content) != expected:
        raise damaged(
            path, f"It should hold {expected} bytes by its header, and holds {len(content)}."
        )
    values = np.frombuffer(content, "<i2", offset=header.offset)
    frames = values.reshape(header.samples, len(header.leads))
    digital = np.ascontiguousarray(frames.T, np.int16)
    sums = digital.sum(axis=1, dtype=np.int64) % 65536
    wrong = np.flatnonzero(sums != header.checksums)
    if wrong.size:
        first = int(wrong[0])
        raise damaged(
            path,
            f"The checksum of lead {header.leads[first]} is {header.checksums[first]} in its "
            f"header, and its samples add up to {sums[first]} (modulo 65536).",
        )
    return digital


def damaged(path: Path, why: str) -> DataError:
    """Return the error to raise about one file of a record.

    Args:
        path: The file.
        why: What is wrong with it.
    """
    return DataError(
        f"The record file '{path}' is damaged or of another kind.",
        why,
        "Get the file again from where it came; 'edgeecg data fetch' does so for a database.",
    )
