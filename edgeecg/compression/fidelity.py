"""The fidelity of a model to the dense model of a run, measured after every step.

On the training windows themselves a compressed model nearly always decides as the dense one: both
were fitted to them. So they are changed at random before, and more than in training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edgeecg.compression.job import Job
from edgeecg.data import Dataset
from edgeecg.evaluation import fidelity
from edgeecg.evaluation.inference import predict
from edgeecg.schema import (
    Augmentation,
    CompressionLog,
    Fidelity,
    ModelCard,
    Role,
    Scores,
    Split,
    Task,
    TrainingConfig,
)
from edgeecg.training.loop import training_data
from edgeecg.training.sampling import draw
from edgeecg.training.wide_windows import widened

_SEED = 0
_BATCH = 256


@dataclass(frozen=True)
class Probe:
    """Windows on which models are compared with the dense model.

    Attributes:
        x: ``(n, leads, samples)``.
        record: Name of the record of each window, ``(n,)``.
        dense: Decisions of the dense model, ``(n, classes)``.
        classes: Names of the classes.
        task: One class per window, or any number.
        split: Where the windows come from.
    """

    x: NDArray[np.float32]
    record: NDArray[np.str_]
    dense: NDArray[np.bool_]
    classes: tuple[str, ...]
    task: Task
    split: Split

    @classmethod
    def of_split(cls, dense: nn.Module, dataset: Dataset, split: Split) -> Self:
        """Return all windows of the validation or test records."""
        windows = dataset.split(split)
        return cls._made(dense, dataset, split, windows.x, windows.record)

    @classmethod
    def of_training(
        cls,
        dense: nn.Module,
        dataset: Dataset,
        config: TrainingConfig,
        sizes: Augmentation | None = None,
    ) -> Self:
        """Return a sample of the training windows, changed at random, the same in every run.

        The windows are drawn as for an epoch, half as many: balanced over classes and records where
        training is.

        Args:
            dense: The dense model.
            dataset: The data set of the run.
            config: How windows are drawn and augmented.
            sizes: How they are changed; None: as in training, and at least as
                :data:`~edgeecg.training.wide_windows.WIDE` says.

        Raises:
            DataError: Augmentation needs recorded noise, and the noise records are missing.
        """
        windows = dataset.train
        drawn = draw(windows, config.epoch_windows, np.random.default_rng(_SEED))
        chosen = np.sort(drawn[: len(drawn) // 2])
        sizes = sizes or widened(config.augmentation)
        changed = config.model_copy(update={"augmentation": sizes})
        augment = training_data(dataset, changed).augment
        generator = torch.Generator().manual_seed(_SEED)
        parts = [
            augment(torch.from_numpy(windows.x[chosen[first : first + _BATCH]]), generator).numpy()
            for first in range(0, len(chosen), _BATCH)
        ]
        return cls._made(dense, dataset, "train", np.concatenate(parts), windows.record[chosen])

    @classmethod
    def _made(
        cls,
        dense: nn.Module,
        dataset: Dataset,
        split: Split,
        x: NDArray[np.float32],
        record: NDArray[np.str_],
    ) -> Self:
        task = dataset.task
        decided = fidelity.decisions(predict(dense, x), task)
        return cls(x, record, decided, dataset.summary.classes, task, split)

    def measured(self, model: nn.Module) -> Fidelity:
        """Return the fidelity of a model to the dense model."""
        return self.compared(predict(model, self.x))

    def compared(self, logits: NDArray[np.float32]) -> Fidelity:
        """Return the fidelity of a model that gives these logits, ``(n, classes)``."""
        decided = fidelity.decisions(logits, self.task)
        return fidelity.compared(self.dense, decided, self.record, self.classes, self.split)


def with_test_scores(
    log: CompressionLog, job: Job, dense: nn.Module, model: nn.Module, card: ModelCard
) -> CompressionLog:
    """Return the log of a run with the fidelity and the recalls of the finished model.

    Args:
        log: All steps.
        job: The run.
        dense: The dense model.
        model: The finished model.
        card: Its card.
    """
    baseline = ModelCard.from_file(job.run.baseline_card)
    scored: dict[Role, Scores] = {"baseline": baseline.test, "compressed": card.test}
    splits: tuple[Split, ...] = ("val", "test")
    return log.model_copy(
        update={
            "fidelity": {
                split: Probe.of_split(dense, job.dataset, split).measured(model) for split in splits
            },
            "recall": {
                role: {name: each.recall for name, each in scores.per_class.items()}
                for role, scores in scored.items()
            },
        }
    )
