"""One trial: a compression in a run folder of its own, up to its validation scores."""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Literal

from edgeecg.compression import pipeline
from edgeecg.compression.job import Job
from edgeecg.data import Dataset
from edgeecg.errors import EdgeECGError
from edgeecg.models import Architecture, architecture
from edgeecg.runs import RunFolder
from edgeecg.runs.lock import locked
from edgeecg.schema import (
    CompressionConfig,
    CompressionLog,
    CompressionStep,
    QuantizationLog,
    Rollback,
)
from edgeecg.schema.search import SCORES, Objective, formatted
from edgeecg.tuning import objectives as measured, pareto

MARGIN = 0.02
"""A trial is pruned when a finished one has a score higher by this and costs no more."""

_LOCK_TIMEOUT_S = 10.0
_FULL = (errno.ENOSPC, errno.EDQUOT)

OnStep = Callable[[float], None]
"""Called with the fraction of a trial that is done, 0..1, once that is on the disk."""


@dataclass(frozen=True)
class Task:
    """What a worker needs to know of a trial.

    Attributes:
        number: Of the trial in its study.
        attempt: How often it was handed out before.
        run: Name of its run folder.
        config: What is to be done.
        objectives: What is measured.
        finished: Values of the trials that were complete when this one was handed out; empty where
            no trial is to be stopped early.
        command: For the journal.
        score_test: Whether the test records are scored, too: at the end, of the front alone.
    """

    number: int
    attempt: int
    run: str
    config: CompressionConfig
    objectives: tuple[Objective, ...]
    finished: tuple[tuple[float, ...], ...]
    command: str
    score_test: bool = False


@dataclass(frozen=True)
class Outcome:
    """The outcome of a trial.

    Attributes:
        state: ``"lost"`` (the worker is gone) and ``"full"`` (its disk is full) are not final: the
            trial can be tried again from its last checkpoint.
        seconds: How long it took.
        values: One per objective, or None unless it is complete.
        reason: Why it is not complete, or None.
    """

    state: Literal["complete", "pruned", "failed", "lost", "full"]
    seconds: float
    values: tuple[float, ...] | None = None
    reason: str | None = None


class _PrunedError(Exception):
    """A finished trial is better than this one can be expected to become."""


class _ListenerError(Exception):
    """What was called after a step has failed."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def perform(
    task: Task,
    run: RunFolder,
    dataset: Dataset,
    custom: Architecture | None = None,
    on_step: OnStep | None = None,
) -> Outcome:
    """Perform a trial, or go on with it from its checkpoint.

    Args:
        task: What to do.
        run: Where. The dense model is in it.
        dataset: The records; the test records are looked at with ``score_test`` alone.
        custom: The custom module, where the configuration is of one.
        on_step: Called after every step; what it raises is raised here, too.
    """
    begun = time.monotonic()

    def after_step(event: CompressionStep | Rollback) -> None:
        if on_step is not None:
            try:
                on_step(event.progress)
            except Exception as error:
                raise _ListenerError(error) from error
        if isinstance(event, CompressionStep):
            _prune_if_dominated(task, event)

    def ended(state: Literal["pruned", "failed", "full"], reason: str) -> Outcome:
        return Outcome(state, time.monotonic() - begun, None, reason)

    job = Job(
        task.config,
        dataset,
        run,
        task.command,
        on_step=after_step,
        custom=custom,
        score_test=task.score_test,
    )
    try:
        with _locked_soon(run):
            # A user may have finished it with 'edgeecg compress --resume' meanwhile.
            done = run.finished
            log = CompressionLog.from_file(run.compression_log) if done else pipeline.compress(job)
        values = _values(task, run, log, architecture(job.model, custom))
    except _ListenerError as failed:
        # Not of this trial: its caller is gone, or stops the search.
        raise failed.error from None
    except _PrunedError as stop:
        return ended("pruned", str(stop))
    except EdgeECGError as error:
        state = "full" if is_full(error) else "failed"
        return ended(state, f"{error.what} {error.why}")
    except OSError as error:
        return ended("full" if is_full(error) else "failed", f"{error}")
    except Exception as error:  # A bug in one corner of the space must not end the search.
        return ended("failed", f"{type(error).__name__}: {error}")
    return Outcome("complete", time.monotonic() - begun, values)


def _values(task: Task, run: RunFolder, log: CompressionLog, of: Architecture) -> tuple[float, ...]:
    int8 = QuantizationLog.from_file(run.quantization) if run.quantization.is_file() else None
    found = measured.of_run(log, int8, of)
    return tuple(found[each] for each in task.objectives)


def _prune_if_dominated(task: Task, step: CompressionStep) -> None:
    """Stop a trial whose likely end a finished trial beats.

    Later steps make a model cheaper and seldom better. So its score now is taken as its last one,
    and what it costs in the end is extrapolated: steps are equal factors, so that after a fraction
    p of them a cost with the final share r is at about r^p.

    That holds of budgets. Where a sparsity says how much is removed, what later steps save does not
    follow from the first ones.

    Raises:
        _PrunedError: A finished trial has a score that is better by ``MARGIN`` and costs no more.
    """
    if step.progress >= 1 or not any(each in SCORES for each in task.objectives):
        return
    if not task.config.budgets:
        return
    now = measured.of_step(step, task.config)
    if task.config.quantize != "none":
        # Int8 makes a model smaller by up to four, and cheaper by more.
        return
    dense_bytes = step.weight_bytes / max(1e-9, 1 - step.sparsity)
    whole = {"size": dense_bytes}
    expected: list[float] = []
    for each in task.objectives:
        if each in SCORES:
            expected.append(now[each] + MARGIN)
        else:
            share = now[each] / whole.get(each, 1.0)
            expected.append(whole.get(each, 1.0) * share ** (1 / step.progress))
    likely = pareto.losses(expected, task.objectives)
    for values in task.finished:
        if pareto.dominates(pareto.losses(values, task.objectives), likely):
            named = zip(task.objectives, expected, strict=True)
            shown = ", ".join(f"{name} {formatted(name, value)}" for name, value in named)
            raise _PrunedError(
                f"After step {step.step} at best {shown} can be expected, and a finished trial is "
                "better in all of it."
            )


def is_full(error: BaseException | None) -> bool:
    """Return whether an error is, or was caused by, a full disk."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        error = error.__cause__
    return False


@contextlib.contextmanager
def _locked_soon(run: RunFolder) -> Generator[None]:
    """Hold the lock of a run; the worker of a search that was just killed may take a moment to end.

    Raises:
        EdgeECGError: Another process goes on holding it.
    """
    deadline = time.monotonic() + _LOCK_TIMEOUT_S
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(locked(run))
                break
            except EdgeECGError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        yield
