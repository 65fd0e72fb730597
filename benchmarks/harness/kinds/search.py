"""Is a search worth it? The front of Optuna beside that of as many random trials.

Each run searches one model with one sampler, named in its options. The validation records decide;
the test records are scored once, at the end, for the members of the front. The hypervolume is that
of the validation values, beyond a reference point which every useful model beats.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from edgeecg.models import architecture
from edgeecg.runs import RUNS, RunFolder
from edgeecg.schema import CompressionLog, Front
from edgeecg.tuning import pareto
from edgeecg.tuning.search import search

from ..dense_models import toy_training, trained
from ..experiment import Context, Experiment, Run
from ..tasks import Task, UnfinishedError

PACKAGES = ("torch", "numpy", "optuna")


def tasks(experiment: Experiment, context: Context) -> Iterable[Task]:
    """Return a task for each model, sampler and seed."""
    for run in experiment.runs:
        for seed in experiment.seeds:
            made = partial(_rows, run, seed, experiment.settings, context)
            key = {"model": run.model, "sampler": run.options["sampler"], "seed": seed}
            yield Task(key, made, group=(run.model or "", seed))


def _rows(run: Run, seed: int, settings: dict[str, Any], context: Context) -> list[dict[str, Any]]:
    found = searched(run, seed, settings, context)
    epochs = {
        trial.run: fine_tuning_epochs(RunFolder(RUNS / trial.run))
        for trial in found.trials
        if trial.state == "complete"
    }
    return [row(found, settings["reference"], epochs)]


def searched(run: Run, seed: int, settings: dict[str, Any], context: Context) -> Front:
    """Search, or go on with a search that was begun; return what it found.

    Args:
        run: Model and sampler.
        seed: Of the dense model, the sampler and fine-tuning.
        settings: ``trials``: how many; the other settings are those of the row.
        context: Toy size or not, and the time after which no trial is started.

    Raises:
        UnfinishedError: The time was over before the last trial; a later run goes on with it.
    """
    model, sampler = run.model or "", run.options["sampler"]
    name = f"search-{model}-{sampler}-{seed}"
    if (RUNS / name / "search.json").is_file():
        found = search(resume=name, minutes=_minutes_left(context))
    else:
        asked: dict[str, Any] = toy_training(model) if context.quick else {}
        if architecture(model).TASK == "beats":
            asked["start"] = trained(model, seed, context.quick).name
        asked["minutes"] = _minutes_left(context)
        found = search(
            model, name=name, trials=settings["trials"], sampler=sampler, seed=seed, **asked
        )
    if not found.finished:
        raise UnfinishedError(
            f"The search '{name}' is not finished.",
            f"The time was over after {len(found.trials)} trials.",
            "Run the experiment again; it goes on with the next trial.",
        )
    return found


def _minutes_left(context: Context) -> float | None:
    if context.until_s == float("inf"):
        return None
    # A setting of 0 is refused; with less than a millisecond no trial is started either.
    return max(1e-5, (context.until_s - time.monotonic()) / 60)


def fine_tuning_epochs(run: RunFolder) -> int:
    """Return for how many epochs the steps of a run were fine-tuned; undone steps do not count.

    A guard may undo steps and add smaller ones, so that this does not follow from the settings.
    """
    log = CompressionLog.from_file(run.compression_log)
    return sum(len(step.train_loss) for step in log.steps)


def row(found: Front, reference: Sequence[float], epochs: Mapping[str, int]) -> dict[str, Any]:
    """Return what is kept of a search.

    Args:
        found: The finished search.
        reference: Macro-F1 and energy that count nothing.
        epochs: Of fine-tuning, by the run of each complete trial.
    """
    values = [trial.values for trial in found.trials if trial.values is not None]
    by_run = {trial.run: trial for trial in found.trials}
    states = [trial.state for trial in found.trials]
    return {
        "data": found.data,
        "objectives": list(found.objectives),
        "trials": len(states),
        "complete": states.count("complete"),
        "pruned": states.count("pruned"),
        "failed": states.count("failed"),
        "reference": list(reference),
        "hypervolume": pareto.hypervolume(values, reference, found.objectives),
        "seconds": sum(trial.seconds for trial in found.trials),
        "front": [
            {"values": by_run[name].values, "test": by_run[name].test, **by_run[name].params}
            for name in found.front
        ],
        "completed": [
            {"values": trial.values, "epochs": epochs[trial.run], **trial.params}
            for trial in found.trials
            if trial.state == "complete"
        ],
    }
