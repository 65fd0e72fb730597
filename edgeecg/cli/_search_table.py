"""What ``edgeecg search`` shows: the trials as they end, the front, and an estimate of the rest."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from edgeecg.cli._console import errors, progress, shown
from edgeecg.progress import ProgressCallback

if TYPE_CHECKING:
    from edgeecg.schema import Front, SearchTrial
    from edgeecg.schema.search import Objective
    from edgeecg.tuning.plan import Plan
    from edgeecg.tuning.running import SearchStatus

_SHOWN = 12


class StatusTable:
    """Where a search stands: counts, the trials that run, and the front so far."""

    def __init__(self, name: str) -> None:
        """Start with nothing to show.

        Args:
            name: Name of the search.
        """
        self._name = name
        self._status: SearchStatus | None = None
        self._printed: set[str] = set()

    def report(self, status: SearchStatus) -> None:
        """Take a new status; without a terminal, print a line for each trial that has ended."""
        first = self._status is None
        self._status = status
        for trial in status.front.trials:
            if trial.run in self._printed:
                continue
            self._printed.add(trial.run)
            # What a resumed search had before is no news.
            if not first and not errors().is_terminal:
                errors().print(
                    f"{len(self._printed)}/{status.trials} trials: "
                    f"{_outcome(trial, status.front.objectives)}; "
                    f"{_clock(status.seconds_left)} left",
                    soft_wrap=True,
                    markup=False,
                )

    def __rich__(self) -> RenderableType:
        """Return what a live display shows."""
        if self._status is None:
            return Text()
        status = self._status
        states = [trial.state for trial in status.front.trials]
        running = ", ".join(
            f"{number} ({done:.0%})" for number, done in sorted(status.running.items())
        )
        line = (
            f"{self._name}: {states.count('complete')} done, {len(status.running)} running, "
            f"{states.count('pruned')} pruned, {states.count('failed')} failed of "
            f"{status.trials}; {_clock(status.seconds_left)} left"
        )
        return Group(line, f"Running: {running or '-'}", front_table(status.front))


@contextlib.contextmanager
def live(table: StatusTable) -> Generator[ProgressCallback]:
    """Yield a callback for the training of the dense model, with the table above its bar.

    Both are on standard error, and gone at the end.

    Args:
        table: What is shown.
    """
    bar = progress()
    with contextlib.ExitStack() as stack:
        if bar.disable:
            stack.enter_context(bar)
        else:
            stack.enter_context(Live(Group(table, bar), console=bar.console, transient=True))
        yield shown(bar, "preparing the dense model")


def front_table(front: Front) -> Table:
    """Return the runs of the front with their values, the best score first."""
    table = Table("run", title=f"Front of {front.name}", box=SIMPLE_HEAD, pad_edge=False)
    tested = any(trial.test is not None for trial in front.trials)
    for name in (*front.objectives, *(["test"] if tested else [])):
        table.add_column(name, justify="right")
    by_name = {trial.run: trial for trial in front.trials}
    for name in front.front[:_SHOWN]:
        trial = by_name[name]
        cells = _cells(trial, front.objectives)
        if tested:
            cells.append("-" if trial.test is None else f"{trial.test:.3f}")
        table.add_row(name, *cells)
    if len(front.front) > _SHOWN:
        table.add_row(f"and {len(front.front) - _SHOWN} more", *[""] * len(front.objectives))
    return table


def show(console: Console, front: Front) -> None:
    """Print the front, how many trials ended how, and why trials failed.

    Args:
        console: Where to.
        front: What was found.
    """
    for warning in front.warnings:
        console.print(f"Warning: {warning}", style="yellow", soft_wrap=True, markup=False)
    console.print(front_table(front))
    states = [trial.state for trial in front.trials]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    console.print(f"{len(states)} trials: {counts or 'none'}.")
    reasons = [trial.reason for trial in front.trials if trial.state == "failed" and trial.reason]
    for reason in dict.fromkeys(reasons):
        console.print(f"  Failed ({reasons.count(reason)}): {reason}", soft_wrap=True, markup=False)
    if front.finished and front.front:
        console.print(
            "The validation score decided; the test records were scored once, for the front alone.",
            soft_wrap=True,
        )


def show_estimate(console: Console, front: Front, plan: Plan) -> None:
    """Print how long the rest of a search takes, and how much disk.

    Args:
        console: Where to.
        front: The first trials.
        plan: The search.
    """
    from edgeecg.tuning.running import bytes_per_trial, seconds_left

    trials, workers = plan.config.trials, plan.config.workers or 1
    # How many a cluster performs at a time is not known here.
    at_a_time = f"with {workers} at a time"
    if plan.config.ray is not None and plan.config.workers is None:
        at_a_time = "of one processor"
    seconds = seconds_left(front, trials, workers)
    if seconds is None:
        console.print("No trial has succeeded yet, so that the others cannot be estimated.")
        return
    size = bytes_per_trial(front, plan.folder.parent)
    console.print(
        f"From {len(front.trials)} trials: {trials - len(front.trials)} more take about "
        f"{_clock(seconds)} {at_a_time}, and {trials} run folders "
        f"{trials * size / 1e6:,.1f} MB.",
        soft_wrap=True,
    )


def _outcome(trial: SearchTrial, objectives: Sequence[Objective]) -> str:
    if trial.values is None:
        return f"{trial.run} {trial.state}: {trial.reason}"
    named = zip(objectives, _cells(trial, objectives), strict=True)
    return f"{trial.run} " + ", ".join(f"{name} {value}" for name, value in named)


def _cells(trial: SearchTrial, objectives: Sequence[Objective]) -> list[str]:
    from edgeecg.schema.search import formatted

    pairs = zip(objectives, trial.values or (), strict=True)
    return [formatted(objective, value) for objective, value in pairs]


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return "an unknown time"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d} h" if hours else f"{minutes}:{rest:02d} min"
