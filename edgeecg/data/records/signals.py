"""Reading the signal files of a WFDB record, and checking them against the header."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import wfdb
from numpy.typing import NDArray

from edgeecg.data.records.paths import inside
from edgeecg.data.records.wfdb_input import PARSER_ERRORS, WfdbInput, damaged

_BYTES_PER_SAMPLE = {
    "8": Fraction(1),
    "16": Fraction(2),
    "24": Fraction(3),
    "32": Fraction(4),
    "61": Fraction(2),
    "80": Fraction(1),
    "160": Fraction(2),
    "212": Fraction(3, 2),
    "310": Fraction(4, 3),
    "311": Fraction(4, 3),
}
# FLAC: the size of the file says nothing about the number of samples.
_COMPRESSED = ("508", "516", "524")
_KNOWN = (*_BYTES_PER_SAMPLE, *_COMPRESSED)


@dataclass(frozen=True)
class SignalFile:
    """One signal file by its header.

    Attributes:
        path: The file.
        rows: Which of the record's signals it holds.
        frames: Frames that it holds by its size, or None for a compressed file.
        longer: Whether it is longer than the header says.
    """

    path: Path
    rows: tuple[int, ...]
    frames: int | None
    longer: bool


def check_files(source: WfdbInput, folder: Path, name: str) -> int:
    """Check where the signal files are, how they are written, and that they are whole.

    Returns:
        The length of the record in frames.

    Raises:
        DataError: A file is missing, truncated, outside ``folder``, or in an unknown format, or is
            longer than the header says without checksums that show which part is meant.
    """
    header = source.header
    files = [
        _signal_file(source, folder, name, file_name)
        for file_name in dict.fromkeys(source.file_names)
    ]
    if header.sig_len:
        for found in files:
            if found.longer and None in [header.checksum[row] for row in found.rows]:
                raise damaged(
                    folder,
                    name,
                    f"{found.path.name} holds more samples than {name}.hea says, "
                    "and no checksum shows which are meant.",
                )
        return int(header.sig_len)
    lengths = {found.frames for found in files if found.frames is not None}
    if len(lengths) > 1:
        raise damaged(folder, name, "Its signal files have different lengths.")
    return lengths.pop() if lengths else len(_record(source, folder, name).e_d_signal[0])


def _signal_file(source: WfdbInput, folder: Path, name: str, file_name: str) -> SignalFile:
    header = source.header
    rows = tuple(i for i, other in enumerate(source.file_names) if other == file_name)
    formats = {str(header.fmt[row]) for row in rows}
    if len(formats) != 1 or not formats <= set(_KNOWN):
        raise damaged(
            folder,
            name,
            f"Its signal format is {', '.join(sorted(formats))}; "
            f"one of {', '.join(_KNOWN)} was expected.",
        )
    path = inside(folder, str(Path(name).parent / file_name), f"{name}.hea")
    actual = path.stat().st_size if path.is_file() else 0
    (form,) = formats
    if form in _COMPRESSED:
        if not actual:
            raise damaged(folder, name, f"{file_name} is missing or empty.")
        return SignalFile(path, rows, None, longer=False)
    if any(header.samps_per_frame[row] < 1 for row in rows):
        raise damaged(folder, name, "A lead has no samples in a frame.")
    frame_bytes = _BYTES_PER_SAMPLE[form] * sum(header.samps_per_frame[row] for row in rows)
    offset = header.byte_offset[rows[0]] or 0
    frames = int((actual - offset) / frame_bytes)
    if not header.sig_len:
        if frames < 1 or math.ceil(frames * frame_bytes) != actual - offset:
            raise damaged(
                folder,
                name,
                f"{file_name} holds {actual} bytes, which is no whole number of frames.",
            )
        return SignalFile(path, rows, frames, longer=False)
    expected = offset + math.ceil(frame_bytes * header.sig_len)
    if actual < expected:
        raise damaged(
            folder,
            name,
            f"{file_name} should hold {expected} bytes by its header, and holds {actual}.",
        )
    # A skewed signal goes on behind the record's last frame.
    longer = actual > expected and not any(header.skew[row] for row in rows)
    return SignalFile(path, rows, frames, longer)


def read(
    source: WfdbInput, folder: Path, name: str, rows: list[int], *, strict: bool
) -> tuple[NDArray[np.float64], int]:
    """Return some signals in physical units, NaN where marked invalid.

    Args:
        source: The record.
        folder: Its folder, for messages.
        name: Its name, for messages.
        rows: Which signals.
        strict: Require a checksum of every signal.

    Returns:
        The signals ``(rows, samples)``, and the number of their samples per frame.

    Raises:
        DataError: A file cannot be read, a checksum is wrong, or the signals have different rates.
    """
    header = source.header
    per_frame = {int(header.samps_per_frame[row]) for row in rows}
    if len(per_frame) > 1:
        raise damaged(folder, name, "The leads wanted have different sampling rates.")
    record = _record(source, folder, name)
    _check_sums(header, record.calc_checksum(expanded=True), folder, name, strict)
    if any(header.skew):
        # The checksum is that of the samples as stored; what is used has the skew taken out.
        record = _record(source, folder, name, ignore_skew=False)
    physical: list[NDArray[np.float64]] = record.dac(expanded=True)
    return np.stack([physical[row] for row in rows]), per_frame.pop()


def _check_sums(header: Any, computed: list[int], folder: Path, name: str, strict: bool) -> None:
    for lead, stated, found in zip(header.sig_name, header.checksum, computed, strict=True):
        # A 16-bit sum, which some programs write signed and others unsigned.
        if stated is None and not strict:
            continue
        if stated is None or (stated - found) % 65536:
            wanted = "missing" if stated is None else str(stated % 65536)
            raise damaged(
                folder,
                name,
                f"The checksum of lead {lead} is {wanted} in {name}.hea, "
                f"and its samples add up to {found % 65536} (modulo 65536).",
            )


def _record(source: WfdbInput, folder: Path, name: str, ignore_skew: bool = True) -> Any:
    try:
        return wfdb.rdrecord(
            str(source.path), physical=False, smooth_frames=False, ignore_skew=ignore_skew
        )
    except PARSER_ERRORS as error:
        raise damaged(folder, name, f"Its signal file cannot be read: {error}.") from error
