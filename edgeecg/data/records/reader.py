"""Reading WFDB records. Damage is reported as an error and never repaired.

A known database is read strictly. The user's records state less and name their files as they like,
so for them ``strict`` is False; whatever their headers state is still checked.
"""

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
_MILLIVOLTS = {"mV": 1.0, "uV": 1e-3, "V": 1e3}
# What wfdb lets through when a file is not what it should be.
_PARSER_ERRORS = (ValueError, LookupError, TypeError, AttributeError, OSError, ArithmeticError)


@dataclass(frozen=True)
class RecordHeader:
    """What the header of a record states.

    Attributes:
        name: Record name.
        fs_hz: Sampling rate.
        leads: Names of its leads, in the order of the file.
        length: Samples per lead.
        files: Names of its signal files, relative to the header's folder.
        annotated: Whether there is a ``NAME.atr`` beside it.
    """

    name: str
    fs_hz: float
    leads: tuple[str, ...]
    length: int
    files: tuple[str, ...]
    annotated: bool


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
    """

    name: str
    fs_hz: float
    signal_mv: NDArray[np.float64]
    samples: NDArray[np.int64]
    symbols: tuple[str, ...]


def read(
    folder: Path,
    name: str,
    leads: tuple[str, ...],
    *,
    strict: bool = True,
    annotated: bool = True,
) -> Record:
    """Read one record and check it against its header.

    Args:
        folder: Folder that holds ``NAME.hea``, its signal file and ``NAME.atr``.
        name: Record name; may begin with a folder inside ``folder``.
        leads: Leads wanted, by name.
        strict: Require that the signal is in ``NAME.dat``, in millivolts, with a checksum and
            without invalid samples. If not, any signal file inside ``folder`` will do, volts and
            microvolts are converted, a checksum that is not stated is not missed, leads are found
            in upper or lower case, and invalid samples come as NaN.
        annotated: Read ``NAME.atr``; without it the record comes with no annotations.

    Raises:
        DataError: A file is missing, unreadable, truncated or outside ``folder``; a
            checksum does not fit; a lead is missing, in another unit or flat; a sample is marked
            invalid; or an annotation is outside the record.
    """
    header = _read_header(folder, name)
    rows = _find_leads(header, folder, name, leads, strict)
    _check_files(header, folder, name, strict)
    signal = _read_signal(header, folder, name, strict)[:, rows].T
    signal *= np.array([[_MILLIVOLTS[header.units[row]]] for row in rows])
    for lead, row in zip(leads, signal, strict=True):
        invalid = int(np.count_nonzero(~np.isfinite(row)))
        if invalid and strict:
            raise _damaged(
                folder, name, f"{invalid} samples of lead {lead} are marked invalid in {name}.dat."
            )
        _check_alive(row, lead, folder, name)
    if annotated:
        samples, symbols = _read_annotations(folder, name, signal.shape[1])
    else:
        samples, symbols = np.zeros(0, np.int64), ()
    return Record(name, float(header.fs), np.ascontiguousarray(signal), samples, symbols)


def describe(folder: Path, name: str) -> RecordHeader:
    """Read a record's header alone.

    Raises:
        DataError: The header is missing, is something else, or is outside ``folder``.
    """
    found = _read_header(folder, name)
    return RecordHeader(
        name,
        float(found.fs),
        tuple(found.sig_name),
        int(found.sig_len),
        tuple(dict.fromkeys(found.file_name)),
        (folder / f"{name}.atr").is_file(),
    )


def _read_header(folder: Path, name: str) -> Any:
    path = inside(folder, name, "The list of records")
    try:
        text = path.with_name(f"{path.name}.hea").read_bytes()
        header = wfdb.rdheader(str(path))
    except _PARSER_ERRORS as error:
        raise _damaged(folder, name, f"{name}.hea cannot be read: {error}.") from error
    # wfdb drops what is not ASCII, which would make volts of microvolts written with a Greek mu.
    lines = [line for line in text.splitlines() if not line.lstrip().startswith(b"#")]
    if not all(line.isascii() for line in lines):
        raise _damaged(folder, name, f"{name}.hea has letters that are not ASCII outside comments.")
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


def _find_leads(
    header: Any, folder: Path, name: str, leads: tuple[str, ...], strict: bool
) -> list[int]:
    present: list[str] = list(header.sig_name)
    folded = [lead.upper() for lead in present]
    rows: list[int] = []
    for lead in leads:
        if lead in present:
            row = present.index(lead)
        elif not strict and folded.count(lead.upper()) == 1:
            row = folded.index(lead.upper())
        else:
            raise DataError(
                f"Record {name} in '{folder}' has no lead {lead}.",
                f"Its leads are: {', '.join(present)}.",
                "Leave the record out, or choose leads that every record has."
                if strict
                else f"Say what it is called there, e.g. --leads {lead}={present[0]}, "
                "or leave the record out.",
            )
        unit = header.units[row]
        if unit not in (("mV",) if strict else _MILLIVOLTS):
            raise DataError(
                f"Lead {lead} of record {name} in '{folder}' is not in millivolts.",
                f"{name}.hea gives its unit as '{unit}'.",
                "Give the record its gain in mV, or leave it out.",
            )
        rows.append(row)
    return rows


def _check_files(header: Any, folder: Path, name: str, strict: bool) -> None:
    """Check where the signal files are, how they are written, and that they are whole."""
    names: list[str] = list(header.file_name)
    expected_name = f"{Path(name).name}.dat"
    if strict and set(names) != {expected_name}:
        raise _damaged(
            folder,
            name,
            f"{name}.hea names {', '.join(sorted(set(names)))} as its signal file, "
            f"{expected_name} was expected.",
        )
    if sum(header.samps_per_frame) != header.n_sig:
        raise _damaged(folder, name, "Its leads have different sampling rates.")
    for file_name in dict.fromkeys(names):
        own = [i for i, other in enumerate(names) if other == file_name]
        formats = {header.fmt[i] for i in own}
        if len(formats) != 1 or not formats <= _BYTES_PER_SAMPLE.keys():
            raise _damaged(
                folder,
                name,
                f"Its signal format is {', '.join(sorted(formats))}; "
                f"one of {', '.join(_BYTES_PER_SAMPLE)} was expected.",
            )
        path = inside(folder, str(Path(name).parent / file_name), f"{name}.hea")
        stored = math.ceil(_BYTES_PER_SAMPLE[formats.pop()] * header.sig_len * len(own))
        expected = (header.byte_offset[own[0]] or 0) + stored
        actual = path.stat().st_size if path.is_file() else 0
        if actual != expected:
            raise _damaged(
                folder,
                name,
                f"{file_name} should hold {expected} bytes by its header, and holds {actual}.",
            )


def _check_alive(row: NDArray[np.float64], lead: str, folder: Path, name: str) -> None:
    valid = row[np.isfinite(row)]
    if valid.size and valid.min() < valid.max():
        return
    raise DataError(
        f"Lead {lead} of record {name} in '{folder}' is flat.",
        f"Every sample is {valid[0]:g} mV." if valid.size else "Every sample is marked invalid.",
        "Leave the record out, or choose another lead.",
    )


def _read_signal(header: Any, folder: Path, name: str, strict: bool) -> NDArray[np.float64]:
    """Return all leads in physical units, ``(samples, leads)``."""
    try:
        record: Any = wfdb.rdrecord(str(folder / name), physical=False)
        computed: list[int] = list(record.calc_checksum())
        signal: NDArray[np.float64] = record.dac()
    except _PARSER_ERRORS as error:
        raise _damaged(folder, name, f"{name}.dat cannot be read: {error}.") from error
    for lead, stated, found in zip(header.sig_name, header.checksum, computed, strict=True):
        # A 16-bit sum, which some programs write signed and others unsigned.
        if stated is None and not strict:
            continue
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
        "Get the record again from where it came; for MIT-BIH: edgeecg data fetch mitdb",
    )
