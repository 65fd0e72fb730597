"""Where the command line speaks: results on standard output, progress and errors on the other."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from edgeecg.errors import EdgeECGError, UsageError
from edgeecg.files import check_writable, write_text
from edgeecg.progress import ProgressCallback

if TYPE_CHECKING:
    from rich.progress import Progress

LINE_SECONDS = 30.0
"""Where no terminal shows a progress bar, long work prints a line this often."""


def _console(stderr: bool) -> Console:
    # What is printed holds names of files and records, in which brackets and colons mean nothing.
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)


def errors() -> Console:
    """Return a console on standard error."""
    return _console(stderr=True)


def output(json_path: Path | None) -> Console:
    """Return the console for tables and sentences.

    Args:
        json_path: The command's ``--json`` option; ``-`` reserves standard output for the JSON, so
            that everything else goes to standard error.

    Raises:
        EdgeECGError: The file cannot be written; found before the work that would be lost.
    """
    refuse_unwritable(json_path)
    return _console(stderr=json_path == Path("-"))


def refuse_unwritable(*paths: Path | None) -> None:
    """Refuse files that cannot be written, before the work that would be lost.

    Args:
        paths: Where a command writes; ``-`` is standard output, None is nowhere.

    Raises:
        EdgeECGError: One of them cannot be written.
    """
    for path in paths:
        if path is not None and path != Path("-"):
            check_writable(path)


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
        TextColumn("{task.description}", markup=False),
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


def command(*words: object) -> str:
    """Return a command of edgeecg as a shell takes it: names with spaces are quoted.

    Args:
        words: Its words, without ``edgeecg``.
    """
    return shlex.join(["edgeecg", *map(str, words)])


def command_line() -> str:
    """Return the command that is running, as it can be given to a shell again."""
    return command(*sys.argv[1:])


def emit_json(json_path: Path | None, text: str) -> None:
    """Write JSON text where ``--json`` says: ``-`` is standard output, None is nowhere.

    Raises:
        EdgeECGError: The file could not be written.
    """
    if json_path is None:
        return
    if json_path == Path("-"):
        sys.stdout.write(text)
        # A full disk is found here, and not at the end of the program.
        sys.stdout.flush()
    else:
        write_text(json_path, text)


def confirmed(question: str, beforehand: str) -> bool:
    """Ask on standard error, since standard output may be for the JSON.

    Args:
        question: What is asked.
        beforehand: The command that agrees without being asked.

    Raises:
        UsageError: There is nobody to be asked.
    """
    import typer

    try:
        return typer.confirm(question, err=True)
    except typer.Abort as stop:
        # Ctrl-C raises it, too.
        if not isinstance(stop.__context__, EOFError):
            raise
        raise UsageError(
            "This needs your consent.",
            f"'{question}' has no answer, because standard input has ended.",
            f"Agree beforehand: {beforehand}",
        ) from stop


def show_error(error: EdgeECGError) -> None:
    """Print what failed, why, and what to do, a line each, and the notes that it was given."""
    console = errors()
    console.print("Error: ", style="bold red", end="")
    console.print(_safe(error.what), soft_wrap=True)
    console.print(f"  Why:   {_safe(error.why)}", soft_wrap=True)
    console.print(f"  To do: {_safe(error.todo)}", soft_wrap=True)
    for note in getattr(error, "__notes__", ()):
        console.print(f"  Note:  {_safe(note)}", soft_wrap=True)


def _safe(text: str) -> str:
    """Return a text, which may quote a file, on one line and without control characters."""
    from edgeecg.reporting import units

    return units.printable(" ".join(text.split("\n")))
