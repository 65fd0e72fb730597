"""Records of a folder that cannot be used: counted, reported, or refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from edgeecg.errors import DataError

UNUSABLE = "record that cannot be used"
"""Reason in ``DataSummary.skipped``; the reason of each is in ``DataSummary.left_out``."""

ANNOTATION_OUTSIDE = "annotation outside the record"
"""Reason for annotations before the first or after the last sample of their record."""

_NOTED = 5
_FOLDER = "'{folder}'"


def counted(left_out: Mapping[str, str]) -> dict[str, int]:
    """Return what ``DataSummary.skipped`` says of records that cannot be used."""
    return {UNUSABLE: len(left_out)} if left_out else {}


def notes(left_out: Mapping[str, str]) -> tuple[str, ...]:
    """Return a note for each of the first records that cannot be used, and one for the rest."""
    lines = [f"Left out: {reason}" for reason in list(left_out.values())[:_NOTED]]
    if len(left_out) > _NOTED:
        lines.append(f"Left out: {len(left_out) - _NOTED:,} more records.")
    return tuple(lines)


def refuse(folder: Path, left_out: Mapping[str, str], skipped: Mapping[str, int]) -> None:
    """Refuse a folder in which something would be left out.

    Raises:
        DataError: A record cannot be used, or annotations are outside their record.
    """
    outside = skipped.get(ANNOTATION_OUTSIDE, 0)
    todo = "Correct or remove what is named, or leave it out by not asking for --strict."
    if left_out:
        raise DataError(
            f"{len(left_out)} records in '{folder}' cannot be used.",
            next(iter(left_out.values())),
            todo,
        )
    if outside:
        raise DataError(
            f"Annotations of the records in '{folder}' cannot be used.",
            f"{outside} of them are before the first or after the last sample of their record.",
            todo,
        )


def to_store(reasons: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return reasons without the name of their folder, as the cache keeps them.

    The same records may lie in another folder the next time.

    Args:
        reasons: Why a record could not be used, by its name.
        folder: The folder of the records.
    """
    return {name: why.replace(f"'{folder}'", _FOLDER) for name, why in reasons.items()}


def from_store(reasons: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return reasons from the cache, about a folder.

    Args:
        reasons: As :func:`to_store` returns them.
        folder: The folder of the records.
    """
    return {name: why.replace(_FOLDER, f"'{folder}'") for name, why in reasons.items()}
