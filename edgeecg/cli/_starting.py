"""What the verbs that start long runs share: their options, their folder, and going on with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from edgeecg.errors import SchemaError, UsageError
from edgeecg.runs import RUNS, RunFolder
from edgeecg.schema import ModelCard, TrainingConfig, Value

if TYPE_CHECKING:
    from rich.console import Console

    from edgeecg.cli._console import Show
    from edgeecg.data import Dataset

_Config = TypeVar("_Config", bound=Value)


def given(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that were given on the command line."""
    return {key: value for key, value in options.items() if value not in (None, [])}


def lead_names(pairs: list[str]) -> dict[str, str]:
    """Return ``{"MLII": "II"}`` for ``["MLII=II"]``.

    Raises:
        UsageError: A pair is not of the form MODEL=RECORDS.
    """
    split = [pair.partition("=") for pair in pairs]
    for ours, sign, theirs in split:
        if not (ours and sign and theirs):
            raise UsageError(
                f"'{ours}{sign}{theirs}' does not say which lead is which.",
                "Expected is the model's name for a lead, an equals sign, and the records' name.",
                "Write, for example: --leads MLII=II",
            )
    return {ours: theirs for ours, _, theirs in split}


def configured(kind: type[_Config], defaults: Value, options: dict[str, Any]) -> _Config:
    """Return a configuration: the defaults, with what was given in their place.

    Raises:
        UsageError: An option has a value that cannot be.
    """
    body = {**defaults.model_dump(mode="json"), **options, "schema": kind.version}
    try:
        return kind.from_document(body, source="The command line")
    except SchemaError as error:
        raise UsageError("The options do not fit.", error.why, "See --help.") from error


def new_run(name: str | None, model: str) -> RunFolder:
    """Choose a run folder, which is not there yet.

    Raises:
        UsageError: The name cannot be a folder's, or is taken.
    """
    from datetime import datetime

    if name is not None and (name in ("", ".", "..") or Path(name).name != name):
        raise UsageError(
            f"'{name}' cannot be the name of a run.",
            f"It names a folder under '{RUNS}/', so it holds no slash and is not empty.",
            "Choose another --name.",
        )
    run = RunFolder(RUNS / (name or f"{model}-{datetime.now():%Y%m%d-%H%M%S}"))
    if run.path.exists():
        raise UsageError(
            f"There is a run named '{run.name}' already.",
            "A run is never overwritten.",
            "Choose another --name, or go on with it by --resume.",
        )
    return run


def unchanged(run: RunFolder, config: Value, options: dict[str, Any]) -> None:
    """Refuse options that differ from those a run was started with.

    Raises:
        UsageError: They differ.
    """
    started = config.model_dump(mode="json")
    changed = [key for key, value in options.items() if started[key] != value]
    if changed:
        raise UsageError(
            f"The run '{run.name}' cannot be resumed with other options.",
            "; ".join(f"{key} was {started[key]} and is now {options[key]}" for key in changed)
            + ".",
            "Leave these options out, or start a new run.",
        )


def retraced(card: ModelCard) -> TrainingConfig:
    """Return how a model was trained, with the records it found and what it made of them.

    A configuration may leave the records open, and then what is found depends on the machine.
    """
    found = {"data": card.training.data or card.data.source, "preprocessing": card.preprocessing}
    return card.training.model_copy(update=found)


def records(training: TrainingConfig, console: Console, show: Show) -> Dataset:
    """Load the records of a configuration, and say which they are.

    Raises:
        DataError: They are missing, damaged, or not what the model needs.
    """
    from edgeecg.data import Request, load_dataset
    from edgeecg.models import architecture

    task = architecture(training.model).TASK
    dataset = load_dataset(
        Request(
            training.data,
            task,
            training.preprocessing,
            training.class_map,
            training.leads,
            training.min_likelihood,
        ),
        on_record=lambda done, total: show("reading records", done, total),
    )
    sizes = {part: len(dataset.split(part).y) for part in ("train", "val", "test")}
    console.print(
        f"Data: {_DESCRIBED[dataset.summary.source]}; {task}: train {sizes['train']:,}, "
        f"validation {sizes['val']:,}, test {sizes['test']:,}."
    )
    return dataset


_DESCRIBED = {
    "mitdb": "MIT-BIH Arrhythmia Database, inter-patient split (DS1 / DS2)",
    "ptbxl": "PTB-XL, folds 1-8 / 9 / 10",
    "folder": "your own records",
    "synthetic": "SYNTHETIC records, generated ('edgeecg data fetch' gets real ones)",
}
