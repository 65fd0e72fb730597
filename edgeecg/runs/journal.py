"""``log.jsonl``: what happened in a run and when, one JSON object per line."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


class Journal:
    """Appends events to a file. A process that is killed damages at most the last line."""

    def __init__(self, path: Path) -> None:
        """Keep the path; the file is created with the first event."""
        self._path = path

    def read(self) -> list[dict[str, Any]]:
        """Return all events, oldest first; a damaged line is left out."""
        if not self._path.is_file():
            return []
        events: list[dict[str, Any]] = []
        for line in self._path.read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(ValueError, RecursionError):
                event = json.loads(line)
                if isinstance(event, dict):
                    events.append(event)  # pyright: ignore[reportUnknownArgumentType]
        return events

    def commands(self) -> list[str]:
        """Return the command that started the run, then those that went on with it."""
        found = [
            (event.get("event"), str(event["command"]))
            for event in self.read()
            if event.get("event") in ("start", "resume") and "command" in event
        ]
        started = [command for kind, command in found if kind == "start"][:1]
        return [*started, *(command for kind, command in found if kind == "resume")]

    def write(self, event: str, **facts: Any) -> None:
        """Append one event with the present time.

        Args:
            event: What happened.
            facts: Anything JSON can hold.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        line = json.dumps({"time": now, "event": event, **facts})
        held = self._path.read_bytes() if self._path.is_file() else b""
        # A process that was killed may have left a part of a line.
        behind = "\n" if held and not held.endswith(b"\n") else ""
        with self._path.open("a", encoding="utf-8") as opened:
            opened.write(f"{behind}{line}\n")
