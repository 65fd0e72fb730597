"""``edgeecg compress``: from records to a compressed model in a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from edgeecg.runs import RunFolder
    from edgeecg.schema import CompressionConfig, CompressionLog, ModelCard

EXTRA = "compress"

# Options that are fields of CompressionConfig default to None, "as the config says": only what was
# given on the command line is passed on, and --resume can tell it from what the run was started
# with.


def compress(
    model: Annotated[
        str | None, typer.Argument(help="Model to compress (see 'edgeecg models').")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="mitdb, ptbxl, synthetic, or a folder; the model's own if left out."),
    ] = None,
    leads: Annotated[
        list[str] | None, typer.Option(help="For a folder: MODEL'S LEAD=ITS NAME THERE.")
    ] = None,
    class_map: Annotated[
        str | None, typer.Option(help="From beat symbols to classes: aami or ec57.")
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="A run of 'edgeecg train' to start from.")
    ] = None,
    retrain: Annotated[
        bool | None,
        typer.Option("--retrain", help="Train the dense model even where weights are shipped."),
    ] = None,
    structure: Annotated[
        str | None,
        typer.Option(
            help="channels: remove channels, LSTM units, heads; blocks: whole blocks too; "
            "none: zero single weights."
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            help="energy: magnitude and layer energy; l1: magnitude alone; taylor: gradient x "
            "weight and layer energy; random."
        ),
    ] = None,
    reading: Annotated[
        str | None, typer.Option(help="target: costly layers pruned more; protect: as printed.")
    ] = None,
    alpha: Annotated[
        float | None, typer.Option(help="Share of the magnitude in the score, 0..1.")
    ] = None,
    sparsity: Annotated[
        float | None, typer.Option(help="Part of the weights to remove in the end, 0..1.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Prune-and-fine-tune steps.")] = None,
    distill: Annotated[
        bool | None,
        typer.Option("--distill/--no-distill", help="Learn from the dense model's logits."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of baseline training.")] = None,
    finetune_epochs: Annotated[int | None, typer.Option(help="Epochs after each step.")] = None,
    epoch_windows: Annotated[
        int | None, typer.Option(help="Windows drawn per epoch (beats only).")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    threads: Annotated[
        int | None, typer.Option(help="Threads of torch; the default 1 repeats bit for bit.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the run folder under runs/.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the named, or the newest, unfinished run.")
    ] = False,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write compression.json there too; - is stdout.")
    ] = None,
) -> None:
    """Compress a model: the trained one of the package, one of yours, or one trained now."""
    from edgeecg.cli import starting
    from edgeecg.cli.console import emit_json, output

    training = starting.given(
        {
            "model": model,
            "data": data,
            "leads": starting.lead_names(leads or []) or None,
            "class_map": class_map,
            "epochs": epochs,
            "epoch_windows": epoch_windows,
            "seed": seed,
            "threads": threads,
        }
    )
    pruning = starting.given(
        {
            "start": start,
            "retrain": retrain,
            "structure": structure,
            "method": method,
            "reading": reading,
            "alpha": alpha,
            "sparsity": sparsity,
            "steps": steps,
            "distill": distill,
            "finetune_epochs": finetune_epochs,
        }
    )
    find = _resumed if resume else _started
    run, config = find(name, training, pruning)
    log = _run(run, config, output(json_path))
    emit_json(json_path, log.to_json())
    console = output(json_path)
    console.print(f"Run folder: {run.path}")
    console.print("Next: edgeecg export --target tflite")


def _started(
    name: str | None, training: dict[str, Any], pruning: dict[str, Any]
) -> tuple[RunFolder, CompressionConfig]:
    """Check the options and choose the run folder, which is not there yet."""
    from edgeecg.cli import starting
    from edgeecg.errors import UsageError
    from edgeecg.models import architecture
    from edgeecg.runs import trained
    from edgeecg.schema import CompressionConfig, ModelCard, TrainingConfig

    if "start" in pruning:
        card_path = trained(pruning["start"]).baseline_card
        recipe = starting.retraced(ModelCard.from_json(card_path.read_bytes(), str(card_path)))
        if training.get("model", recipe.model) != recipe.model:
            raise UsageError(
                f"'{pruning['start']}' is no model '{training['model']}'.",
                f"The run that --start names has trained '{recipe.model}'.",
                "Leave the model out, or name another run.",
            )
    else:
        recipe = architecture(str(training.get("model", TrainingConfig().model))).RECIPE
    asked = starting.configured(TrainingConfig, recipe, training)
    pruning["training"] = asked.model_dump(mode="json")
    config = starting.configured(CompressionConfig, CompressionConfig(), pruning)
    return starting.new_run(name, asked.model), config


def _resumed(
    name: str | None, training: dict[str, Any], pruning: dict[str, Any]
) -> tuple[RunFolder, CompressionConfig]:
    """Find an unfinished run and its config; options given now must agree with it."""
    from edgeecg.cli import starting
    from edgeecg.runs import newest_unfinished
    from edgeecg.schema import CompressionConfig

    run = newest_unfinished(name)
    config = CompressionConfig.from_json(run.config.read_bytes(), source=str(run.config))
    starting.unchanged(run, config.training, training)
    starting.unchanged(run, config, pruning)
    return run, config


def _run(run: RunFolder, config: CompressionConfig, console: Console) -> CompressionLog:
    import sys

    from edgeecg.cli import starting
    from edgeecg.cli.console import progress, shown
    from edgeecg.compress.pipeline import Job
    from edgeecg.compress.pipeline import compress as run_job
    from edgeecg.schema import ModelCard

    with progress() as bar:
        show = shown(bar, "reading records")
        dataset = starting.records(config.training, console, show)
        command = "edgeecg " + " ".join(sys.argv[1:])
        log = run_job(Job(config, dataset, run, command, show))
    cards = [
        ModelCard.from_json(path.read_bytes(), source=str(path))
        for path in (run.baseline_card, run.model_card)
    ]
    _show(console, log, *cards)
    return log


def _show(
    console: Console, log: CompressionLog, baseline: ModelCard, compressed: ModelCard
) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    note = ", SYNTHETIC records" if log.data.source == "synthetic" else ""
    title = f"Compression of {log.config.training.model}{note}"
    steps = Table("step", title=title, box=SIMPLE_HEAD)
    what = baseline.val.headline[0]
    for heading in ("parameters", "MACs", "proxy\nideal", "proxy\nexecuted", f"val\n{what}", "s"):
        steps.add_column(heading, justify="right")
    for step in log.steps:
        steps.add_row(
            f"{step.step}/{log.config.steps}",
            f"{step.nonzero_parameters:,}",
            f"{step.macs:,}",
            f"{step.proxy_ideal:.3f}",
            f"{step.proxy_executed:.3f}",
            f"{step.val.headline[1]:.3f}",
            f"{step.seconds:.0f}",
        )
    console.print(steps)
    title = f"Test records, class map {log.data.class_map}{note}"
    scores = Table(title=title, box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    scores.add_column("model", no_wrap=True)
    for heading in ("parameters", "accuracy", what, "95 %\ninterval"):
        scores.add_column(heading, justify="right", no_wrap=True)
    for class_name in log.data.classes:
        scores.add_column(f"recall\n{class_name}", justify="right")
    for card in (baseline, compressed):
        interval = card.test.headline_ci95
        scores.add_row(
            card.role,
            f"{card.nonzero_parameters:,}",
            f"{card.test.accuracy:.3f}",
            f"{card.test.headline[1]:.3f}",
            f"{interval[0]:.2f}-{interval[1]:.2f}" if interval else "-",
            *(f"{card.test.per_class[name].recall:.3f}" for name in log.data.classes),
        )
    console.print(scores)
    for remark in log.data.notes:
        console.print(f"  {remark}", soft_wrap=True)
