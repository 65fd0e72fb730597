"""``log.jsonl``: what happened in a run, when; one JSON object a line."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


class Journal:
    """Appends events to a file; each line stands for itself, so a kill costs at most the last."""

    def __init__(self, path: Path) -> None:
        """Remember the file; it is created with the first event."""
        self._path = path

    def write(self, event: str, **facts: Any) -> None:
        """Append one event with the present time.

        Args:
            event: What happened.
            facts: Anything JSON can hold.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        line = json.dumps({"time": now, "event": event, **facts})
        with self._path.open("a", encoding="utf-8") as opened:
            opened.write(line + "\n")
