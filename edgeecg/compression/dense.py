"""The dense model a run starts from: a run's, the package's, or one trained now.

The package's can also be had in a folder of its own, to export it without compressing it.
"""

from __future__ import annotations

from pathlib import Path

from torch import nn

from edgeecg.compression.job import Job
from edgeecg.data import Dataset
from edgeecg.errors import EdgeECGError, UsageError
from edgeecg.files import write_bytes, write_text
from edgeecg.models import architecture, load, shipped
from edgeecg.runs import RUNS, RunFolder, trained
from edgeecg.runs.journal import Journal
from edgeecg.schema import CompressionConfig, ModelCard, TrainingConfig
from edgeecg.schema.options import option_of
from edgeecg.training.baseline import train
from edgeecg.training.cards import make_card, save_model

_DENSE_ONLY = ("epochs", "learning_rate")
"""Settings of training that fine-tuning has its own of."""


def dense_model(job: Job, journal: Journal) -> tuple[nn.Module, ModelCard]:
    """Return the dense model and its card, which are in the run folder from then on.

    Args:
        job: The run; what its folder holds already is not made again.
        journal: Records where the weights come from.

    Raises:
        UsageError: The model has other classes than the records.
        EdgeECGError: The model belongs to other records, the run it should come from has none, or
            training diverged.
    """
    run, training = job.run, job.config.training
    if not run.baseline_card.is_file():
        ready = _ready(job.config, job.dataset)
        if ready is not None:
            weights, card = ready
            _place(weights, card, run)
            journal.write("baseline", weights=weights.name, sha256=card.weights_sha256)
        else:
            made = train(job.dataset, training, run.baseline_checkpoint, job.progress, job.custom)
            card = make_card(
                made.model, "baseline", training, job.dataset, made.epochs, custom=job.custom
            )
            save_model(made.model, card, run.baseline_weights, run.baseline_card)
            run.baseline_checkpoint.unlink(missing_ok=True)
            journal.write("baseline", epochs=made.epochs, seconds=made.seconds)
    card = ModelCard.from_file(run.baseline_card)
    _check_classes(card, job.dataset)
    model = load(run.baseline_weights, card, job.custom)
    if not _trained_on(card, job.dataset):
        raise EdgeECGError(
            f"The run '{run.name}' cannot go on with these records.",
            f"Its baseline was trained on {card.data.source} records with other content.",
            "Point EDGEECG_DATA at the records it was started with, or start a new run.",
        )
    return model, card


def is_trained_first(config: CompressionConfig, dataset: Dataset, run: RunFolder) -> bool:
    """Whether a run trains its dense model, as it has no trained weights to start from.

    Args:
        config: What is asked for.
        dataset: The records.
        run: Its folder.

    Raises:
        EdgeECGError: The run that it should start from has none.
    """
    return not run.baseline_card.is_file() and _ready(config, dataset) is None


def idle_training(config: CompressionConfig, card: ModelCard) -> tuple[str, ...]:
    """Return warnings for settings of the dense model's training that came after it.

    Args:
        config: What is asked for.
        card: The dense model.
    """
    fields = TrainingConfig.model_fields
    trained = "the dense model is trained already"
    todo = "--retrain trains a new one." if config.start is None else "'edgeecg train' trains one."
    return tuple(
        f"{option_of(fields[name])} {getattr(config.training, name):g} has no effect: {trained}, "
        f"with {getattr(card.training, name):g}. {todo}"
        for name in _DENSE_ONLY
        if getattr(config.training, name) != getattr(card.training, name)
    )


def as_performed(config: CompressionConfig, card: ModelCard) -> TrainingConfig:
    """Return how a compressed model was trained: what fine-tuning leaves out is the dense model's.

    Args:
        config: What was asked for.
        card: The dense model.
    """
    dense = {name: getattr(card.training, name) for name in _DENSE_ONLY}
    return config.training.model_copy(update=dense)


def packaged(model: str) -> RunFolder:
    """Return ``runs/MODEL-dense``: the package's trained weights and their card, nothing else.

    Args:
        model: A file name of ``edgeecg/models``.

    Raises:
        UnknownNameError: There is no such model.
        UsageError: The package has no weights of it, or the folder holds something else.
        EdgeECGError: The disk is full or not writable.
    """
    architecture(model)
    ready = shipped(model)
    if ready is None:
        raise UsageError(
            f"'{model}' comes without trained weights.",
            "Only what has been trained can be exported.",
            f"Train it: edgeecg train {model} --name NAME, then edgeecg export --run NAME",
        )
    weights, card = ready
    run = RunFolder(RUNS / f"{model}-dense")
    if not any(path.exists() for path in (run.baseline_card, run.training, run.config)):
        _place(weights, card, run)
    if not run.dense_only or run.baseline_card.read_text(encoding="utf-8") != card.to_json():
        raise UsageError(
            f"The folder '{run.path}' is taken.",
            f"It holds something else than the package's weights of '{model}'.",
            f"Export it by --run {run.name}, or rename it.",
        )
    return run


def _place(weights: Path, card: ModelCard, run: RunFolder) -> None:
    """Copy a dense model into a run folder, the card last: a card always has its weights."""
    write_bytes(run.baseline_weights, weights.read_bytes())
    write_text(run.baseline_card, card.to_json())


def _ready(config: CompressionConfig, dataset: Dataset) -> tuple[Path, ModelCard] | None:
    """Return weights to start from: those of a named run, or the package's own for these records.

    Raises:
        EdgeECGError: The named run has none.
    """
    if config.start is not None:
        found = trained(config.start)
        card = ModelCard.from_file(found.baseline_card)
        return found.baseline_weights, card
    ready = None if config.retrain else shipped(config.training.model)
    return ready if ready is not None and _trained_on(ready[1], dataset) else None


def _check_classes(card: ModelCard, dataset: Dataset) -> None:
    """Refuse a dense model, the teacher of the compressed one, that has other classes.

    Raises:
        UsageError: Its classes are not those of the records.
    """
    if card.classes != dataset.summary.classes:
        raise UsageError(
            f"The dense model '{card.name}' cannot teach a model for these records.",
            f"It has the classes {', '.join(card.classes)}, and the records have "
            f"{', '.join(dataset.summary.classes)}.",
            "Start from a model that was trained on these classes.",
        )


def _trained_on(card: ModelCard, dataset: Dataset) -> bool:
    """Whether a model was trained on these very records, prepared in this very way."""
    return card.data.content_sha256 == dataset.summary.content_sha256
