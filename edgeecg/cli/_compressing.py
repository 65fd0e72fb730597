"""How ``edgeecg compress`` starts a run, goes on with one, and runs several seeds."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeecg.cli import _starting
from edgeecg.errors import UsageError
from edgeecg.runs import RUNS, RunFolder
from edgeecg.schema import (
    Budget,
    CompressionConfig,
    CompressionLog,
    Guard,
    MeasuredCosts,
    ModelCard,
    QuantizationLog,
    TrainingConfig,
)

if TYPE_CHECKING:
    from rich.console import Console

Planned = tuple[RunFolder, CompressionConfig]
"""A run folder, and what is to happen in it."""


def steering(budgets: list[str], guards: list[str]) -> dict[str, Any]:
    """Return the options ``--budget`` and ``--guard`` as fields of a configuration.

    Raises:
        UsageError: One of them is not understood.
    """
    return _starting.given(
        {
            "budgets": [Budget.parse(text).model_dump(mode="json") for text in budgets],
            "guards": [Guard.parse(text).model_dump(mode="json") for text in guards],
        }
    )


def own_module(model: str) -> tuple[str, dict[str, str]]:
    """Run the user's file that ``path/to/model.py:build`` names.

    Returns:
        The name of the architecture, and where it comes from.

    Raises:
        UsageError: There is no such function, or it does not make a module for windows.
    """
    from edgeecg.files import sha256
    from edgeecg.models import _custom

    name = _custom.open_module(model)
    path = Path(model.rpartition(":")[0]).resolve()
    place = f"{path}:{model.rpartition(':')[2]}"
    return name, {"file": place, "sha256": sha256(path)}


def started(name: str | None, training: dict[str, Any], pruning: dict[str, Any]) -> Planned:
    """Check the options and choose the run folder, which is not there yet.

    Args:
        name: Of the run, or None.
        training: Fields of the training configuration that were given.
        pruning: Fields of the compression configuration that were given; ``costs`` as the path of
            a bench's JSON.

    Raises:
        UsageError: They contradict each other, the layer costs are another model's, or the name is
            taken.
        SchemaError: The JSON of layer costs is damaged.
    """
    from edgeecg.compression.pipeline import planned
    from edgeecg.models import architecture
    from edgeecg.runs import trained

    _refuse_two_targets(pruning)
    if "start" in pruning:
        card_path = trained(pruning["start"]).baseline_card
        recipe = _starting.retraced(ModelCard.from_json(card_path.read_bytes(), str(card_path)))
        if training.get("model", recipe.model) != recipe.model:
            raise UsageError(
                f"'{pruning['start']}' is no model '{training['model']}'.",
                f"The run that --start names has trained '{recipe.model}'.",
                "Leave the model out, or name another run.",
            )
    else:
        recipe = architecture(str(training.get("model", TrainingConfig().model))).RECIPE
    asked = _starting.configured(TrainingConfig, recipe, training)
    body = {**pruning, **_costs(pruning, asked.model), "training": asked.model_dump(mode="json")}
    config = planned(_starting.configured(CompressionConfig, CompressionConfig(), body))
    return _starting.new_run(name, asked.model), config


def resumed(name: str | None, training: dict[str, Any], pruning: dict[str, Any]) -> Planned:
    """Find an unfinished run and its configuration; options given now must agree with it.

    The peak rate of fine-tuning alone may be another one from here on: it is the cure for a loss
    that is no number any more.

    Raises:
        UsageError: Another option differs.
        EdgeECGError: There is no unfinished run.
    """
    from edgeecg.runs import newest_unfinished

    return _gone_on(newest_unfinished(name), training, pruning)


def several(
    name: str | None,
    seeds: int,
    training: dict[str, Any],
    pruning: dict[str, Any],
    resume: bool,
) -> list[Planned]:
    """Return the runs NAME-0, NAME-1, ... of seeds 0, 1, ...; with ``resume``, also those begun.

    Args:
        name: What the runs are called before the number, or None.
        seeds: How many.
        training: Fields of the training configuration that were given.
        pruning: Fields of the compression configuration that were given.
        resume: Go on with what is there.

    Raises:
        UsageError: Options contradict each other, or a name is taken.
        EdgeECGError: There is nothing to resume.
    """
    if "seed" in training:
        raise UsageError(
            "'--seed' and '--seeds' contradict each other.",
            "'--seeds 3' runs the seeds 0, 1 and 2.",
            "Give one of them.",
        )
    if resume and name is None:
        raise UsageError(
            "'--seeds' with '--resume' needs the name of the runs.",
            "Several runs belong together, and their names say which.",
            "Give --name NAME for the runs NAME-0, NAME-1, and so on.",
        )
    stem = name or _starting.new_run(None, str(training.get("model", TrainingConfig().model))).name
    runs: list[Planned] = []
    for seed in range(seeds):
        folder = RunFolder(RUNS / f"{stem}-{seed}")
        if resume and folder.config.is_file():
            runs.append(_gone_on(folder, training, pruning))
        elif resume and runs:
            first = runs[0][1]
            again = first.training.model_copy(update={"seed": seed})
            runs.append((folder, first.model_copy(update={"training": again})))
        else:
            runs.append(started(folder.name, {**training, "seed": seed}, pruning))
    return runs


def perform(run: RunFolder, config: CompressionConfig, console: Console) -> CompressionLog:
    """Run to the end, showing the steps as they come; a finished run is only shown again.

    Args:
        run: The folder.
        config: What is to be done in it.
        console: Where the tables go.

    Raises:
        EdgeECGError: Something went wrong; what was finished is kept.
    """
    from edgeecg.cli._compression_table import StepTable, live, show
    from edgeecg.cli._console import shown
    from edgeecg.compression.pipeline import Job, compress

    if run.finished:
        log = CompressionLog.from_json(run.compression_log.read_bytes(), str(run.compression_log))
    else:
        table = StepTable(config)
        with live(table) as bar:
            told = shown(bar, "reading records")
            dataset = _starting.records(config.training, console, told)
            command = "edgeecg " + " ".join(sys.argv[1:])
            log = compress(Job(config, dataset, run, command, told, table.add))
    show(console, log, read_card(run.baseline_card), read_card(run.model_card))
    if run.quantization.is_file():
        int8 = QuantizationLog.from_json(run.quantization.read_bytes(), str(run.quantization))
        console.print(int8.remark, soft_wrap=True)
    console.print(f"Run folder: {run.path}")
    return log


def perform_all(runs: list[Planned], console: Console) -> str:
    """Run one after the other, and show what the seeds have in common.

    Args:
        runs: As :func:`several` gives them.
        console: Where the tables go.

    Returns:
        Their logs as a JSON list.

    Raises:
        EdgeECGError: Something went wrong; what was finished is kept.
    """
    from edgeecg.cli._compression_table import show_seeds

    logs = [perform(run, config, console) for run, config in runs]
    show_seeds(console, logs, [read_card(run.model_card) for run, _ in runs])
    return json.dumps([log.to_document() for log in logs], indent=1, ensure_ascii=False) + "\n"


def read_card(path: Path) -> ModelCard:
    """Return the card in this file."""
    return ModelCard.from_json(path.read_bytes(), source=str(path))


def _gone_on(run: RunFolder, training: dict[str, Any], pruning: dict[str, Any]) -> Planned:
    from edgeecg.cli._console import errors
    from edgeecg.files import write_text
    from edgeecg.runs.journal import Journal

    config = CompressionConfig.from_json(run.config.read_bytes(), source=str(run.config))
    if config.own is not None:
        errors().print(f"Running {config.own.file}, as when the run was started.", soft_wrap=True)
        if own_module(config.own.file)[1]["sha256"] != config.own.sha256:
            raise UsageError(
                f"The run '{run.name}' cannot go on with another module.",
                f"'{config.own.file}' has changed since the run was started.",
                "Put the old file back, or start a new run.",
            )
    rate = pruning.get("finetune_rate", config.finetune_rate)
    _starting.unchanged(run, config.training, training)
    _refuse_other_costs(run, config, pruning)
    pruning = {key: value for key, value in pruning.items() if key != "costs"}
    _starting.unchanged(run, config.model_copy(update={"finetune_rate": rate}), pruning)
    if rate != config.finetune_rate and not run.finished:
        body = {**config.model_dump(mode="json"), "finetune_rate": rate}
        Journal(run.events).write("finetune_rate", was=config.finetune_rate, now=rate)
        config = _starting.configured(CompressionConfig, config, body)
        write_text(run.config, config.to_json())
    return run, config


def _costs(pruning: dict[str, Any], model: str) -> dict[str, MeasuredCosts]:
    """Return the layer costs that ``--costs`` names as a field of a configuration, if it is given.

    Raises:
        UsageError: They are not those of this model's dense float32 file.
        SchemaError: The JSON is damaged.
    """
    if "costs" not in pruning:
        return {}
    from edgeecg.costs import measured
    from edgeecg.models import architecture, build
    from edgeecg.models._counting import layer_costs

    dense = layer_costs(build(model), architecture(model).INPUT_SHAPE)
    return {"costs": measured.read(pruning["costs"], model, dense)}


def _refuse_other_costs(run: RunFolder, config: CompressionConfig, pruning: dict[str, Any]) -> None:
    if _costs(pruning, config.training.model).get("costs", config.costs) != config.costs:
        started_with = "without any" if config.costs is None else "with those of another bench"
        raise UsageError(
            f"The run '{run.name}' cannot be resumed with other layer costs.",
            f"It was started {started_with}, and '{pruning['costs']}' holds others.",
            "Leave --costs out (the run keeps what it was started with), or start a new run.",
        )


def _refuse_two_targets(pruning: dict[str, Any]) -> None:
    both = [key for key in ("sparsity", "steps") if key in pruning and "budgets" in pruning]
    if both:
        raise UsageError(
            f"'--budget' and '--{both[0]}' contradict each other.",
            "A budget says where to go, and the steps follow from how far that is.",
            "Give one of them.",
        )
