"""``edgeecg search``: the best trade-offs between score and cost, found by many compressions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from edgeecg.cli._options import given_options, with_options
from edgeecg.schema import CompressionConfig, TrainingConfig

if TYPE_CHECKING:
    from edgeecg.runs.options import Options
    from edgeecg.tuning.plan import Plan, Request

EXTRA = "search"


@with_options(TrainingConfig)
def search(
    options: list[dict[str, Any]],
    model: Annotated[
        str | None,
        typer.Argument(
            help="A model (see 'edgeecg models'), or a custom module: path/to/model.py:build."
        ),
    ] = None,
    objective: Annotated[
        list[str] | None,
        typer.Option(
            metavar="macro_f1|macro_auroc|energy|latency|size",
            help="What is traded off; repeatable [default: macro_f1, energy].",
        ),
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Number of trials in all [default: 40].")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the search; its trials are the runs NAME-000, ....")
    ] = None,
    resume: Annotated[
        str | None, typer.Option(metavar="NAME", help="Go on with the search of this name.")
    ] = None,
    space_path: Annotated[
        Path | None,
        typer.Option("--space", metavar="FILE", help="TOML file with what may be chosen."),
    ] = None,
    print_space: Annotated[
        bool, typer.Option("--print-space", help="Print the default space, explained, and exit.")
    ] = False,
    guard: Annotated[
        list[str] | None,
        typer.Option(help="Validation score that every trial must hold, as for compress."),
    ] = None,
    costs: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Bench report of the dense .onnx file, as for compress."),
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="A run of 'edgeecg train' whose model is the dense one.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Trials at a time [default: 1; with --ray: all].")
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Ray cluster: auto, or HOST:PORT of its head node."),
    ] = None,
    gpus: Annotated[float, typer.Option(min=0, help="With --ray: GPUs that a trial takes.")] = 0,
    sampler: Annotated[
        Literal["tpe", "nsga2", "random"] | None,
        typer.Option(help="What proposes trials [default: tpe]."),
    ] = None,
    prune: Annotated[
        bool | None,
        typer.Option(
            "--prune/--no-prune",
            help="Stop trials early that a finished one beats in everything [default: prune].",
        ),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Database of the study [default: a file in its folder]."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Do two trials, and estimate time and disk.")
    ] = False,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write front.json there too; - is stdout.")
    ] = None,
) -> None:
    """Search for the best trade-offs: many compressions, each with other settings."""
    from edgeecg.cli._console import command_line, emit_json, output, progress, shown
    from edgeecg.cli._records import describe
    from edgeecg.cli._search_table import StandingTable, live, show, show_estimate
    from edgeecg.training.start import Listeners
    from edgeecg.tuning import space
    from edgeecg.tuning.plan import Request
    from edgeecg.tuning.search import Crew, perform

    if print_space:
        sys.stdout.write(space.DEFAULT.read_text(encoding="utf-8"))
        return
    request = Request(
        options=_shared(
            options[0], model=model, guards=guard, costs=costs and str(costs), start=start
        ),
        objectives=tuple(objective or ()),
        trials=trials,
        space=space_path,
        sampler=sampler,
        prune=prune,
        storage=storage,
    )
    console = output(json_path)
    with progress() as bar:
        show_progress = shown(bar, "reading records")
        listeners = Listeners(show_progress, lambda dataset: describe(dataset, console))
        plan = _plan(name, resume, request, listeners)
    table = StandingTable(plan.name)
    crew = Crew(workers, ray, gpus)
    with live(table) as on_progress:
        front = perform(plan, command_line(), crew, dry_run, table.report, on_progress)
    emit_json(json_path, front.to_json())
    show(console, front)
    if dry_run:
        show_estimate(console, front, plan, workers or 1)
    console.print(f"Search folder: {plan.folder} (front.json, front.html)")
    if dry_run:
        console.print(f"Next: edgeecg search --resume {plan.name}")
    elif front.front:
        console.print(f"Next: edgeecg export --run {front.front[0]}")


def _shared(training: dict[str, Any], *, model: str | None, **own: Any) -> Options:
    """Return the settings that all trials share."""
    from edgeecg.compression.start import nested

    return nested(
        given_options(CompressionConfig, own),
        given_options(TrainingConfig, {"model": model, **training}),
    )


def _plan(name: str | None, resume: str | None, request: Request, listeners: Any) -> Plan:
    from edgeecg.errors import UsageError
    from edgeecg.tuning import plan

    if resume is None:
        return plan.started(name, request, listeners)
    if name not in (None, resume):
        raise UsageError(
            "'--name' and '--resume' name two searches.",
            f"They are '{name}' and '{resume}'.",
            "Leave --name out.",
        )
    return plan.resumed(resume, request, listeners)
