"""A running search: trials are handed to workers, and their outcomes are kept."""

from __future__ import annotations

import shlex
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState

from edgeecg.compression import pipeline
from edgeecg.compression.job import Job
from edgeecg.errors import EdgeECGError
from edgeecg.files import write_text
from edgeecg.runs import RunFolder
from edgeecg.runs.lock import locked
from edgeecg.schema import CompressionConfig, ModelCard
from edgeecg.schema.search import Front, SearchTrial
from edgeecg.tuning import page, pareto, space
from edgeecg.tuning.plan import Plan
from edgeecg.tuning.study import Study, reason_of, seconds_of, state_of
from edgeecg.tuning.trial import Outcome, Task, is_full
from edgeecg.tuning.trial_folder import prepare
from edgeecg.tuning.workers import Workers

_POLL_S = 0.5


@dataclass
class SearchStatus:
    """Progress of a search.

    Attributes:
        front: The trials that have ended so far.
        trials: How many trials there will be.
        running: Fraction that is done of each running trial, by its number.
        seconds_left: Estimated time to the end; None before the first trial has ended.
    """

    front: Front
    trials: int
    running: dict[int, float] = field(default_factory=dict[int, float])
    seconds_left: float | None = None


OnStatus = Callable[[SearchStatus], None]
"""Called whenever something has changed."""


class RunningSearch:
    """A running search.

    Attributes:
        warnings: What the front says beside its trials.
    """

    def __init__(
        self,
        plan: Plan,
        study: Study,
        command: str,
        on_status: OnStatus | None,
        check_interrupt: Callable[[], None],
    ) -> None:
        """Start from the trials that the study holds.

        Args:
            plan: The search.
            study: Its trials.
            command: What started it, for the journal.
            on_status: Called whenever something has changed.
            check_interrupt: Raises KeyboardInterrupt if Ctrl-C was pressed.
        """
        self.warnings: tuple[str, ...] = ()
        self._plan = plan
        self._study = study
        self._command = command
        self._on_status = on_status
        self._check_interrupt = check_interrupt
        self._running: dict[int, float] = {}
        self._most_running = 1
        self._attempts: dict[int, int] = {}
        self._spent: dict[int, float] = {}

    def left(self, limit: int) -> bool:
        """Whether there is a trial to do."""
        return bool(self._study.unfinished()) or len(self._study.trials) < limit

    def on_progress(self, number: int, progress: float) -> None:
        """Report how much of a trial is done."""
        self._running[number] = progress
        self._show()

    def until(self, limit: int, workers: Workers, until_s: float = inf) -> None:
        """Perform trials until this many have been proposed and have ended.

        Args:
            limit: How many.
            workers: What performs them.
            until_s: ``time.monotonic()`` after which none is started.

        Raises:
            EdgeECGError: A disk is full.
        """
        # What was proposed before a kill comes first, and with the same parameters.
        waiting = deque(trial.number for trial in self._study.unfinished())
        self._show()
        while True:
            late = time.monotonic() >= until_s
            while not late and workers.free and (waiting or len(self._study.trials) < limit):
                number = waiting.popleft() if waiting else self._study.propose().number
                task = self._task(number)
                if task is not None:
                    workers.start(task)
                    self._running[number] = 0.0
                    self._most_running = max(self._most_running, len(self._running))
                    self._show()
                late = time.monotonic() >= until_s
            if not self._running and (late or not (waiting or len(self._study.trials) < limit)):
                return
            ended_now = workers.wait(_POLL_S)
            # A trial that ended by it has not failed: it goes on when the search is resumed.
            self._check_interrupt()
            for ended in ended_now:
                self._running.pop(ended.task.number, None)
                if not self._settled(ended.task, ended.outcome):
                    waiting.append(ended.task.number)
                self._show()

    def _task(self, number: int) -> Task | None:
        """Prepare the run folder of a trial; None where its choices contradict each other."""
        plan = self._plan
        trial = self._study.completed_draws(number)
        chosen = self._study.chosen(number)
        run = plan.run(number)
        try:
            config = space.configured(plan.config.base, plan.config.space, chosen, plan.custom)
        except EdgeECGError as error:
            self._study.fail(number, f"{error.what} {error.why}", 0.0)
            return None
        command = f"{self._command}  # trial {number} of {plan.name}"
        prepare(run, plan.dense, config)
        finished = tuple(
            tuple(each.values)
            for each in self._study.trials
            if each.state == TrialState.COMPLETE and each.number != trial.number
        )
        return Task(
            number,
            self._attempts.get(number, 0),
            run.name,
            config,
            plan.config.objectives,
            finished if plan.config.prune else (),
            command,
        )

    def _settled(self, task: Task, outcome: Outcome) -> bool:
        """Keep an outcome; False where the trial is to be tried again.

        Raises:
            EdgeECGError: A disk stays full.
        """
        number = task.number
        spent = self._spent[number] = self._spent.get(number, 0.0) + outcome.seconds
        reason = outcome.reason or ""
        if outcome.state == "complete":
            self._study.complete(number, outcome.values or (), spent)
        elif outcome.state == "pruned":
            self._study.prune(number, reason, spent)
        elif outcome.state == "failed":
            self._study.fail(number, reason, spent)
        else:
            self._attempts[number] = task.attempt + 1
            if self._attempts[number] <= self._plan.config.retries:
                return False
            if outcome.state == "full":
                raise disk_full(self._plan.name, reason)
            self._study.fail(number, f"Tried {task.attempt + 1} times. {reason}", spent)
        return True

    def _show(self) -> None:
        front = self._front(finished=False)
        write_text(self._plan.folder / "front.json", front.to_json())
        if self._on_status is not None:
            trials = self._plan.config.trials
            running = dict(self._running)
            left = seconds_left(front, trials, self._most_running)
            self._on_status(SearchStatus(front, trials, running, left))
        self._check_interrupt()

    def _front(self, finished: bool) -> Front:
        plan = self._plan
        ended = [trial for trial in self._study.trials if trial.state.is_finished()]
        trials = [self._described(trial) for trial in ended]
        points = {trial.run: trial.values for trial in trials if trial.values is not None}
        return Front(
            name=plan.name,
            model=plan.config.base.training.model,
            data=plan.dataset.summary.source,
            objectives=plan.config.objectives,
            trials=tuple(trials),
            front=tuple(pareto.front(points, plan.config.objectives)),
            finished=finished,
            warnings=self.warnings,
        )

    def _described(self, trial: FrozenTrial) -> SearchTrial:
        complete = trial.state == TrialState.COMPLETE
        return SearchTrial(
            run=self._plan.run(trial.number).name,
            values=tuple(trial.values) if complete else None,
            state=state_of(trial),
            params=self._study.chosen(trial.number),
            reason=reason_of(trial),
            seconds=seconds_of(trial),
        )

    def ended(self, finished: bool) -> Front:
        """Score the front on the test records, once; write it and its page, and return it.

        Args:
            finished: Whether all trials have ended.
        """
        front = self._front(finished)
        if finished:
            runs = {name: RunFolder(self._plan.folder.parent / name) for name in front.front}
            scores = {name: self.scored(run) for name, run in runs.items()}
            missing = tuple(
                f"'{run.path}' is not there, so its test score is not known. Put it back, then: "
                f"edgeecg search --resume {shlex.quote(front.name)}"
                for name, run in runs.items()
                if scores[name] is None
            )
            front = front.model_copy(update={"warnings": (*front.warnings, *missing)})
            trials = [
                trial.model_copy(update={"test": scores.get(trial.run)}) for trial in front.trials
            ]
            front = front.model_copy(update={"trials": tuple(trials)})
        write_text(self._plan.folder / "front.html", page.render(front))
        write_text(self._plan.folder / "front.json", front.to_json())
        return front

    def score_front(self, workers: Workers) -> None:
        """Let the workers score the front on the test records, once.

        What they leave, because one was lost or failed, :meth:`ended` scores and says why.

        Args:
            workers: What has performed the trials.
        """
        folder = self._plan.folder.parent
        runs = [RunFolder(folder / name) for name in self._front(finished=True).front]
        waiting = deque(run for run in runs if run.reduced)
        working = 0
        while waiting or working:
            while waiting and workers.free:
                run = waiting.popleft()
                workers.start(self._scoring(run))
                working += 1
            working -= len(workers.wait(_POLL_S))
            self._check_interrupt()

    def _scoring(self, run: RunFolder) -> Task:
        number = int(run.name.rpartition("-")[2])
        config = CompressionConfig.from_file(run.config)
        objectives = self._plan.config.objectives
        return Task(number, 0, run.name, config, objectives, (), self._command, score_test=True)

    def scored(self, run: RunFolder) -> float | None:
        """Return the headline test score of a run, which is finished by this.

        None where its folder is gone, or lies on another machine.
        """
        plan = self._plan
        if not (run.reduced or run.finished):
            return None
        if run.reduced:
            config = CompressionConfig.from_file(run.config)
            with locked(run):
                pipeline.compress(Job(config, plan.dataset, run, self._command, custom=plan.custom))
        card = ModelCard.from_file(run.model_card)
        return card.test.headline[1]


def seconds_left(front: Front, trials: int, workers: int) -> float | None:
    """Return how long the trials that have not ended will take; None before one has not failed.

    Args:
        front: What has ended.
        trials: How many there will be.
        workers: How many are performed at a time.
    """
    if all(trial.state == "failed" for trial in front.trials):
        return None
    # A trial that breaks a guard again and again fails after a long time.
    mean = sum(trial.seconds for trial in front.trials) / len(front.trials)
    return mean * max(0, trials - len(front.trials)) / workers


def bytes_per_trial(front: Front, runs: Path) -> int:
    """Return the mean size of the run folders of complete trials.

    Args:
        front: What has ended.
        runs: The folder of all runs.
    """
    sizes = [
        sum(path.stat().st_size for path in (runs / trial.run).rglob("*") if path.is_file())
        for trial in front.trials
        if trial.state == "complete"
    ]
    return sum(sizes) // len(sizes) if sizes else 0


def stopped(name: str, error: Exception) -> EdgeECGError:
    """Return the error of a search whose storage or system failed.

    Args:
        name: Of the search.
        error: What was raised.
    """
    if isinstance(error, OSError):
        why = f"The system said: {error.strerror or error}."
        if is_full(error):
            return disk_full(name, why)
    else:
        said = str(error).strip() or type(error).__name__
        why = f"The storage of the study failed: {said.splitlines()[0]}"
    return EdgeECGError(
        "The search stopped. What has ended is kept.",
        why,
        f"Once that is mended, go on: edgeecg search --resume {shlex.quote(name)}",
    )


def disk_full(name: str, why: str) -> EdgeECGError:
    """Return the error of a search whose files cannot be written.

    Args:
        name: Of the search.
        why: One sentence: the cause.
    """
    return EdgeECGError(
        "The search stopped: a file could not be written.",
        why,
        f"Free some space, then go on: edgeecg search --resume {shlex.quote(name)}",
    )
