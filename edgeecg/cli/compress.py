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
        str | None, typer.Option(help="Model to compress (see 'edgeecg models').")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="mitdb or synthetic; if left out, mitdb where it is found."),
    ] = None,
    structure: Annotated[
        str | None, typer.Option(help="channels: remove whole channels; none: zero single weights.")
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="energy: magnitude and layer energy; l1: magnitude alone.")
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
    epochs: Annotated[int | None, typer.Option(help="Most epochs of baseline training.")] = None,
    finetune_epochs: Annotated[int | None, typer.Option(help="Epochs after each step.")] = None,
    epoch_windows: Annotated[int | None, typer.Option(help="Windows drawn per epoch.")] = None,
    class_map: Annotated[
        str | None, typer.Option(help="From beat symbols to classes: aami or ec57.")
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
    """Train a dense baseline and compress it; real records if found, else synthetic ones."""
    given = {
        key: value
        for key, value in {
            "model": model,
            "data": data,
            "structure": structure,
            "method": method,
            "reading": reading,
            "alpha": alpha,
            "sparsity": sparsity,
            "steps": steps,
            "distill": distill,
            "epochs": epochs,
            "finetune_epochs": finetune_epochs,
            "epoch_windows": epoch_windows,
            "class_map": class_map,
            "seed": seed,
            "threads": threads,
        }.items()
        if value is not None
    }
    from edgeecg.cli.console import emit_json, output

    console = output(json_path)
    run, config = _resumed(name, given) if resume else _started(name, given)
    log = _run(run, config, console)
    emit_json(json_path, log.to_json())
    console.print(f"Run folder: {run.path}")
    console.print("Next: edgeecg export --target tflite")


def _started(name: str | None, given: dict[str, Any]) -> tuple[RunFolder, CompressionConfig]:
    """Check the options and choose the run folder, which is not there yet."""
    from datetime import datetime

    from edgeecg.errors import SchemaError, UsageError
    from edgeecg.models import architecture
    from edgeecg.runs import RUNS, RunFolder
    from edgeecg.schema import CompressionConfig

    try:
        config = CompressionConfig.from_document(
            {"schema": CompressionConfig.version, **given}, source="The command line"
        )
    except SchemaError as error:
        raise UsageError(
            "The options do not fit.", error.why, "See: edgeecg compress --help"
        ) from (error)
    architecture(config.model)
    if name is not None and (name in ("", ".", "..") or Path(name).name != name):
        raise UsageError(
            f"'{name}' cannot be the name of a run.",
            f"It names a folder under '{RUNS}/', so it holds no slash and is not empty.",
            "Choose another --name.",
        )
    run = RunFolder(RUNS / (name or f"{config.model}-{datetime.now():%Y%m%d-%H%M%S}"))
    if run.path.exists():
        raise UsageError(
            f"There is a run named '{run.name}' already.",
            "A run is never overwritten.",
            "Choose another --name, or go on with it by --resume.",
        )
    return run, config


def _resumed(name: str | None, given: dict[str, Any]) -> tuple[RunFolder, CompressionConfig]:
    """Find an unfinished run and its config; options given now must agree with it."""
    from edgeecg.errors import UsageError
    from edgeecg.runs import newest_unfinished
    from edgeecg.schema import CompressionConfig

    run = newest_unfinished(name)
    config = CompressionConfig.from_json(run.config.read_bytes(), source=str(run.config))
    changed = [key for key, value in given.items() if getattr(config, key) != value]
    if changed:
        raise UsageError(
            f"The run '{run.name}' cannot be resumed with other options.",
            "; ".join(
                f"{key} was {getattr(config, key)} and is now {given[key]}" for key in changed
            )
            + ".",
            "Leave these options out, or start a new run.",
        )
    return run, config


def _run(run: RunFolder, config: CompressionConfig, console: Console) -> CompressionLog:
    import sys

    from edgeecg.cli.console import progress
    from edgeecg.compress.pipeline import Job
    from edgeecg.compress.pipeline import compress as run_job
    from edgeecg.data import load_dataset
    from edgeecg.schema import ModelCard

    with progress() as bar:
        task = bar.add_task("reading records", total=None)

        def show(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        dataset = load_dataset(
            config.class_map,
            config.preprocessing,
            config.data,
            on_record=lambda done, total: show("reading records", done, total),
        )
        summary = dataset.summary
        console.print(
            f"Data: {_described(summary.source)}; train {sum(summary.beats['train'].values()):,} "
            f"beats, validation {sum(summary.beats['val'].values()):,}, "
            f"test {sum(summary.beats['test'].values()):,}."
        )
        command = "edgeecg " + " ".join(sys.argv[1:])
        log = run_job(Job(config, dataset, run, command, show))
    cards = [
        ModelCard.from_json(path.read_bytes(), source=str(path))
        for path in (run.baseline_card, run.model_card)
    ]
    _show(console, log, *cards)
    return log


def _described(source: str) -> str:
    if source == "synthetic":
        return "SYNTHETIC records (no MIT-BIH found; set EDGEECG_DATA to use it)"
    return "MIT-BIH Arrhythmia Database, inter-patient split (DS1 / DS2)"


def _show(
    console: Console, log: CompressionLog, baseline: ModelCard, compressed: ModelCard
) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    note = ", SYNTHETIC records" if log.data.source == "synthetic" else ""
    steps = Table("step", title=f"Compression of {log.config.model}{note}", box=SIMPLE_HEAD)
    for heading in ("parameters", "MACs", "proxy\nideal", "proxy\nexecuted", "val\nmacro-F1", "s"):
        steps.add_column(heading, justify="right")
    for step in log.steps:
        steps.add_row(
            f"{step.step}/{log.config.steps}",
            f"{step.nonzero_parameters:,}",
            f"{step.macs:,}",
            f"{step.proxy_ideal:.3f}",
            f"{step.proxy_executed:.3f}",
            f"{step.val.macro_f1:.3f}",
            f"{step.seconds:.0f}",
        )
    console.print(steps)
    title = f"Test records, class map {log.data.class_map}{note}"
    scores = Table(title=title, box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    scores.add_column("model", no_wrap=True)
    for heading in ("parameters", "accuracy", "macro-F1", "95 %\ninterval"):
        scores.add_column(heading, justify="right", no_wrap=True)
    for class_name in log.data.classes:
        scores.add_column(f"recall\n{class_name}", justify="right")
    for card in (baseline, compressed):
        interval = card.test.macro_f1_ci95
        scores.add_row(
            card.role,
            f"{card.nonzero_parameters:,}",
            f"{card.test.accuracy:.3f}",
            f"{card.test.macro_f1:.3f}",
            f"{interval[0]:.2f}-{interval[1]:.2f}" if interval else "-",
            *(f"{card.test.per_class[name].recall:.3f}" for name in log.data.classes),
        )
    console.print(scores)
    for remark in log.data.notes:
        console.print(f"  {remark}", soft_wrap=True)
