"""Training with teachers: trained models whose probabilities a smaller model learns from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from edgeecg.data import Dataset
from edgeecg.errors import UsageError
from edgeecg.models import load_with_card, names, shipped
from edgeecg.runs import trained
from edgeecg.schema import DataSummary, ModelCard, Preprocessing, Task, TrainingConfig
from edgeecg.training.loop import Objective
from edgeecg.training.losses import distillation, supervised


class Ensemble(nn.Module):
    """Averages the probabilities of several models at a temperature."""

    def __init__(
        self,
        models: Sequence[nn.Module],
        windows: Sequence[Preprocessing],
        given: Preprocessing,
        task: Task,
    ) -> None:
        """Take the models, which are not trained.

        Args:
            models: In evaluation mode.
            windows: How each model's windows are made.
            given: How the windows that come are made.
            task: One class per window, or any number.
        """
        super().__init__()
        self.models = nn.ModuleList(models).requires_grad_(False)
        self._windows, self._given, self._task = tuple(windows), given, task

    @torch.no_grad()
    def logits(self, x: Tensor, temperature: float) -> Tensor:
        """Return logits whose probabilities at a temperature are the mean of the models'.

        Args:
            x: Windows ``(batch, leads, samples)``.
            temperature: T, above 0: of softmax(logits / T), or of a sigmoid for each label.

        Returns:
            ``(batch, classes)``.
        """
        found = torch.stack(
            [
                model(with_strip_of(x, self._given, wanted)) / temperature
                for model, wanted in zip(self.models, self._windows, strict=True)
            ]
        )
        if self._task == "records":
            return temperature * torch.logit(torch.sigmoid(found).mean(dim=0), eps=1e-6)
        log_mean = torch.logsumexp(torch.log_softmax(found, dim=2), dim=0)
        return temperature * log_mean


def with_strip_of(x: Tensor, given: Preprocessing, wanted: Preprocessing) -> Tensor:
    """Return windows with the rhythm strip that another model takes.

    Args:
        x: Windows ``(batch, leads, samples)``.
        given: How they were made.
        wanted: How the other model's windows are made; see :func:`can_be_made`.
    """
    if given == wanted or given.rhythm is None or wanted.rhythm is None:
        return x
    beats = x[:, :, : given.signal_start : given.rhythm.hold][:, :, -wanted.rhythm.beats :]
    strip = beats.repeat_interleave(wanted.rhythm.hold, dim=2)
    return torch.cat([strip, x[:, :, given.signal_start :]], dim=2)


def can_be_made(wanted: Preprocessing, given: Preprocessing) -> bool:
    """Whether a model's windows can be made from others.

    They can where both are the same, or differ only in that the model's rhythm strip has fewer
    beats, or holds each for another number of samples.
    """
    if wanted == given:
        return True
    if wanted.rhythm is None or given.rhythm is None or wanted.rhythm.beats > given.rhythm.beats:
        return False
    shape = {"beats": wanted.rhythm.beats, "hold": wanted.rhythm.hold}
    rhythm = given.rhythm.model_copy(update=shape)
    longer = rhythm.samples - given.signal_start
    place = {"window": given.window + longer}
    if given.r_index is not None:
        place["r_index"] = given.r_index + longer
    return given.model_copy(update={"rhythm": rhythm, **place}) == wanted


def load_teachers(config: TrainingConfig, dataset: Dataset) -> Ensemble | None:
    """Load the teachers of a configuration.

    Args:
        config: ``teachers`` names models of the package, or runs.
        dataset: The records that the student is trained on.

    Returns:
        The teachers, on the CPU; None where the configuration has none.

    Raises:
        UsageError: A teacher has no weights, has other classes, takes windows that cannot be made
            from the student's, or was trained on validation or test records.
        EdgeECGError: There is no such model or run, or its files are damaged.
    """
    if not config.teachers:
        return None
    # What building a module draws must not change the initial weights of the student.
    with torch.random.fork_rng(devices=[]):
        loaded = [load_with_card(*_files(name)) for name in config.teachers]
    for name, (card, _) in zip(config.teachers, loaded, strict=True):
        _check(name, card, dataset)
    return Ensemble(
        [model for _, model in loaded],
        [card.preprocessing for card, _ in loaded],
        dataset.preprocessing,
        dataset.task,
    ).eval()


def taught_objective(config: TrainingConfig, teachers: Ensemble, task: Task) -> Objective:
    """Return the loss with teachers: L = (1 - w) CE(y, s) + w T^2 KL(t || s).

    The teachers see the augmented and mixed windows of the student (Beyer et al. 2022,
    arXiv:2106.05237).

    Args:
        config: Weight w and temperature T of the teachers.
        teachers: On the device of the windows.
        task: One class per window, or any number.
    """
    share, temperature = config.teacher_weight, config.teacher_temperature

    def objective(logits: Tensor, windows: Tensor, target: Tensor) -> Tensor:
        soft = distillation(logits, teachers.logits(windows, temperature), temperature, task)
        return (1 - share) * supervised(logits, target, task) + share * soft

    return objective


def _files(name: str) -> tuple[Path, Path]:
    """Return weights and card of a teacher."""
    if name not in names():
        run = trained(name)
        return run.baseline_weights, run.baseline_card
    ready = shipped(name)
    if ready is None:
        raise UsageError(
            f"'{name}' cannot be a teacher.",
            "The package has no trained weights of it.",
            "Name a run that holds some, or another model.",
        )
    return ready[0], ready[0].with_suffix(".json")


def _check(name: str, card: ModelCard, dataset: Dataset) -> None:
    """Refuse a teacher that cannot teach a model for these records."""
    if card.classes != dataset.summary.classes:
        raise UsageError(
            f"'{name}' cannot be a teacher for these records.",
            f"It has the classes {', '.join(card.classes)}, and the records have "
            f"{', '.join(dataset.summary.classes)}.",
            "Name teachers that were trained on these classes.",
        )
    if not can_be_made(card.preprocessing, dataset.preprocessing):
        raise UsageError(
            f"'{name}' cannot be a teacher for these records.",
            "It takes windows of another kind, which cannot be made from those of the student.",
            "Name teachers with the preprocessing of the student.",
        )
    seen = _held_out(card.data, dataset.summary)
    if seen:
        raise UsageError(
            f"'{name}' cannot be a teacher for these records.",
            f"It was trained on records that are for validation or testing: {', '.join(seen)}.",
            "Name teachers that were trained on the training records alone.",
        )


def _held_out(taught: DataSummary, records: DataSummary) -> list[str]:
    """Return the validation and test records that a teacher was trained on."""
    if taught.source != records.source:
        return []
    held_out = {*records.val_records, *records.test_records}
    return [record for record in taught.train_records if record in held_out]
