"""``edgeecg train``: a dense model on the records of your choice."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from edgeecg.runs import RunFolder
    from edgeecg.schema import ModelCard, TrainingConfig

EXTRA = "compress"


def train(
    model: Annotated[str | None, typer.Argument(help="Model (see 'edgeecg models').")] = None,
    data: Annotated[
        str | None,
        typer.Option(help="mitdb, ptbxl, synthetic, or a folder of WFDB records."),
    ] = None,
    leads: Annotated[
        list[str] | None, typer.Option(help="For a folder: MODEL'S LEAD=ITS NAME THERE.")
    ] = None,
    class_map: Annotated[
        str | None, typer.Option(help="From beat symbols to classes: aami or ec57.")
    ] = None,
    min_likelihood: Annotated[
        float | None, typer.Option(help="PTB-XL: percent from which a statement counts.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs.")] = None,
    epoch_windows: Annotated[
        int | None, typer.Option(help="Windows drawn per epoch (beats only).")
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    threads: Annotated[
        int | None, typer.Option(help="Threads of torch; the default 1 repeats bit for bit.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the run folder under runs/.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the named, or the newest, unfinished run.")
    ] = False,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write the model card there too; - is stdout.")
    ] = None,
) -> None:
    """Train a dense model from the beginning."""
    from edgeecg.cli import _starting
    from edgeecg.cli._console import emit_json, output

    options = _starting.given(
        {
            "model": model,
            "data": data,
            "leads": _starting.lead_names(leads or []) or None,
            "class_map": class_map,
            "min_likelihood": min_likelihood,
            "epochs": epochs,
            "epoch_windows": epoch_windows,
            "learning_rate": learning_rate,
            "seed": seed,
            "threads": threads,
        }
    )
    run, config = _resumed(name, options) if resume else _started(name, options)
    console = output(json_path)
    card = _run(run, config, json_path)
    emit_json(json_path, card.to_json())
    note = ", SYNTHETIC records" if card.data.source == "synthetic" else ""
    for scores in (card.val, card.test):
        what, value = scores.headline
        console.print(f"{scores.split}: {what} {value:.3f} on {scores.n:,}{note}")
    console.print(f"Run folder: {run.path}")
    console.print(f"Next: edgeecg compress --start {run.name}, or edgeecg evaluate {run.path}")


def _started(name: str | None, options: dict[str, object]) -> tuple[RunFolder, TrainingConfig]:
    from edgeecg.cli import _starting
    from edgeecg.models import architecture
    from edgeecg.schema import TrainingConfig

    model = str(options.get("model", TrainingConfig().model))
    config = _starting.configured(TrainingConfig, architecture(model).RECIPE, options)
    return _starting.new_run(name, model), config


def _resumed(name: str | None, options: dict[str, object]) -> tuple[RunFolder, TrainingConfig]:
    from edgeecg.cli import _starting
    from edgeecg.runs import newest_untrained
    from edgeecg.schema import TrainingConfig

    run = newest_untrained(name)
    config = TrainingConfig.from_json(run.training.read_bytes(), source=str(run.training))
    _starting.unchanged(run, config, options)
    return run, config


def _run(run: RunFolder, config: TrainingConfig, json_path: Path | None) -> ModelCard:
    from edgeecg.cli import _starting
    from edgeecg.cli._console import output, progress, shown
    from edgeecg.files import write_text
    from edgeecg.runs.journal import Journal
    from edgeecg.training import baseline, device
    from edgeecg.training.cards import make_card, save_model

    with progress() as bar:
        show = shown(bar, "reading records")
        dataset = _starting.records(config, output(json_path), show)
        if device.writes() and not run.training.is_file():
            write_text(run.training, config.to_json())
            Journal(run.events).write("train", command="edgeecg " + " ".join(sys.argv[1:]))
        trained = baseline.train(dataset, config, run.baseline_checkpoint, show)
        show("scoring", 0, 1)
        card = make_card(trained.model, "baseline", config, dataset, trained.epochs)
        if device.writes():
            save_model(trained.model, card, run.baseline_weights, run.baseline_card)
            run.baseline_checkpoint.unlink(missing_ok=True)
    return card
