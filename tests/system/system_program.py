"""Running the program as a user does: a subprocess in a folder of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

Program = Callable[..., subprocess.CompletedProcess[str]]

SMALL = (
    *("cnn1d", "--data", "synthetic", "--epochs", "2", "--epoch-windows", "512"),
    *("--steps", "2", "--finetune-epochs", "1"),
)
"""Options of ``edgeecg compress`` for a run of a few seconds."""


def command(*arguments: str) -> list[str]:
    """Return the argument list that runs ``edgeecg`` in this environment."""
    return [sys.executable, "-m", "edgeecg", *arguments]


def run_in(folder: Path) -> Program:
    """Return a function that runs ``edgeecg`` in ``folder`` and captures what it prints."""

    def run(*arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command(*arguments), cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done

    return run


def built_wheel(folder: Path) -> None:
    """Write a wheel of the working tree into a folder."""
    root = Path(__file__).parents[2]
    source = folder / "source"
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    for name in tracked:
        if (root / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), "."]
    subprocess.run(command, cwd=source, check=True, timeout=600)
