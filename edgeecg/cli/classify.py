"""``edgeecg classify``: what a model says of records that nobody has annotated."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from edgeecg.cli._console import Show
    from edgeecg.errors import DataError
    from edgeecg.evaluation.predictions import Calls
    from edgeecg.evaluation.predictors import Subject

EXTRA = "compress"

_SCHEMA = "edgeecg.calls/1"
_SHOWN_ERRORS = 5


def classify(
    model: Annotated[
        str,
        typer.Argument(help="A model, a run, a .tflite, .onnx or .safetensors file."),
    ],
    data: Annotated[str, typer.Option(help="A folder of WFDB records, annotated or not.")],
    leads: Annotated[
        list[str] | None, typer.Option(help="MODEL'S LEAD=ITS NAME IN THE RECORDS.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the tables; default: calls/ here.")
    ] = None,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write everything as JSON; - is standard output.")
    ] = None,
) -> None:
    """Call every beat, or every 12-lead record, of a folder: a table each, and a summary.

    R peaks come from a record's .atr if there is one, else from wfdb's detector XQRS.
    """
    import json

    from edgeecg.cli import _starting
    from edgeecg.cli._console import emit_json, output, progress, shown

    names = _starting.lead_names(leads or [])
    with progress() as bar:
        show = shown(bar, "loading the model")

        from edgeecg.data import inventory
        from edgeecg.evaluation.predictors import load_subject

        path = inventory.folder_of(data)
        subject = load_subject(model)
        calls, errors = _calls(subject, path, names, show)
    document = _document(subject, data, calls, errors)
    emit_json(json_path, json.dumps(document, indent=1) + "\n")
    written = _write(subject, calls, out or Path("calls"))
    console = output(json_path)
    _show(subject, calls, errors, console)
    console.print(f"Tables: {written}", soft_wrap=True, markup=False)
    example = calls[0].record.name
    console.print(f"Next: edgeecg data show {example} --data {data}", soft_wrap=True, markup=False)


def _calls(
    subject: Subject, path: Path, leads: dict[str, str], show: Show
) -> tuple[list[Calls], dict[str, DataError]]:
    """Return what is called, and the error of each record that could not be.

    Raises:
        DataError: That of the first record, when none could be classified.
    """
    from edgeecg.data import unlabelled
    from edgeecg.errors import DataError
    from edgeecg.evaluation.predictions import call

    names = unlabelled.names(path)
    calls: list[Calls] = []
    errors: dict[str, DataError] = {}
    for done, name in enumerate(names, start=1):
        try:
            calls.append(call(subject, unlabelled.load(path, name, subject.preprocessing, leads)))
        except DataError as error:
            errors[name] = error
        show("classifying", done, len(names))
    if not calls:
        raise next(iter(errors.values()))
    return calls, errors


def _document(
    subject: Subject, data: str, calls: list[Calls], errors: dict[str, DataError]
) -> dict[str, Any]:
    return {
        "schema": _SCHEMA,
        "model": subject.title,
        "data": data,
        "task": subject.task,
        "classes": list(subject.classes),
        "preprocessing": subject.preprocessing.to_document(),
        "records": [
            {
                "record": each.record.name,
                "peaks": each.record.peaks,
                "counts": each.counts,
                "skipped": each.record.skipped,
                "calls": each.rows(),
            }
            for each in calls
        ],
        "errors": {name: str(error) for name, error in errors.items()},
    }


def _write(subject: Subject, calls: list[Calls], folder: Path) -> Path:
    """Write a table of beats for each record, or one of all records; return where they are."""
    from edgeecg.evaluation.predictions import as_csv
    from edgeecg.files import write_text

    if subject.task == "records":
        rows = [row for each in calls for row in each.rows()]
        write_text(folder / "records.csv", as_csv(rows))
        return folder / "records.csv"
    for each in calls:
        write_text(folder / f"{each.record.name}.csv", as_csv(each.rows()))
    return folder


def _show(
    subject: Subject, calls: list[Calls], errors: dict[str, DataError], console: Console
) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    of_beats = subject.task == "beats"
    table = Table("record", title=f"Called by {subject.title}", box=SIMPLE_HEAD)
    for name in subject.classes:
        table.add_column(name, justify="right")
    for heading in ["R peaks", "left out"] if of_beats else ["left out"]:
        table.add_column(heading)
    if of_beats:
        for each in calls:
            numbers = [f"{n:,}" for n in each.counts.values()]
            peaks = each.record.peaks
            table.add_row(each.record.name, *numbers, peaks, _counted(each.record.skipped))
    total = {name: sum(each.counts[name] for each in calls) for name in subject.classes}
    left: dict[str, int] = {}
    for each in calls:
        for reason, n in each.record.skipped.items():
            left[reason] = left.get(reason, 0) + n
    numbers = [f"{n:,}" for n in total.values()]
    table.add_row(f"all {len(calls):,}", *numbers, *[""] * of_beats, _counted(left))
    console.print(table)
    for line in _remarks(subject, calls, errors):
        console.print(line, soft_wrap=True, markup=False)


def _remarks(subject: Subject, calls: list[Calls], errors: dict[str, DataError]) -> list[str]:
    lines: list[str] = []
    if any(each.record.peaks == "xqrs" for each in calls):
        lines.append(
            "R peaks of records without annotations come from wfdb's detector XQRS: what it misses "
            "is not called, and the model was trained on annotated peaks."
        )
    if subject.task == "records":
        by = "0.5" if subject.thresholds is None else "the model's thresholds"
        lines.append(f"A record is called every class whose probability reaches {by}.")
    for name, error in list(errors.items())[:_SHOWN_ERRORS]:
        lines.append(f"Left out: {name}. {error}")
    if len(errors) > _SHOWN_ERRORS:
        lines.append(f"Left out: {len(errors) - _SHOWN_ERRORS:,} more, named by --json.")
    lines.append("These are a program's calls, no diagnosis: this is not a medical device.")
    return lines


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{reason} {n:,}" for reason, n in counts.items()) or "-"
