"""``edgeecg bench`` as a function."""

from __future__ import annotations

from edgeecg.cli import run


def bench(*arguments: object) -> int:
    """Run the command with these arguments and return its exit status."""
    return run(["bench", *map(str, arguments)])
