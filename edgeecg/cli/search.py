"""``edgeecg search``: the best trade-offs between score and cost, found by many compressions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeecg.cli._options import ConfigFile, PrintConfig, given_options, with_options
from edgeecg.schema import CompressionConfig, SearchConfig, TrainingConfig

if TYPE_CHECKING:
    from edgeecg.runs.options import Options
    from edgeecg.training.start import Listeners
    from edgeecg.tuning.plan import Plan

EXTRA = "search"


@with_options(
    SearchConfig,
    CompressionConfig,
    TrainingConfig,
    only={CompressionConfig: ("guards", "default_guards", "costs", "start", "retrain")},
)
def search(
    options: list[dict[str, Any]],
    model: Annotated[
        str | None,
        typer.Argument(
            help="A model (see 'edgeecg models'), or a custom module: path/to/model.py:build. "
            "Default: resnet1d_attn."
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the search; its trials are the runs NAME-000, ....")
    ] = None,
    resume: Annotated[
        str | None, typer.Option(metavar="NAME", help="Go on with the search of this name.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Do two trials, and estimate time and disk.")
    ] = False,
    print_space: Annotated[
        bool, typer.Option("--print-space", help="Print the default space, explained, and exit.")
    ] = False,
    config_path: ConfigFile = None,
    print_config: PrintConfig = False,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write front.json there too; - is stdout.")
    ] = None,
) -> None:
    """Search for the best trade-offs of score and cost.

    Every trial is a compression with other settings, and an ordinary run folder. The result is the
    set of models of which none is worse than another in every objective (the Pareto front).
    """
    from edgeecg.runs.config_file import written
    from edgeecg.tuning import plan, space

    if print_space:
        sys.stdout.write(space.DEFAULT.read_text(encoding="utf-8"))
        return
    own, shared, training = options
    trials = given_options(TrainingConfig, {"model": model, **training}).under("training")
    asked = given_options(SearchConfig, own).over(
        trials.over(given_options(CompressionConfig, shared)).under("base")
    )
    if config_path is not None:
        asked = plan.over_file(asked, config_path)
    if print_config:
        config, _ = plan.configuration(asked)
        sys.stdout.write(written(config, "Settings of 'edgeecg search --config FILE'"))
        return
    _perform(asked, _name(name, resume), resume is not None, dry_run, json_path)


def _name(name: str | None, resume: str | None) -> str | None:
    from edgeecg.errors import UsageError

    if resume is not None and name not in (None, resume):
        raise UsageError(
            "'--name' and '--resume' name two searches.",
            f"They are '{name}' and '{resume}'.",
            "Leave --name out.",
        )
    return name if resume is None else resume


def _perform(
    asked: Options, name: str | None, resume: bool, dry_run: bool, json_path: Path | None
) -> None:
    """Perform the search, showing how it goes, and print what it has found."""
    from edgeecg.cli._console import command, command_line, emit_json, output, progress, shown
    from edgeecg.cli._records import describe
    from edgeecg.cli._search_table import StatusTable, live, show, show_estimate
    from edgeecg.errors import EdgeECGError
    from edgeecg.training.start import Listeners
    from edgeecg.tuning.search import perform

    console = output(json_path)
    with progress() as bar:
        show_progress = shown(bar, "reading records")
        listeners = Listeners(show_progress, lambda dataset: describe(dataset, console))
        plan = _plan(asked, name, resume, listeners)
    table = StatusTable(plan.name)
    with live(table) as on_progress:
        front = perform(plan, command_line(), dry_run, table.report, on_progress)
    emit_json(json_path, front.to_json())
    show(console, front)
    if not front.finished:
        show_estimate(console, front, plan)
    console.print(f"Search folder: {plan.folder} (front.json, front.html)", soft_wrap=True)
    if not front.front and (front.finished or dry_run):
        raise EdgeECGError(
            f"No trial of the search '{plan.name}' is complete.",
            f"{len(front.trials)} ended without a result, for the reasons above.",
            "Correct what they name, and start a search with another --name.",
        )
    if not front.finished:
        console.print(f"Next: {command('search', '--resume', plan.name)}", soft_wrap=True)
    elif front.front:
        console.print(f"Next: {command('export', '--run', front.front[0])}", soft_wrap=True)


def _plan(asked: Options, name: str | None, resume: bool, listeners: Listeners) -> Plan:
    from edgeecg.tuning import plan

    if resume and name is not None:
        return plan.resumed(name, asked, listeners)
    return plan.started(name, asked, listeners)
