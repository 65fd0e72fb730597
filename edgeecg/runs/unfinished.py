"""What is missing in a run without a compressed model, and how to go on with it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from edgeecg.errors import EdgeECGError
from edgeecg.runs.folder import RUNS, RunFolder

if TYPE_CHECKING:
    from edgeecg.schema import Front


def unfinished(run: RunFolder) -> EdgeECGError:
    """Return the error of a run without a compressed model, or of what is no run.

    Args:
        run: The run.
    """
    if run.search.is_file():
        what, why = f"'{run.path}' is a search.", "Each of its trials is a run."
    elif run.dense_only:
        what, why = f"The run '{run.path}' holds a dense model only.", "Nothing was compressed."
    elif run.reduced:
        what = f"The run '{run.path}' is a trial of a search, not scored on the test records yet."
        why = "A search scores the trials of its front alone."
    else:
        what = f"The run '{run.path}' is not finished."
        why = f"'{run.model_card.name}' is not there yet."
    return EdgeECGError(what, why, how_to_finish(run))


def how_to_finish(run: RunFolder) -> str:
    """Return what to do with a run that has no compressed model.

    Args:
        run: The run.
    """
    if run.search.is_file():
        return f"Name one of its trials, such as {_trial_of(run)}; front.json lists them."
    if run.reduced:
        return f"Score it: edgeecg export --run {run.shell_name}"
    if run.dense_only:
        return f"Compress its dense model: edgeecg compress --start {run.shell_name}"
    if run.of_search and not _ended_in_search(run):
        search = run.name.rpartition("-")[0]
        return (
            f"It is a trial of a search. Go on with: edgeecg search --resume {shlex.quote(search)}"
        )
    if run.config.is_file():
        return _how_to_resume(run, "compress")
    if run.training.is_file():
        return _how_to_resume(run, "train")
    parent = RunFolder(run.path.absolute().parent)
    if parent.finished or parent.baseline_card.is_file() or parent.config.is_file():
        return f"It lies in the folder of a run: name {parent.shell_name}."
    return "No run was started in this folder: name another one."


def _how_to_resume(run: RunFolder, verb: str) -> str:
    """Return how to go on with a run, which is possible by its name in ``runs/`` alone."""
    command = f"edgeecg {verb} --name {shlex.quote(run.name)} --resume"
    if run.in_runs:
        return f"Go on with: {command}"
    runs = run.path.absolute().parent
    if runs.name == RUNS.name:
        return f"Go on with: cd {shlex.quote(str(runs.parent))} && {command}"
    return f"Move it to '{RUNS / run.name}' and go on with: {command}"


def _ended_in_search(trial: RunFolder) -> bool:
    """Return whether the search of a trial has listed how it ended: pruned, failed or complete."""
    front = _front(RunFolder(trial.path.with_name(trial.name.rpartition("-")[0])))
    return front is not None and any(each.run == trial.name for each in front.trials)


def _front(search: RunFolder) -> Front | None:
    """Return the front of a search, or None before its first trial."""
    from edgeecg.schema import Front

    path = search.path / "front.json"
    return Front.from_file(path) if path.is_file() else None


def _trial_of(search: RunFolder) -> str:
    """Return the first trial of a search's front, or the name that its first trial will have."""
    front = _front(search)
    trial = front.front[0] if front is not None and front.front else f"{search.name}-000"
    return RunFolder(search.path.with_name(trial)).shell_name
