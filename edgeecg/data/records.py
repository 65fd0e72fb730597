"""The one reader of WFDB records, real or synthetic. What is damaged is named, never repaired."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import wfdb
from numpy.typing import NDArray

from edgeecg.errors import DataError

_BYTES_PER_SAMPLE = {
    "8": Fraction(1),
    "16": Fraction(2),
    "24": Fraction(3),
    "32": Fraction(4),
    "61": Fraction(2),
    "80": Fraction(1),
    "160": Fraction(2),
    "212": Fraction(3, 2),
}
# What wfdb lets through when a file is not what it should be.
_PARSER_ERRORS = (ValueError, LookupError, TypeError, AttributeError, OSError, ArithmeticError)


@dataclass(frozen=True)
class Record:
    """One record, checked.

    Attributes:
        name: Record name.
        fs_hz: Sampling rate.
        signal_mv: Leads in the order asked for, float64, ``(leads, samples)``, millivolts.
        samples: Position of each annotation, 0-based, int64, ``(annotations,)``.
        symbols: Symbol of each annotation.
    """

    name: str
    fs_hz: float
    signal_mv: NDArray[np.float64]
    samples: NDArray[np.int64]
    symbols: tuple[str, ...]


def read(folder: Path, name: str, leads: tuple[str, ...]) -> Record:
    """Read one record and check it against its own header.

    Args:
        folder: Folder that holds ``NAME.hea``, ``NAME.dat`` and ``NAME.atr``.
        name: Record name.
        leads: Leads wanted, by name.

    Raises:
        DataError: A file is missing, unreadable or truncated, a checksum does not fit, a lead is
            missing or not in millivolts, a sample is marked invalid, or an annotation lies outside
            the record.
    """
    header = _read_header(folder, name)
    rows = _find_leads(header, folder, name, leads)
    _check_size(header, folder, name)
    signal = _read_signal(header, folder, name)[:, rows].T
    for lead, row in zip(leads, signal, strict=True):
        invalid = int(np.count_nonzero(~np.isfinite(row)))
        if invalid:
            raise _damaged(
                folder, name, f"{invalid} samples of lead {lead} are marked invalid in {name}.dat."
            )
    samples, symbols = _read_annotations(folder, name, signal.shape[1])
    return Record(name, float(header.fs), np.ascontiguousarray(signal), samples, symbols)


def _read_header(folder: Path, name: str) -> Any:
    try:
        header = wfdb.rdheader(str(folder / name))
    except _PARSER_ERRORS as error:
        raise _damaged(folder, name, f"{name}.hea cannot be read: {error}.") from error
    complete = (
        isinstance(header, wfdb.Record)
        and header.sig_len
        and header.fs
        and header.n_sig
        and header.sig_name
        and None not in header.sig_name
    )
    if not complete:
        raise _damaged(
            folder, name, f"{name}.hea does not give the rate, the length and the leads' names."
        )
    return header


def _find_leads(header: Any, folder: Path, name: str, leads: tuple[str, ...]) -> list[int]:
    present: list[str] = list(header.sig_name)
    for lead in leads:
        if lead not in present:
            raise DataError(
                f"Record {name} in '{folder}' has no lead {lead}.",
                f"Its leads are: {', '.join(present)}.",
                "Leave the record out, or choose leads that every record has.",
            )
        unit = header.units[present.index(lead)]
        if unit != "mV":
            raise DataError(
                f"Lead {lead} of record {name} in '{folder}' is not in millivolts.",
                f"{name}.hea gives its unit as '{unit}'.",
                "Give the record its gain in mV, or leave it out.",
            )
    return [present.index(lead) for lead in leads]


def _check_size(header: Any, folder: Path, name: str) -> None:
    expected_name = f"{name}.dat"
    if set(header.file_name) != {expected_name}:
        raise _damaged(
            folder,
            name,
            f"{name}.hea names {', '.join(sorted(set(header.file_name)))} as its signal file, "
            f"{expected_name} was expected.",
        )
    formats = set(header.fmt)
    if len(formats) != 1 or not formats <= _BYTES_PER_SAMPLE.keys():
        raise _damaged(
            folder,
            name,
            f"Its signal format is {', '.join(sorted(formats))}; "
            f"one of {', '.join(_BYTES_PER_SAMPLE)} was expected.",
        )
    per_frame = sum(header.samps_per_frame)
    if per_frame != header.n_sig:
        raise _damaged(folder, name, "Its leads have different sampling rates.")
    samples = header.sig_len * per_frame
    expected = (header.byte_offset[0] or 0) + math.ceil(_BYTES_PER_SAMPLE[formats.pop()] * samples)
    path = folder / expected_name
    actual = path.stat().st_size if path.is_file() else 0
    if actual != expected:
        raise _damaged(
            folder,
            name,
            f"{expected_name} should hold {expected} bytes by its header, and holds {actual}.",
        )


def _read_signal(header: Any, folder: Path, name: str) -> NDArray[np.float64]:
    """Return all leads in physical units, ``(samples, leads)``."""
    try:
        record: Any = wfdb.rdrecord(str(folder / name), physical=False)
        computed: list[int] = list(record.calc_checksum())
        signal: NDArray[np.float64] = record.dac()
    except _PARSER_ERRORS as error:
        raise _damaged(folder, name, f"{name}.dat cannot be read: {error}.") from error
    for lead, stated, found in zip(header.sig_name, header.checksum, computed, strict=True):
        # A 16-bit sum, which some programs write signed and others unsigned.
        if stated is None or (stated - found) % 65536:
            wanted = "missing" if stated is None else str(stated % 65536)
            raise _damaged(
                folder,
                name,
                f"The checksum of lead {lead} is {wanted} in {name}.hea, "
                f"and its samples add up to {found % 65536} (modulo 65536).",
            )
    return signal


def _read_annotations(
    folder: Path, name: str, length: int
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    path = folder / f"{name}.atr"
    try:
        # An MIT annotation file is closed by a zero word; without it the tail is missing.
        closed = path.read_bytes()[-2:] == b"\0\0"
        annotation: Any = wfdb.rdann(str(folder / name), "atr") if closed else None
    except _PARSER_ERRORS as error:
        raise _damaged(folder, name, f"{name}.atr cannot be read: {error}.") from error
    if annotation is None:
        raise _damaged(folder, name, f"{name}.atr is truncated: its end mark is missing.")
    samples: NDArray[np.int64] = np.asarray(annotation.sample, dtype=np.int64)
    symbols = tuple(str(symbol) for symbol in annotation.symbol)
    outside = samples[(samples < 0) | (samples >= length)]
    if outside.size:
        raise _damaged(
            folder,
            name,
            f"{name}.atr has an annotation at sample {outside[0]}; the record has {length}.",
        )
    return samples, symbols


def _damaged(folder: Path, name: str, why: str) -> DataError:
    return DataError(
        f"Record {name} in '{folder}' is damaged or incomplete.",
        why,
        "Get the record again from where it came; for MIT-BIH: "
        f"python -c \"import wfdb; wfdb.dl_database('mitdb', '{folder}', records=['{name}'])\"",
    )
