"""A record's files as wfdb can read them.

wfdb refuses headers for things that have nothing to do with the signal: a date that is not
``dd/mm/yyyy``, a file name with two dots, a letter that is not ASCII. So wfdb gets a header with
the fields that matter, next to links to the record's files.
"""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import wfdb

from edgeecg.data.records.paths import inside
from edgeecg.data.records.units import with_latin_micro
from edgeecg.errors import DataError

PARSER_ERRORS = (ValueError, LookupError, TypeError, AttributeError, OSError, ArithmeticError)
"""What wfdb lets through when a file is not what it should be."""

_COMMENT = "#"
_NO_FILE = "~"
_RATE = re.compile(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?(/.*)?")


@dataclass(frozen=True)
class WfdbInput:
    """One record, ready for wfdb.

    Attributes:
        path: Path to give to wfdb, without a suffix.
        header: What wfdb reads from the header: a ``wfdb.Record`` or ``wfdb.MultiRecord``.
        file_names: Signal file of each signal, as the header names it.
        comments: Comment lines of the header, without ``#``.
    """

    path: Path
    header: Any
    file_names: tuple[str, ...]
    comments: tuple[str, ...]


@contextmanager
def opened(folder: Path, name: str) -> Generator[WfdbInput]:
    """Yield a record for wfdb; its copy of the header is removed at the end.

    Args:
        folder: Folder that holds ``NAME.hea``.
        name: Record name; may begin with a folder inside ``folder``.

    Raises:
        DataError: The header is missing or is something else, or the record or one of its signal
            files is outside ``folder``.
    """
    path = inside(folder, name, "The list of records")
    try:
        content = path.with_name(f"{path.name}.hea").read_bytes()
    except OSError as error:
        why = f"{name}.hea cannot be read: {error.strerror or error}."
        raise damaged(folder, name, why) from error
    lines = [line.strip() for line in _text(content).splitlines()]
    comments = tuple(line.strip(f"{_COMMENT} \t") for line in lines if line.startswith(_COMMENT))
    lines = [line for line in lines if line and not line.startswith(_COMMENT)]
    try:
        first = _record_line(lines[0])
        multi = "/" in first.split()[0]
        file_names = () if multi else tuple(line.split()[0] for line in lines[1:])
    except (LookupError, ValueError) as error:
        raise damaged(folder, name, f"{name}.hea is not the header of a record.") from error
    with tempfile.TemporaryDirectory(prefix="edgeecg-") as temporary:
        here = Path(temporary)
        links = _link(here, folder, name, file_names)
        rest = lines[1:] if multi else [_signal_line(line, links) for line in lines[1:]]
        text = "\n".join([first, *rest]) + "\n"
        (here / "r.hea").write_text(text, "ascii", errors="replace")
        try:
            header: Any = wfdb.rdheader(str(here / "r"))
        except PARSER_ERRORS as error:
            raise damaged(folder, name, f"{name}.hea cannot be read: {error}.") from error
        yield WfdbInput(here / "r", header, file_names, comments)


def damaged(folder: Path, name: str, why: str) -> DataError:
    """Return the error to raise about one record.

    Args:
        folder: Its folder.
        name: Its name.
        why: What is wrong with it.
    """
    return DataError(
        f"Record {name} in '{folder}' is damaged or incomplete.",
        why,
        "Get the record again from where it came ('edgeecg data fetch' does so for a database), or "
        "leave it out.",
    )


def _text(content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return with_latin_micro(text)


def _record_line(line: str) -> str:
    """Return name, segments, signals, rate and length of a record line; dates do not matter.

    Raises:
        ValueError: It is something else.
        IndexError: It has a single field.
    """
    fields = line.split()
    _, slash, segments = fields[0].partition("/")
    kept = [f"r/{int(segments)}" if slash else "r", str(int(fields[1]))]
    if len(fields) > 2:
        if _RATE.fullmatch(fields[2]) is None:
            raise ValueError("the third field is the sampling rate")
        fs_hz = float(fields[2].partition("/")[0])
        # repr has all digits; wfdb does not know the form 2.5e2.
        rate = f"{fs_hz:.12f}".rstrip("0").rstrip(".")
        if not math.isfinite(fs_hz) or float(rate) <= 0:
            raise ValueError("a sampling rate is a number above 0")
        kept.append(rate)
        # A length of 0 says, as a missing one does, that the length is that of the signal file.
        if len(fields) > 3 and fields[3].isdecimal() and int(fields[3]):
            kept.append(fields[3])
    return " ".join(kept)


def _signal_line(line: str, links: dict[str, str]) -> str:
    file_name, *rest = line.split(maxsplit=1)
    return " ".join([links[file_name], *rest])


def _link(here: Path, folder: Path, name: str, file_names: tuple[str, ...]) -> dict[str, str]:
    """Link the record's files; return the name of each link by the name in the header."""
    links: dict[str, str] = {}
    for file_name in dict.fromkeys(file_names):
        if file_name == _NO_FILE:
            links[file_name] = file_name
            continue
        target = inside(folder, str(Path(name).parent / file_name), f"{name}.hea")
        links[file_name] = f"s{len(links)}"
        (here / links[file_name]).symlink_to(target.resolve())
    annotations = folder / f"{name}.atr"
    if annotations.is_file():
        (here / "r.atr").symlink_to(annotations.resolve())
    return links
