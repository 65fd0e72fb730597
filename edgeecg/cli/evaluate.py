"""``edgeecg evaluate``: the same scores for a PyTorch model, a ``.tflite`` and an ``.onnx``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from edgeecg.evaluation.predictors import Subject
    from edgeecg.evaluation.scoring import Evaluation

EXTRA = "compress"

_SCHEMA = "edgeecg.evaluation/1"


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
    leads: Annotated[
        list[str] | None, typer.Option(help="For a folder: MODEL'S LEAD=ITS NAME THERE.")
    ] = None,
    class_map: Annotated[
        Literal["aami", "ec57"] | None,
        typer.Option(help="From beat symbols to classes; default: the model's."),
    ] = None,
    min_likelihood: Annotated[
        float | None,
        typer.Option(
            min=0, max=100, help="PTB-XL: percent from which a statement counts; default: as model."
        ),
    ] = None,
    own: Annotated[
        str | None,
        typer.Option(help="Of a run of your own module: its file, path/to/model.py:build."),
    ] = None,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write the scores as JSON; - is standard output.")
    ] = None,
) -> None:
    """Score a model or an exported file on annotated records."""
    import json

    from edgeecg.cli import _starting
    from edgeecg.cli._console import emit_json, output, progress, shown

    names = _starting.lead_names(leads or [])
    with progress() as bar:
        show = shown(bar, "loading the model")

        from edgeecg.data import Request
        from edgeecg.evaluation import scoring
        from edgeecg.evaluation.predictors import load_subject

        if own is not None:
            from edgeecg.models._custom import open_module

            open_module(own)
        subject = load_subject(model)
        request = Request(
            source=data,
            task=subject.task,
            preprocessing=subject.preprocessing,
            class_map=class_map or subject.class_map,
            leads=names,
            min_likelihood=subject.min_likelihood if min_likelihood is None else min_likelihood,
        )
        found = scoring.evaluate(subject, request, split, show)

    emit_json(json_path, json.dumps(_document(subject, found), indent=1) + "\n")
    console = output(json_path)
    if found.scores.data == "synthetic":
        console.print("SYNTHETIC records: the scores say nothing about patients.", style="bold red")
    console.print(subject.title, style="bold", markup=False)

    from edgeecg.reporting import evaluation as report
    from edgeecg.reporting.terminal import print_table

    for table in report.tables(found.scores, found.summary):
        print_table(table, console)
    console.print(f"Next: {_next(subject, model)}", markup=False, soft_wrap=True)


def _document(subject: Subject, found: Evaluation) -> dict[str, Any]:
    """Return the scores, and what they are the scores of."""
    from edgeecg.reporting.evaluation import s_without_large_record

    alone = s_without_large_record(found.scores)
    return {
        "schema": _SCHEMA,
        "model": subject.model,
        "subject": subject.title,
        **found.scores.to_document(),
        "s_without_232": None if alone is None else alone.to_document(),
        "class_map": found.summary.class_map,
        "preprocessing": subject.preprocessing.to_document(),
        "licence": found.summary.licence,
        "skipped": found.summary.skipped,
        "notes": list(found.summary.notes),
    }


def _next(subject: Subject, named: str) -> str:
    if subject.kind == "file":
        return f"edgeecg bench {named}"
    if subject.card is not None and subject.card.role == "compressed":
        return "edgeecg export --target tflite"
    if named == subject.model or Path(named).suffix:
        return f"edgeecg compress {subject.model}"
    return f"edgeecg compress --start {named}"
