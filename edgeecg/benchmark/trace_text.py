"""The lines of a CSV file, whatever its encoding and its delimiter."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from edgeecg.errors import DataError
from edgeecg.files import read_bytes

HEADER_LINES = 60
"""A header comes in one of the first lines, after those in which a program describes itself."""

_DELIMITERS = ";\t,"
_OTHER_FILES = {
    b"PK\x03\x04": "It is a ZIP archive, such as the .ppk2 session of Nordic's Power Profiler.",
    b"\xd3tagfmt": "It is a .jls recording of the Joulescope software.",
}


def rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield number and fields of every line that is not empty.

    Args:
        path: The file.

    Raises:
        DataError: It cannot be read, is empty, or is no text.
    """
    text = _text(path)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    try:
        for row in reader:
            if len(row) > 1 or (row and row[0].strip()):
                yield reader.line_num, row
    except csv.Error as error:
        raise DataError(
            f"Line {reader.line_num} of {path} cannot be read.",
            f"{str(error).capitalize()}.",
            "Export the trace again.",
        ) from error


def number(text: str) -> float | None:
    """Return a number, with a point or a comma before its decimals; None for anything else."""
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        return None


def _text(path: Path) -> str:
    content = read_bytes(path, f"The trace '{path}'", DataError, "Check the name.")
    for begin, meaning in _OTHER_FILES.items():
        if content.startswith(begin):
            raise _not_text(path, meaning)
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = content.decode("utf-16", errors="replace")
    elif b"\0" in content:
        raise _not_text(path, "It has bytes that occur in no text.")
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            # Windows programs write the micro sign like this.
            text = content.decode("cp1252", errors="replace")
    if not text.strip():
        raise DataError(
            f"The trace '{path}' is empty.", "It has no line with text.", "Export it again."
        )
    return text


def _not_text(path: Path, why: str) -> DataError:
    return DataError(
        f"The trace '{path}' is not a text file.",
        why,
        "Export the recording as CSV from the instrument's program.",
    )


def _delimiter(text: str) -> str:
    """Return the delimiter of the columns: commas may be decimal ones where there is another."""
    lines = [line for line in islice(io.StringIO(text), HEADER_LINES) if line.strip()]
    return next((each for each in _DELIMITERS if each in lines[-1]), ",")
