"""What a table says of how its rows were made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..provenance import NOT_RECORDED


def known(rows: Iterable[Mapping[str, Any]], field: str) -> list[str]:
    """Return the different values of a field, without those that were not recorded."""
    values = {str(row[field]) for row in rows if row.get(field) not in (None, NOT_RECORDED)}
    return sorted(values)


def made_by(rows: Sequence[Mapping[str, Any]], cpu: bool = False) -> str:
    """Return the sentence on machine, revision and versions.

    Args:
        rows: Rows with the fields of ``harness.provenance.KEYS``.
        cpu: Name the processor, too.
    """
    machine = "; ".join(known(rows, "machine"))
    if cpu and known(rows, "cpu"):
        machine += f", {'; '.join(known(rows, 'cpu'))}"
    revisions = ", ".join(known(rows, "git_revision"))
    return f"Machine: {machine}. Revision {revisions}. {packages(rows)}.{uncommitted(rows)}"


def uncommitted(rows: Iterable[Mapping[str, Any]]) -> str:
    """Say that rows are of code that was not committed, or return an empty text."""
    if not any(row["dirty"] is True for row in rows):
        return ""
    return " A revision with + had uncommitted changes; its rows are to be measured again."


def packages(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the packages with their versions; several where the rows differ."""
    found: dict[str, list[str]] = {}
    for row in rows:
        versions = row["versions"]
        if isinstance(versions, Mapping):
            for name, number in versions.items():
                held = found.setdefault(str(name), [])
                if number not in held:
                    held.append(number)
    return ", ".join(f"{name} {' and '.join(sorted(each))}" for name, each in found.items())
