"""The JSON files in the folder ``bench`` of a run: measurements, or instructions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from edgeecg.errors import EdgeECGError
from edgeecg.schema import InstructionReport

_Found = TypeVar("_Found")


def holds_instructions(path: Path) -> bool:
    """Whether a file has counts of an emulated core; not if it cannot be read.

    Args:
        path: A JSON file.
    """
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(document, dict) and document.get("schema") == InstructionReport.version


def readable(
    paths: Iterable[Path], read: Callable[[Path], _Found]
) -> tuple[dict[Path, _Found], dict[Path, str]]:
    """Read files that were found in a run: one that is damaged must not cost the others.

    Args:
        paths: The files.
        read: Reads one of them.

    Returns:
        What was read, and why each of the other files was not.
    """
    found: dict[Path, _Found] = {}
    damaged: dict[Path, str] = {}
    for path in paths:
        try:
            found[path] = read(path)
        except EdgeECGError as error:
            damaged[path] = f"{error.what} {error.why} {error.todo}"
    return found, damaged
