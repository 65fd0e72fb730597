"""``edgeecg compress``: from records to a compressed model in a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXTRA = "compress"

# Options that are fields of CompressionConfig default to None, "as the config says": only what was
# given on the command line is passed on, and --resume can tell it from what the run was started
# with.


def compress(
    model: Annotated[
        str | None,
        typer.Argument(help="See 'edgeecg models'; or your own: path/to/model.py:build."),
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
    budget: Annotated[
        list[str] | None,
        typer.Option(
            help="energy=0.2, macs=0.25, size=40kB or, with --costs, latency=0.3: what it may "
            "cost; repeatable."
        ),
    ] = None,
    costs: Annotated[
        Path | None,
        typer.Option(
            help="What 'edgeecg bench --json' wrote of the dense model's .onnx file: its layers' "
            "seconds take the place of the counted energy."
        ),
    ] = None,
    guard: Annotated[
        list[str] | None,
        typer.Option(help="S:recall>=0.5 or macro_f1>=0.6: what has to stay; repeatable."),
    ] = None,
    retries: Annotated[
        int | None, typer.Option(help="Gentler tries of a step that breaks a guard.")
    ] = None,
    sparsity: Annotated[
        float | None,
        typer.Option(help="Without a budget: part of the weights to remove, 0..1."),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Prune-and-fine-tune steps.")] = None,
    schedule: Annotated[
        str | None,
        typer.Option(help="exponential: deep layers cut more; uniform: all layers alike."),
    ] = None,
    round_to: Annotated[
        int | None, typer.Option("--round", help="Channel counts stay multiples of this.")
    ] = None,
    distill: Annotated[
        bool | None,
        typer.Option("--distill/--no-distill", help="Learn from the dense model's logits."),
    ] = None,
    quantize: Annotated[
        str | None,
        typer.Option(help="ptq: find the layers that int8 hurts; qat: train for int8 before."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of baseline training.")] = None,
    finetune_epochs: Annotated[int | None, typer.Option(help="Epochs after each step.")] = None,
    finetune_rate: Annotated[
        float | None, typer.Option(help="Peak learning rate of fine-tuning.")
    ] = None,
    epoch_windows: Annotated[
        int | None, typer.Option(help="Windows drawn per epoch (beats only).")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Runs NAME-0, NAME-1, ... with seeds 0, 1, ....")
    ] = None,
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
    from edgeecg.cli import _compressing, _starting
    from edgeecg.cli._console import emit_json, output

    own = None
    if model is not None and ":" in model:
        model, own = _compressing.own_module(model)
    training = _starting.given(
        {
            "model": model,
            "data": data,
            "leads": _starting.lead_names(leads or []) or None,
            "class_map": class_map,
            "epochs": epochs,
            "epoch_windows": epoch_windows,
            "seed": seed,
            "threads": threads,
        }
    )
    pruning = _starting.given(
        {
            "own": own,
            "start": start,
            "retrain": retrain,
            "structure": structure,
            "method": method,
            "reading": reading,
            "alpha": alpha,
            "costs": costs,
            **_compressing.steering(budget or [], guard or []),
            "retries": retries,
            "sparsity": sparsity,
            "steps": steps,
            "schedule": schedule,
            "round_to": round_to,
            "distill": distill,
            "quantize": quantize,
            "finetune_epochs": finetune_epochs,
            "finetune_rate": finetune_rate,
        }
    )
    console = output(json_path)
    if seeds is None:
        find = _compressing.resumed if resume else _compressing.started
        log = _compressing.perform(*find(name, training, pruning), console)
        emit_json(json_path, log.to_json())
    else:
        runs = _compressing.several(name, seeds, training, pruning, resume)
        emit_json(json_path, _compressing.perform_all(runs, console))
    target = "tflite" if quantize in (None, "none") else "tflite-int8"
    console.print(f"Next: edgeecg export --target {target}")
