"""What the JSON files in the folder ``bench`` of a run hold: measurements, or instructions."""

from __future__ import annotations

import json
from pathlib import Path

from edgeecg.schema import InstructionReport


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
