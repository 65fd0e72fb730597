"""``edgeecg compress``: from records to a compressed model in a run folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from edgeecg.cli._options import ConfigFile, PrintConfig, given_options, with_options
from edgeecg.schema import CompressionConfig, TrainingConfig
from edgeecg.schema.compression import EARLIER_ENERGY_TERMS

if TYPE_CHECKING:
    from rich.console import Console

    from edgeecg.compression.start import RunPlan
    from edgeecg.data import Dataset
    from edgeecg.schema import CompressionLog, CustomModule

EXTRA = "compress"


@with_options(TrainingConfig, CompressionConfig)
def compress(
    options: list[dict[str, Any]],
    model: Annotated[
        str | None,
        typer.Argument(
            help="A model (see 'edgeecg models'), or a custom module: path/to/model.py:build. "
            "Default: resnet1d_attn."
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1, help="Number of runs: NAME-0 with seed 0, NAME-1 with seed 1, and so on."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the run folder under runs/.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the named, or the newest, unfinished run.")
    ] = False,
    reading: Annotated[Literal["target", "protect"] | None, typer.Option(hidden=True)] = None,
    config_path: ConfigFile = None,
    print_config: PrintConfig = False,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write compression.json there too; - is stdout.")
    ] = None,
) -> None:
    """Compress a model to a budget.

    It starts with the package's weights, with those of a run (--start), or is trained first. Steps
    of pruning and fine-tuning follow; the test records are scored once, at the end. The default of
    a setting may depend on the model; --print-config shows it.
    """
    from edgeecg.cli._console import emit_json, output
    from edgeecg.compression import settings, start
    from edgeecg.runs.config_file import written

    training, compression = options
    if reading is not None:
        compression.setdefault("energy_term", EARLIER_ENERGY_TERMS[reading])
    asked = settings.nested(
        given_options(CompressionConfig, compression),
        given_options(TrainingConfig, {"model": model, **training}),
    )
    if seeds is not None:
        settings.refuse_one_seed(asked)
    if config_path is not None:
        asked = settings.over_file(asked, config_path)
    if print_config:
        config, _ = settings.configuration(asked)
        title = "Settings of 'edgeecg compress --config FILE'"
        sys.stdout.write(written(config, title, settings.decided_by_budget(asked)))
        return
    console = output(json_path)
    if seeds is None:
        plans = [start.resumed(name, asked, _announce) if resume else start.started(name, asked)]
        emit_json(json_path, _perform(plans[0], console).to_json())
    else:
        plans = start.several_seeds(name, seeds, asked, resume, _announce)
        emit_json(json_path, _perform_all(plans, console))
    console.print(f"Next: {_next(plans[-1])}", soft_wrap=True)


def _next(plan: RunPlan) -> str:
    """Return the command that exports what was compressed last."""
    from edgeecg.cli._console import command
    from edgeecg.runs import newest
    from edgeecg.schema import QuantizationLog

    config, log = plan.config, plan.run.quantization
    # A guard may have kept the model in float32.
    int8 = log.is_file() and QuantizationLog.from_file(log).kept != "none"
    target = "tflite-int8" if int8 else "tflite"
    custom = [] if config.custom is None else ["--custom", config.custom.file]
    # Another run may have ended meanwhile.
    named = [] if newest() == plan.run else ["--run", plan.run.name]
    return command("export", *named, "--target", target, *custom)


def _announce(custom: CustomModule) -> None:
    from edgeecg.cli._console import errors

    errors().print(f"Running {custom.file}, as when the run was started.", soft_wrap=True)


def _perform(plan: RunPlan, console: Console) -> CompressionLog:
    """Run to the end, showing the steps as they come; a finished run is only shown again."""
    from edgeecg.cli._compression_table import StepTable, live, show
    from edgeecg.cli._console import command_line, shown
    from edgeecg.cli._records import describe
    from edgeecg.compression import start
    from edgeecg.compression.dense import is_trained_first
    from edgeecg.schema import ModelCard, QuantizationLog
    from edgeecg.training.start import Listeners

    run, epochs = plan.run, plan.config.training.epochs
    table = StepTable(plan.config)

    def on_data(dataset: Dataset) -> None:
        describe(dataset, console)
        if is_trained_first(plan.config, dataset, run):
            length = f"{epochs} epoch{'' if epochs == 1 else 's'}"
            console.print(f"The dense model is trained first ({length}): it has no weights yet.")

    with live(table) as bar:
        listeners = Listeners(shown(bar, "reading records"), on_data)
        log = start.perform(plan, command_line(), table.report, listeners)
    cards = [ModelCard.from_file(path) for path in (run.baseline_card, run.model_card)]
    show(console, log, *cards)
    if run.quantization.is_file():
        int8 = QuantizationLog.from_file(run.quantization)
        console.print(int8.remark, soft_wrap=True)
    console.print(f"Run folder: {run.path}")
    return log


def _perform_all(plans: list[RunPlan], console: Console) -> str:
    """Run one after the other, show what the seeds have in common; return the logs as JSON."""
    from edgeecg.cli._compression_table import show_seeds
    from edgeecg.schema import ModelCard

    logs = [_perform(plan, console) for plan in plans]
    cards = [ModelCard.from_file(plan.run.model_card) for plan in plans]
    show_seeds(console, logs, cards)
    return json.dumps([log.to_document() for log in logs], indent=1, ensure_ascii=False) + "\n"
