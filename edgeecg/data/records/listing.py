"""Which WFDB records a folder holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from edgeecg.data.records.paths import inside
from edgeecg.errors import DataError

INDEX = "RECORDS"
"""File that lists the records of a folder: a record or a folder inside it a line."""

_SUFFIX = ".hea"
_WITH_SEGMENTS = re.compile(rb"\s*\S+/\d+\s")


def record_names(path: Path) -> tuple[str, ...]:
    """Return the names of a folder's records, in the order of ``RECORDS`` or of the alphabet.

    A line of ``RECORDS`` names a record, with or without ``.hea``, or a folder, whose records are
    meant. Without ``RECORDS`` the records are the folder's ``*.hea`` files, or those of the folders
    inside it where it has none. Segments of a record of several segments are no records.

    A record that ``RECORDS`` names and that is missing is returned too: reading it says so.

    Raises:
        DataError: There is no such folder, it holds no record, or ``RECORDS`` names something
            outside it.
    """
    if not path.is_dir():
        raise no_folder(path)
    names = tuple(dict.fromkeys(_listed(path, path)))
    if not names:
        raise DataError(
            f"There are no records in '{path}'.",
            f"It has neither a file {INDEX} that names any nor a file NAME.hea.",
            "Give the folder that holds the WFDB files; records in EDF or CSV, for example, can be "
            "converted with the package wfdb (wfdb.wrsamp).",
        )
    return names


def is_missing(path: Path, name: str) -> bool:
    """Return whether a folder lacks the header of a record."""
    return not (path / f"{name}{_SUFFIX}").is_file()


def missing_record(path: Path, name: str) -> DataError:
    """Return the error to raise about a record that is listed and missing."""
    return DataError(
        f"The record '{name}' in '{path}' is missing.",
        f"{INDEX} names it, and there is no '{name}{_SUFFIX}'.",
        f"Put the record there, or take its line out of {INDEX}.",
    )


def no_folder(path: Path) -> DataError:
    """Return the error to raise about a folder that does not exist."""
    return DataError(
        "The records were not found.",
        f"There is no folder '{path}'.",
        "Give the folder that holds the WFDB files (NAME.hea and its signal file).",
    )


def _listed(root: Path, folder: Path, above: frozenset[Path] = frozenset()) -> Iterator[str]:
    """Yield the names, relative to ``root``, of the records of a folder inside it.

    Args:
        root: The folder that was asked for.
        folder: That folder, or one inside it.
        above: The folders that led here, so that links in a circle come to an end.
    """
    index = folder / INDEX
    if not index.is_file():
        yield from _found(root, folder)
        return
    above |= {folder.resolve()}
    for line in index.read_text(encoding="utf-8-sig", errors="replace").splitlines():
        entry = line.strip().removesuffix(_SUFFIX).rstrip("/")
        if not Path(entry).name:
            continue
        target = inside(folder, f"{entry}{_SUFFIX}", INDEX).with_name(Path(entry).name)
        if target.is_dir() and not _header(target).is_file():
            inside(root, str(target.relative_to(root) / "any"), INDEX)
            if target.resolve() not in above:
                yield from _listed(root, target, above)
        else:
            yield str(target.relative_to(root))


def _found(root: Path, folder: Path) -> Iterator[str]:
    headers = sorted(folder.glob(f"*{_SUFFIX}")) or sorted(folder.rglob(f"*{_SUFFIX}"))
    segments = {segment for header in headers for segment in _segments(header)}
    for header in headers:
        name = header.with_name(header.name.removesuffix(_SUFFIX))
        if name not in segments:
            yield str(name.relative_to(root))


def _segments(header: Path) -> Iterator[Path]:
    """Yield the paths, without suffix, of the segments of a record that has some."""
    try:
        with header.open("rb") as opened:
            first = opened.readline(1000)
            while first.lstrip().startswith(b"#"):
                first = opened.readline(1000)
            if _WITH_SEGMENTS.match(first):
                for line in opened:
                    fields = line.split()
                    if len(fields) == 2:
                        yield header.with_name(fields[0].decode("ascii", "replace"))
    except OSError:
        # Reading the record itself says what is wrong with it.
        return


def _header(path: Path) -> Path:
    return path.with_name(f"{path.name}{_SUFFIX}")
