"""Results: one JSON-lines file for each experiment, one row for each thing that was measured.

Rows are only appended. A process that is killed while it writes leaves a last line without its end:
:func:`read` leaves it out, and :func:`append` removes it, so that its task is measured again.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgeecg.errors import EdgeECGError, SchemaError

Row = dict[str, Any]


def read(path: Path) -> list[Row]:
    """Return the rows of a file; none where there is no file.

    Args:
        path: A JSON-lines file.

    Raises:
        SchemaError: A line other than an unfinished last one is not a JSON object.
    """
    if not path.is_file():
        return []
    rows: list[Row] = []
    for number, line in enumerate(_whole(path.read_bytes()).splitlines(), start=1):
        try:
            row: object = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise SchemaError(
                f"{path} is damaged.",
                f"Line {number} is not a JSON object.",
                "Restore the file, or delete the line: what it held is then measured again.",
            )
        rows.append(row)
    return rows


def append(path: Path, rows: Iterable[Row]) -> None:
    """Add rows to a file, after removing an unfinished last line.

    Several processes may add to one file: each waits until no other does.

    Args:
        path: A JSON-lines file, which need not exist.
        rows: What is added.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    with path.open("ab+") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        opened.seek(0)
        opened.truncate(len(_whole(opened.read())))
        opened.write(lines.encode())
        opened.flush()
        os.fsync(opened.fileno())


def _whole(content: bytes) -> bytes:
    """Return the content up to the end of its last whole line."""
    return content[: content.rfind(b"\n") + 1]


def matching(rows: Iterable[Row], key: Mapping[str, Any]) -> list[Row]:
    """Return the rows that have all values of a key."""
    return [row for row in rows if all(row.get(name) == value for name, value in key.items())]


def same_processor(row: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two rows were measured on one kind of processor.

    Dense models of one seed are equal there; on another kind they differ.

    Args:
        row: With ``cpu`` and ``cpu_features``.
        other: The same.
    """
    return all(row[field] == other[field] for field in ("cpu", "cpu_features"))


def same_machine(rows: Sequence[Mapping[str, Any]], what: str) -> None:
    """Check that times which are divided by each other are from one machine.

    Args:
        rows: Rows with ``machine`` and ``cpu``.
        what: What is computed from them, for the message.

    Raises:
        EdgeECGError: They are from two machines.
    """
    machines = sorted({f"{row.get('machine')}, {row.get('cpu')}" for row in rows})
    if len(machines) > 1:
        raise EdgeECGError(
            f"{what} cannot be computed.",
            f"Its rows are from {len(machines)} machines: {'; '.join(machines)}.",
            "Delete the rows of one machine from the results and run the experiment again.",
        )
