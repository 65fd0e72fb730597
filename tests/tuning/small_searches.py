"""Small searches: plans on toy records, and workers that only pretend to compress."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgeecg.compression.settings import configuration
from edgeecg.data import Dataset
from edgeecg.runs.options import Options
from edgeecg.schema import SearchConfig, Space
from edgeecg.schema.search import Sampler
from edgeecg.tuning import running, search as searching, space
from edgeecg.tuning.plan import Plan
from edgeecg.tuning.trial import Outcome, Task
from edgeecg.tuning.workers import Ended

SPACE = """
budget = { low = 0.3, high = 0.7 }
method = ["energy", "l1"]
alpha = { low = 0.0, high = 1.0 }
steps = { low = 2, high = 4, whole = true }
finetune_epochs = 1
finetune_rate = { low = 0.0005, high = 0.002, log = true }
quantize = ["none", "ptq"]
"""

NET = """
from torch import nn
from torch.nn import functional as F

SAMPLES = 256


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv1d(1, 16, 9, stride=4)
        self.second = nn.Conv1d(16, 32, 5, stride=2)
        self.head = nn.Linear(32, 3)

    def forward(self, x):
        return self.head(F.relu(self.second(F.relu(self.first(x)))).mean(dim=2))


def build():
    return Net()
"""
"""A module as a user might write it, with a function that builds it."""


def small_space(folder: Path) -> Space:
    path = folder / "space.toml"
    path.write_text(SPACE, encoding="utf-8")
    return space.read(path)


def small_config(folder: Path, trials: int = 6, sampler: Sampler = "tpe") -> SearchConfig:
    base, _ = configuration(Options({"training": {"model": "cnn1d", "data": "synthetic"}}))
    return SearchConfig(
        base=base,
        space=small_space(folder),
        objectives=("macro_f1", "energy"),
        trials=trials,
        sampler=sampler,
        data_sha256="0" * 64,
    )


def small_plan(folder: Path, dataset: Dataset, trials: int = 6) -> Plan:
    return Plan("S", small_config(folder, trials), dataset, None)


class PretendedWorkers:
    """Workers whose outcomes a test sets; two trials at a time."""

    def __init__(self, outcome: Callable[[Task], Outcome]) -> None:
        self.tasks: list[Task] = []
        self.closed = False
        self._outcome = outcome
        self._now: list[Task] = []

    @property
    def free(self) -> int:
        return 2 - len(self._now)

    def start(self, task: Task) -> None:
        self.tasks.append(task)
        self._now.append(task)

    def wait(self, timeout_s: float) -> list[Ended]:
        task = self._now.pop(0)
        return [Ended(task, self._outcome(task))]

    def close(self) -> None:
        self.closed = True


def pretend(patch: pytest.MonkeyPatch, outcome: Callable[[Task], Outcome]) -> PretendedWorkers:
    """Replace the workers, and leave the dense model and the test scores out."""
    workers = PretendedWorkers(outcome)

    def no_model(*_: object) -> tuple[str, ...]:
        return ()

    def no_files(*_: object) -> None: ...

    def no_score(*_: object) -> float:
        return 0.5

    def given(*_: object) -> PretendedWorkers:
        return workers

    patch.setattr(searching, "_workers", given)
    patch.setattr(searching, "_prepare_dense_model", no_model)
    patch.setattr(running, "prepare", no_files)
    patch.setattr(running.RunningSearch, "scored", no_score)
    return workers


def complete(task: Task) -> Outcome:
    """A score that falls with the budget, and the budget as the energy."""
    share = task.config.budgets[0].share or 0.0
    return Outcome("complete", 1.0, (0.9 - 0.1 / share, share))


def give(patch: pytest.MonkeyPatch, dataset: Dataset) -> None:
    """Replace the records on the disk."""

    def load(*_: object, **__: object) -> Dataset:
        return dataset

    patch.setattr("edgeecg.training.start.load_dataset", load)
