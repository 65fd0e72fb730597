"""How much faster a search is with two workers than with one.

All variants of a seed perform the same random trials, which are of one length: the epochs of
fine-tuning are given. Measured are the time of the whole search, with the records, the start of
the workers and the scores of the front on the test records, and the time in which trials ran, whose
share grows with their number.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Generator, Iterable
from functools import partial
from typing import Any

from edgeecg.runs import RUNS
from edgeecg.tuning.running import SearchStatus
from edgeecg.tuning.search import search

from ..dense_models import toy_training
from ..experiment import Context, Experiment, Run
from ..tasks import Task

PACKAGES = ("torch", "numpy", "optuna", "ray")

_SPACE = {
    "budget": {"kind": "energy", "low": 0.2, "high": 0.4},
    "steps": 2,
    "finetune_epochs": 1,
}


def tasks(experiment: Experiment, context: Context) -> Iterable[Task]:
    """Return a task for each seed and variant; those of one seed are measured in turn."""
    for seed in experiment.seeds:
        for run in experiment.runs:
            made = partial(_rows, run, seed, experiment.settings["trials"], context.quick)
            key = {"model": run.model, **run.options, "seed": seed}
            yield Task(key, made)


def _rows(run: Run, seed: int, trials: int, quick: bool) -> list[dict[str, Any]]:
    model, workers, on = run.model or "", run.options["workers"], run.options["on"]
    name = f"workers-{on}-{workers}-{seed}"
    # Only a whole search is a measurement: one that was stopped is begun again.
    for folder in RUNS.glob(f"{name}*"):
        shutil.rmtree(folder)
    asked: dict[str, Any] = toy_training(model) if quick else {}
    with contextlib.ExitStack() as stack:
        if on == "ray":
            asked["ray"] = stack.enter_context(_cluster(workers))
        ran: list[float] = []

        def on_status(now: SearchStatus) -> None:
            # From the start of the first trial to the end of the last one.
            if now.running or now.front.trials:
                ran.append(time.perf_counter())

        begun = time.perf_counter()
        found = search(
            model,
            name=name,
            trials=trials,
            sampler="random",
            seed=seed,
            prune=False,
            workers=workers,
            space=_SPACE,
            finetune_last_epochs=1,
            on_status=on_status,
            **asked,
        )
        seconds = time.perf_counter() - begun
    return [
        {
            "data": found.data,
            "trials": len(found.trials),
            "complete": [trial.state for trial in found.trials].count("complete"),
            "seconds": seconds,
            "seconds_of_trials": ran[-1] - ran[0],
            "trial_seconds": [trial.seconds for trial in found.trials],
            "values": [trial.values for trial in found.trials],
        }
    ]


@contextlib.contextmanager
def _cluster(nodes: int) -> Generator[str]:
    """Start a Ray cluster with this many nodes of one processor each; yield its address."""
    # Ray starts its workers with a low priority, which the other variants do not have.
    os.environ.update({"RAY_worker_niceness": "0", "RAY_USAGE_STATS_ENABLED": "0"})
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args=head)
    try:
        for _ in range(nodes):
            made.add_node(num_cpus=1)
        made.wait_for_nodes()
        yield str(made.address)
    finally:
        made.shutdown()
