"""Choosing a run: a new one, the newest, or one by its name."""

from __future__ import annotations

import os
import shlex
from datetime import datetime
from pathlib import Path

from edgeecg.errors import ON_A_WORKSTATION, EdgeECGError, UsageError, measures_only
from edgeecg.files import check_writable
from edgeecg.runs.folder import RUNS, RunFolder
from edgeecg.runs.unfinished import unfinished

_LONGEST_NAME = 255
"""Bytes, on the usual file systems of Linux, macOS and Windows."""


def new_run(name: str | None, model: str) -> RunFolder:
    """Choose a run folder, which is not there yet, or in which no run was started.

    Args:
        name: Name of the run; None for the model's name and the time.
        model: Name of the model.

    Raises:
        UsageError: The name cannot be a folder's, or is taken.
        EdgeECGError: The folder cannot be made or written to.
    """
    if name is not None and (why := _misnamed(name)):
        raise UsageError(f"{name!r} cannot be the name of a run.", why, "Choose another --name.")
    if name is not None and (length := len(os.fsencode(name))) > _LONGEST_NAME:
        raise EdgeECGError(
            f"The folder of the run {name!r} cannot be made.",
            f"File name too long: it has {length} bytes, and may have {_LONGEST_NAME}.",
            "Choose another --name.",
        )
    run = RunFolder(RUNS / (name or f"{model}-{datetime.now():%Y%m%d-%H%M%S}"))
    # A process that was killed before it wrote its settings leaves hidden files alone.
    if run.path.is_file() or any(run.path.glob("[!.]*")):
        raise UsageError(
            f"There is a run named '{run.name}' already.",
            "A run is never overwritten.",
            "Choose another --name, or go on with it by --resume.",
        )
    check_writable(run.config)
    return run


def _misnamed(name: str) -> str | None:
    """Return why a new run cannot have a name, or None where it can."""
    if name in ("", ".", "..") or Path(name).name != name:
        return f"It names a folder under '{RUNS}/', so it holds no slash and is not empty."
    if name.startswith("-"):
        return "In a command line, a name with a dash in front is taken for an option."
    if not name.isprintable():
        return "It holds a line break or another character that cannot be printed."
    return None


def given_name(given: str) -> str:
    """Return the name of something in ``runs/`` that is there already, as a user gave it.

    The completion of a shell gives a folder with a slash behind it, perhaps with ``runs/`` before.

    Args:
        given: ``NAME``, ``NAME/`` or ``runs/NAME``.

    Raises:
        UsageError: It is no name in ``runs/``.
    """
    path = Path(given)
    name = path.name if path.parent in (Path(), RUNS) else ""
    if name in ("", ".."):
        raise UsageError(
            f"{given!r} is not the name of a run.",
            f"What goes on lies in '{RUNS}/' of the present folder, under its name.",
            "Give the name of its folder, without a path.",
        )
    return name


def newest(runs: Path = RUNS) -> RunFolder:
    """Return the finished run that was written last.

    Raises:
        EdgeECGError: There is no finished run; says how to make one.
    """
    finished = [run for path in sorted(runs.glob("*")) if (run := RunFolder(path)).finished]
    if not finished:
        raise EdgeECGError(
            f"There is no finished run in '{runs}/'.",
            "This command works on what 'edgeecg compress' left there.",
            ON_A_WORKSTATION
            if measures_only()
            else "Run 'edgeecg compress' first (or 'edgeecg compress --resume' to finish one).",
        )
    return max(finished, key=lambda run: run.model_card.stat().st_mtime_ns)


def named(name: str, runs: Path = RUNS) -> RunFolder:
    """Return the run with this name, or the run folder at this path.

    Raises:
        EdgeECGError: There is no such run, or it is not finished.
    """
    for path in (runs / name, Path(name)):
        if path.is_dir():
            run = RunFolder(path)
            if run.finished:
                return run
            raise unfinished(run)
    known = ", ".join(sorted(path.name for path in runs.glob("*"))) or "none"
    raise EdgeECGError(
        f"There is no run '{name}'.",
        f"The runs in '{runs}/' are: {known}.",
        "Name one of them, or leave the name out for the newest.",
    )


def exportable(name: str, runs: Path = RUNS) -> RunFolder:
    """Return the run with this name, or at this path: a finished one, or one of a dense model.

    Raises:
        EdgeECGError: There is no such run, or it is not finished.
    """
    dense = (run for path in (runs / name, Path(name)) if (run := RunFolder(path)).dense_only)
    return next(dense, None) or named(name, runs)


def trained(name: str, runs: Path = RUNS) -> RunFolder:
    """Return the run with this name, or at this path, that holds a trained dense model.

    Raises:
        EdgeECGError: There is none, or its training is not finished.
    """
    for path in (runs / name, Path(name)):
        if RunFolder(path).baseline_card.is_file():
            return RunFolder(path)
    for path in (runs / name, Path(name)):
        if RunFolder(path).search.is_file():
            dense = RunFolder(path.with_name(f"{path.name}-dense"))
            raise EdgeECGError(
                f"'{path}' is a search.",
                "The dense model of its trials is in a run of its own.",
                f"Name that run: --start {dense.shell_name}",
            )
    raise EdgeECGError(
        f"There is no trained model in a run '{name}'.",
        f"Neither '{runs / name}' nor '{name}' holds a 'baseline.json'.",
        f"Train one: edgeecg train --name {shlex.quote(name)} (or go on with it by --resume).",
    )


def newest_untrained(name: str | None = None) -> RunFolder:
    """Return the run with this name, or the one of 'edgeecg train' that was started last.

    Raises:
        EdgeECGError: There is no such run, or its training is finished.
    """
    name = None if name is None else given_name(name)
    started = [RunFolder(path.parent) for path in sorted(RUNS.glob("*/training.json"))]
    wanted = [
        run for run in started if name in (None, run.name) and not run.baseline_card.is_file()
    ]
    if not wanted:
        finished = any(run.name == name for run in started)
        raise EdgeECGError(
            "There is nothing to resume.",
            f"The training of '{name}' is finished."
            if finished
            else f"'{RUNS / (name or '')}' holds no unfinished run of 'edgeecg train'.",
            "Go on with 'edgeecg compress --start NAME', or start with 'edgeecg train'.",
        )
    return max(wanted, key=lambda run: run.training.stat().st_mtime_ns)


def newest_unfinished(name: str | None = None) -> RunFolder:
    """Return the run with this name, or the unfinished run that was started last.

    Trials of a search have to be named: 'edgeecg search --resume' goes on with them, and going on
    here scores the test records.

    Raises:
        EdgeECGError: There is no such run, or it is finished already.
    """
    name = None if name is None else given_name(name)
    started = [RunFolder(path.parent) for path in sorted(RUNS.glob("*/config.json"))]
    wanted = [
        run
        for run in started
        if not run.finished and (run.name == name if name is not None else not run.of_search)
    ]
    if not wanted:
        finished = any(run.name == name for run in started)
        raise EdgeECGError(
            "There is nothing to resume.",
            f"The run '{name}' is finished."
            if finished
            else f"'{RUNS / (name or '')}' holds no unfinished run of 'edgeecg compress'.",
            "Go on with 'edgeecg export', or start a run with 'edgeecg compress'.",
        )
    return max(wanted, key=lambda run: run.config.stat().st_mtime_ns)
