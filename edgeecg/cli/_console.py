"""Where the command line speaks: results on standard output, progress and errors on the other."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from edgeecg.errors import EdgeECGError
from edgeecg.files import check_writable, write_text
from edgeecg.progress import ProgressCallback

if TYPE_CHECKING:
    from rich.progress import Progress

LINE_SECONDS = 30.0
"""Where no terminal shows a progress bar, long work prints a line this often."""


def errors() -> Console:
    """Return a console on standard error."""
    return Console(stderr=True, highlight=False)


def output(json_path: Path | None) -> Console:
    """Return the console for tables and sentences.

    Args:
        json_path: The command's ``--json`` option; ``-`` reserves standard output for the JSON, so
            that everything else goes to standard error.

    Raises:
        EdgeECGError: The file cannot be written; found before the work that would be lost.
    """
    if json_path is not None and json_path != Path("-"):
        check_writable(json_path)
    return Console(stderr=json_path == Path("-"), highlight=False)


def progress() -> Progress:
    """Return a progress bar on standard error that is silent when that is not a terminal."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )

    console = errors()
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )


def shown(bar: Progress, first: str) -> ProgressCallback:
    """Return what long work calls to report its progress.

    Where the bar is not shown, a line is printed every :data:`LINE_SECONDS`.

    Args:
        bar: A started progress bar.
        first: What is being done first.
    """
    if bar.disable:
        return _in_lines()
    task = bar.add_task(first, total=None)

    def show(what: str, done: int, total: int) -> None:
        bar.update(task, description=what, completed=done, total=total, refresh=done == 0)

    return show


def _in_lines() -> ProgressCallback:
    """Return a callback that prints a line now and then, for a pipe or a log."""
    last = time.monotonic()

    def show(what: str, done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= LINE_SECONDS:
            last = time.monotonic()
            sys.stderr.write(f"{what}: {done:,} of {total:,}\n" if total else f"{what}\n")
            sys.stderr.flush()

    return show


def command_line() -> str:
    """Return the command that is running, as it can be given to a shell again."""
    return shlex.join(["edgeecg", *sys.argv[1:]])


def emit_json(json_path: Path | None, text: str) -> None:
    """Write JSON text where ``--json`` says: ``-`` is standard output, None is nowhere.

    Raises:
        EdgeECGError: The file could not be written.
    """
    if json_path is None:
        return
    if json_path == Path("-"):
        sys.stdout.write(text)
    else:
        write_text(json_path, text)


def show_error(error: EdgeECGError) -> None:
    """Print what failed, why, and what to do, a line each, and the notes that it was given."""
    console = errors()
    console.print(f"[bold red]Error:[/] {_escaped(error.what)}", soft_wrap=True)
    console.print(f"  Why:   {_escaped(error.why)}", soft_wrap=True)
    console.print(f"  To do: {_escaped(error.todo)}", soft_wrap=True)
    for note in getattr(error, "__notes__", ()):
        console.print(f"  Note:  {_escaped(note)}", soft_wrap=True)


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
