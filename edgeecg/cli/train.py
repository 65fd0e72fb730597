"""``edgeecg train``: a dense model on the records of your choice."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from edgeecg.cli._options import ConfigFile, PrintConfig, given_options, with_options
from edgeecg.schema import TrainingConfig

EXTRA = "compress"


@with_options(TrainingConfig)
def train(
    options: list[dict[str, Any]],
    model: Annotated[
        str | None, typer.Argument(help="Model (see 'edgeecg models'); default: resnet1d_attn.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the run folder under runs/.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the named, or the newest, unfinished run.")
    ] = False,
    config_path: ConfigFile = None,
    print_config: PrintConfig = False,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write the model card there too; - is stdout.")
    ] = None,
) -> None:
    """Train a dense model from the beginning.

    The default of a setting may depend on the model; --print-config shows it.
    """
    from edgeecg.cli._console import command, command_line, emit_json, output, progress, shown
    from edgeecg.cli._records import describe
    from edgeecg.runs.config_file import read_options, written
    from edgeecg.training import start

    asked = given_options(TrainingConfig, {"model": model, **options[0]})
    if config_path is not None:
        asked = asked.over(read_options(config_path, TrainingConfig))
    if print_config:
        settings = start.configuration(asked)
        sys.stdout.write(written(settings, "Settings of 'edgeecg train --config FILE'"))
        return
    run, config = start.resumed(name, asked) if resume else start.started(name, asked)
    console = output(json_path)
    with progress() as bar:
        listeners = start.Listeners(
            shown(bar, "reading records"), lambda dataset: describe(dataset, console)
        )
        card = start.perform(run, config, command_line(), listeners)
    emit_json(json_path, card.to_json())
    note = ", SYNTHETIC records" if card.data.source == "synthetic" else ""
    for scores in (card.val, card.test):
        what, value = scores.headline
        console.print(f"{scores.split}: {what} {value:.3f} on {scores.n:,}{note}")
    console.print(f"Run folder: {run.path}", soft_wrap=True)
    compress, evaluate = command("compress", "--start", run.name), command("evaluate", run.path)
    console.print(f"Next: {compress}, or {evaluate}", soft_wrap=True)
