"""Fine-tuning after a pruning step, with zeroed weights kept at zero."""

from __future__ import annotations

import contextlib

from torch import nn

from edgeecg.compression.fidelity import Probe
from edgeecg.compression.job import Job
from edgeecg.compression.objective import objective_of, with_features
from edgeecg.errors import UsageError
from edgeecg.pruning import masks
from edgeecg.schema import CompressionConfig, TrainingConfig
from edgeecg.training import wide_windows
from edgeecg.training.averaging import running_mean
from edgeecg.training.device import open_accelerator
from edgeecg.training.loop import Stage, Trainer, batch_norms, make_optimizer, training_data

_SEEDS_APART = 10_000
_MOST_EPOCHS = 8


def check_most_epochs(config: CompressionConfig) -> None:
    """Refuse fewer epochs at most than a step has, for fine-tuning until a fidelity is reached.

    Raises:
        UsageError: A step has more.
    """
    every, most = config.finetune_epochs, config.finetune_most
    last = config.finetune_last_epochs or every
    if config.finetune_fidelity is None or most is None or most >= max(every, last):
        return
    which, epochs = ("last step", last) if last > every else ("steps", every)
    raise UsageError(
        f"'--finetune-most {most}' is less than the epochs of the {which}.",
        f"The fidelity is looked at after {epochs} epochs for the first time.",
        f"Give at least {epochs}, or {2 * epochs} so that they can be repeated, or leave it out.",
    )


def training_of(config: CompressionConfig) -> TrainingConfig:
    """Return how windows are drawn, changed and mixed in fine-tuning."""
    if config.finetune_windows == "training":
        return config.training
    return wide_windows.on_wide_windows(config.training)


def dropout_of(
    model: nn.Module, config: CompressionConfig
) -> contextlib.AbstractContextManager[None]:
    """Return a context in which a model has the dropout that it is fine-tuned with.

    Args:
        model: On wide windows it has none.
        config: Which windows it is fine-tuned on.
    """
    if config.finetune_windows == "training":
        return contextlib.nullcontext()
    return wide_windows.without_dropout(model)


def fine_tune(
    job: Job, dense: nn.Module, model: nn.Module, attempt: int, name: str, probe: Probe
) -> tuple[float, ...]:
    """Fine-tune in place; return the mean loss of each epoch.

    With ``finetune_fidelity`` the epochs are repeated, each time with a learning-rate schedule of
    their own, until every class has that fidelity or another repetition would be too many.

    Args:
        job: The run.
        dense: The dense model, on the CPU.
        model: The pruned model, on the CPU.
        attempt: Number of the step among those that were tried; part of the seed.
        name: Name of the step, shown with the progress.
        probe: Where the fidelity is measured.

    Raises:
        DivergedError: The loss is not finite.
    """
    config = job.config
    most = config.finetune_most or max(_MOST_EPOCHS, 2 * config.finetune_epochs)
    losses: list[float] = []
    repetition = 0
    while True:
        number = attempt + _SEEDS_APART * repetition
        losses += _fine_tune_once(job, dense, model, number, name)
        repetition += 1
        if config.finetune_fidelity is None:
            break
        if len(losses) + config.finetune_epochs > most:
            break
        lowest = probe.measured(model).worst_class
        if lowest is None or lowest >= config.finetune_fidelity:
            break
    return tuple(losses)


def _fine_tune_once(
    job: Job, dense: nn.Module, model: nn.Module, number: int, name: str
) -> list[float]:
    """Fine-tune for one learning-rate schedule.

    As in training, what is kept is the running mean of the weights.
    """
    config, training = job.config, training_of(job.config)
    kept = (
        masks.nonzero_masks(model, job.architecture.INPUT_SHAPE)
        if config.structure == "none"
        else {}
    )
    averaged = running_mean(model, training.average)

    def after_update() -> None:
        masks.apply_masks(model, kept)
        averaged.update_parameters(model)

    with (
        with_features(job, objective_of(job, dense), dense, model) as objective,
        dropout_of(model, config),
    ):
        stage = Stage(
            name,
            number,
            config.finetune_epochs,
            config.finetune_rate,
            objective=objective,
            after_update=after_update,
            frozen=batch_norms(model) if config.finetune_norm == "frozen" else (),
        )
        accelerator = open_accelerator(training.threads)
        dense.to(accelerator.device)
        averaged.to(accelerator.device)
        data = training_data(job.dataset, training)
        optimizer = make_optimizer(model, training, stage)
        trainer = Trainer.prepare(accelerator, model, optimizer, data, job.progress)
        losses = [trainer.train_epoch(stage, epoch) for epoch in range(config.finetune_epochs)]
    model.load_state_dict(averaged.module.state_dict())
    model.cpu()
    dense.cpu()
    return losses
