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
        machine += f", {processors(rows)}"
    revisions = ", ".join(known(rows, "git_revision"))
    return f"Machine: {machine}. Revision {revisions}. {packages(rows)}.{uncommitted(rows)}"


def processors(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the names of the processors; virtual machines give one name to several kinds."""
    named: list[str] = []
    for name in known(rows, "cpu"):
        features = [row.get("cpu_features") for row in rows if row.get("cpu") == name]
        wide = {"avx512f" in each for each in features if isinstance(each, list)}
        named.append(f"{name} with and without AVX-512" if len(wide) > 1 else name)
    return "; ".join(named)


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
