"""``edgeecg bench`` as a function."""

from __future__ import annotations

import sys
from pathlib import Path

from edgeecg.cli import run

SUITE = """
description = "For tests."
warmup_runs = 1
warmup_seconds = 0.0
min_runs = 10
min_seconds = 0.0
energy_windows = 3
energy_window_seconds = {seconds}
idle_window_seconds = {seconds}
"""


def bench(*arguments: object) -> int:
    """Run the command with these arguments and return its exit status."""
    return run(["bench", *map(str, arguments)])


def write_suites() -> None:
    """Write ``tiny.toml``, a suite of a few seconds, and ``long.toml``, one of minutes, here."""
    Path("tiny.toml").write_text(SUITE.format(seconds=0.5))
    Path("long.toml").write_text(SUITE.format(seconds=60.0))


def bench_on(host: str, *arguments: object) -> int:
    """Run the command on a host with the Python of the tests, and the suite ``tiny.toml``."""
    where = ("--on", host, "--python", sys.executable, "--suite", "tiny.toml")
    return bench(*where, *arguments)
