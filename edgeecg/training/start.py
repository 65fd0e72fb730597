"""Starting a training run, going on with one, and running it to its end."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeecg.data import DataRequest, Dataset, load_dataset
from edgeecg.errors import EdgeECGError, UsageError
from edgeecg.files import write_text
from edgeecg.models import Architecture, architecture
from edgeecg.progress import ProgressCallback, ignore
from edgeecg.runs import RunFolder, new_run, newest_untrained
from edgeecg.runs.config_file import read_options
from edgeecg.runs.journal import Journal
from edgeecg.runs.lock import locked
from edgeecg.runs.options import (
    Options,
    configured,
    keyword_options,
    refuse_changes,
)
from edgeecg.schema import ModelCard, TrainingConfig
from edgeecg.training import baseline, device
from edgeecg.training.cards import make_card, save_model
from edgeecg.training.compatibility import check_draw, check_fits

DataCallback = Callable[[Dataset], None]
"""Called once with the data set, when the records are loaded."""


@dataclass(frozen=True)
class Listeners:
    """What a run calls while it works.

    Attributes:
        on_progress: Called after every batch and every record.
        on_data: Called with the data set, once it is loaded.
    """

    on_progress: ProgressCallback | None = None
    on_data: DataCallback | None = None


def train(
    model: str | None = None,
    *,
    name: str | None = None,
    resume: bool = False,
    config: Path | str | None = None,
    on_progress: ProgressCallback | None = None,
    on_data: DataCallback | None = None,
    **options: Any,
) -> ModelCard:
    """Train a dense model in a run folder.

    Args:
        model: Name of the architecture; with ``resume``, that of the run.
        name: Name of the folder under ``runs/``; None for the model's name and the time.
        resume: Go on with the named, or the newest, unfinished run.
        config: TOML file with settings, or the ``training.json`` of another run; keyword
            arguments override it.
        on_progress: Called after every batch.
        on_data: Called with the data set, once it is loaded.
        **options: Fields of :class:`edgeecg.schema.TrainingConfig`, e.g. ``data="synthetic"``,
            ``epochs=2``, ``seed=1``.

    Returns:
        The card of the trained model; its files are in the run folder.

    Raises:
        UsageError: A setting is unknown or has a value that it cannot have, or the name is taken.
        DataError: The records are missing or damaged.
        EdgeECGError: The loss is not finite, or the disk is full; the last checkpoint is intact.
    """
    asked = keyword_options({"model": model, **options}, TrainingConfig.model_fields)
    if config is not None:
        asked = asked.over(read_options(Path(config), TrainingConfig))
    run, settings = resumed(name, asked) if resume else started(name, asked)
    arguments = ", ".join(f"{key}={value!r}" for key, value in asked.values.items())
    command = f"edgeecg.train({arguments})"
    return perform(run, settings, command, Listeners(on_progress, on_data))


def started(name: str | None, options: Options) -> tuple[RunFolder, TrainingConfig]:
    """Check the settings and choose the run folder, which is not there yet.

    Raises:
        UsageError: A setting has a value that it cannot have, or the name is taken.
    """
    config = configuration(options)
    return device.of_main_process(lambda: new_run(name, config.model)), config


def configuration(options: Options) -> TrainingConfig:
    """Return the configuration that settings amount to: the model's recipe, with these in it.

    Raises:
        UsageError: A setting has a value that it cannot have, also together with the model; or the
            model is a custom module.
    """
    model = str(options.values.get("model", TrainingConfig().model))
    if ":" in model:
        raise UsageError(
            f"'{model}' cannot be trained alone.",
            "A custom module is trained when it is compressed.",
            f"Run: edgeecg compress {shlex.quote(model)} (its dense model is kept, too).",
        )
    of = architecture(model)
    config = configured(TrainingConfig, of.RECIPE, options)
    check_draw(of, config, options)
    return config


def resumed(name: str | None, options: Options) -> tuple[RunFolder, TrainingConfig]:
    """Find an unfinished run and its configuration; settings given now must agree with it.

    Raises:
        UsageError: A setting differs.
        EdgeECGError: There is no unfinished run.
    """
    run = newest_untrained(name)
    config = TrainingConfig.from_file(run.training)
    refuse_changes(run.name, config, options)
    return run, config


def perform(
    run: RunFolder, config: TrainingConfig, command: str, listeners: Listeners
) -> ModelCard:
    """Train to the end, and write the model and its card into the run folder.

    Args:
        run: The folder; training goes on from a checkpoint in it.
        config: What is to be done.
        command: What started it, for the journal.
        listeners: What is called meanwhile.

    Raises:
        EdgeECGError: Something went wrong; the last checkpoint is intact.
    """
    progress = listeners.on_progress or ignore
    dataset = load_records(config, architecture(config.model), listeners)
    main = device.is_main_process()
    with locked(run) if main else contextlib.nullcontext():
        if main:
            _refuse_another_start(run, config)
        if main and not run.training.is_file():
            write_text(run.training, config.to_json())
            Journal(run.events).write("train", command=command)
        trained = baseline.train(dataset, config, run.baseline_checkpoint, progress)
        progress("scoring", 0, 1)
        card = make_card(trained.model, "baseline", config, dataset, trained.epochs)
        if main:
            save_model(trained.model, card, run.baseline_weights, run.baseline_card)
            run.baseline_checkpoint.unlink(missing_ok=True)
    return card


def _refuse_another_start(run: RunFolder, config: TrainingConfig) -> None:
    """Refuse a run that another process has finished or started with other settings.

    Nothing has the name when it is chosen, and the records are read before the lock is taken.
    """
    if run.baseline_card.is_file():
        raise EdgeECGError(
            f"The training of '{run.name}' is finished.",
            f"Another process wrote '{run.baseline_card}' after this one had been started.",
            "Use its model by 'edgeecg compress --start', or choose another --name.",
        )
    if run.training.is_file() and TrainingConfig.from_file(run.training) != config:
        raise EdgeECGError(
            f"There is a run named '{run.name}' with other settings.",
            f"Another process wrote '{run.training}' after this one had been started.",
            "Choose another --name, or go on with that run by --resume.",
        )


def load_records(
    config: TrainingConfig, of: Architecture, listeners: Listeners | None = None
) -> Dataset:
    """Load the records that a model is trained on.

    Args:
        config: Which records, and how they become windows.
        of: The architecture: whether it classifies beats or records.
        listeners: What is called meanwhile.

    Raises:
        DataError: They are missing, damaged, or not what the model needs.
        UsageError: Their windows or classes are not those that the model was made for.
    """
    callbacks = listeners or Listeners()
    progress = callbacks.on_progress or ignore
    dataset = load_dataset(
        DataRequest(
            source=config.data,
            task=of.TASK,
            preprocessing=config.preprocessing,
            class_map=config.class_map,
            leads=config.leads,
            min_likelihood=config.min_likelihood,
            strict=config.strict,
        ),
        on_record=lambda done, total: progress("reading records", done, total),
    )
    check_fits(of, dataset.summary.classes, dataset.train.x.shape[1:])
    if callbacks.on_data is not None:
        callbacks.on_data(dataset)
    return dataset


def as_trained(card: ModelCard) -> TrainingConfig:
    """Return how a model was trained, with the records it found and how it made windows of them.

    A configuration may leave the records open, and then what is found depends on the machine.
    """
    found = {"data": card.training.data or card.data.source, "preprocessing": card.preprocessing}
    return card.training.model_copy(update=found)
