"""``edgeecg evaluate``: the same scores for a PyTorch model, a ``.tflite`` and an ``.onnx``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from edgeecg.cli._leads import FolderLeads, lead_names
from edgeecg.cli._options import Custom, Threads

if TYPE_CHECKING:
    from rich.console import Console

    from edgeecg.evaluation.named import Evaluation
    from edgeecg.evaluation.predictors import Predictor

EXTRA = "compress"


def evaluate(
    model: Annotated[
        str,
        typer.Argument(help="A model, a run, a .tflite, .onnx or .safetensors file."),
    ],
    data: Annotated[
        str | None,
        typer.Option(help="mitdb, ptbxl, synthetic, or a folder of WFDB records."),
    ] = None,
    split: Annotated[
        Literal["val", "test"], typer.Option(help="Which split; of a folder, every record.")
    ] = "test",
    leads: FolderLeads = None,
    class_map: Annotated[
        Literal["aami", "ec57"] | None,
        typer.Option(help="From beat symbols to classes; default: the model's."),
    ] = None,
    min_likelihood: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=100,
            help="PTB-XL: percent from which a statement counts; default: the model's.",
        ),
    ] = None,
    custom: Custom = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse a folder with a record that cannot be used.")
    ] = False,
    threads: Threads = 1,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write the scores as JSON; - is standard output.")
    ] = None,
) -> None:
    """Score a model or an exported file on annotated records."""
    import json

    from edgeecg.cli._console import emit_json, output, progress, shown

    names = lead_names(leads or [])
    console = output(json_path)
    with progress() as bar:
        show = shown(bar, "loading the model")

        from edgeecg.evaluation import named

        found = named.evaluate(
            model,
            data,
            split=split,
            leads=names,
            class_map=class_map,
            min_likelihood=min_likelihood,
            custom=custom,
            strict=strict,
            threads=threads,
            on_progress=show,
        )

    emit_json(json_path, json.dumps(found.to_document(), indent=1) + "\n")
    _show(found, console)
    console.print(f"Next: {_next(found.predictor, model, custom)}", markup=False, soft_wrap=True)


def _show(found: Evaluation, console: Console) -> None:
    """Print the scores as tables."""
    from edgeecg.reporting import evaluation as report
    from edgeecg.reporting.terminal import print_table

    if found.scores.data == "synthetic":
        console.print("SYNTHETIC records: the scores say nothing about patients.", style="bold red")
    console.print(found.predictor.title, style="bold", markup=False)
    for table in report.tables(found.scores, found.summary, found.fidelity):
        print_table(table, console)


def _next(predictor: Predictor, named: str, custom: str | None) -> str:
    from edgeecg.cli._console import command

    if predictor.kind == "file":
        return command("bench", named)
    is_weights = Path(named).suffix == ".safetensors"
    if predictor.card is not None and predictor.card.role == "compressed":
        run = () if is_weights else ("--run", named)
        return command(
            "export", *run, "--target", "tflite", *(("--custom", custom) if custom else ())
        )
    if named == predictor.model or is_weights:
        return command("compress", custom or predictor.model)
    return command("compress", *((custom,) if custom else ()), "--start", named)
