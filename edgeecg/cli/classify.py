"""``edgeecg classify``: the classes of beats or records, annotated or not."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from edgeecg.errors import DataError
    from edgeecg.evaluation.predictions import Predictions
    from edgeecg.evaluation.predictors import Predictor
    from edgeecg.progress import ProgressCallback

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
    """Classify every beat, or every 12-lead record, of a folder: a table each, and a summary.

    R peaks come from a record's .atr if there is one, else from a detector.
    """
    import json

    from edgeecg.cli._console import emit_json, output, progress, shown
    from edgeecg.cli._leads import lead_names

    names = lead_names(leads or [])
    with progress() as bar:
        show = shown(bar, "loading the model")

        from edgeecg.data import sources
        from edgeecg.evaluation.predictors import load_predictor

        path = sources.find(data).folder()
        predictor = load_predictor(model)
        calls, errors = _calls(predictor, path, names, show)
    document = _document(predictor, data, calls, errors)
    emit_json(json_path, json.dumps(document, indent=1) + "\n")
    written = _write(predictor, calls, out or Path("calls"))
    console = output(json_path)
    _show(predictor, calls, errors, console)
    console.print(f"Tables: {written}", soft_wrap=True, markup=False)
    example = calls[0].record.name
    console.print(f"Next: edgeecg data show {example} --data {data}", soft_wrap=True, markup=False)


def _calls(
    predictor: Predictor, path: Path, leads: dict[str, str], show: ProgressCallback
) -> tuple[list[Predictions], dict[str, DataError]]:
    """Return the predictions, and the error of each record that could not be read.

    Raises:
        DataError: That of the first record, when none could be classified.
    """
    from edgeecg.data import unlabelled
    from edgeecg.errors import DataError
    from edgeecg.evaluation.predictions import classify_record

    names = unlabelled.names(path)
    calls: list[Predictions] = []
    errors: dict[str, DataError] = {}
    for done, name in enumerate(names, start=1):
        try:
            calls.append(
                classify_record(
                    predictor, unlabelled.load(path, name, predictor.preprocessing, leads)
                )
            )
        except DataError as error:
            errors[name] = error
        show("classifying", done, len(names))
    if not calls:
        raise next(iter(errors.values()))
    return calls, errors


def _document(
    predictor: Predictor, data: str, calls: list[Predictions], errors: dict[str, DataError]
) -> dict[str, Any]:
    return {
        "schema": _SCHEMA,
        "model": predictor.title,
        "data": data,
        "task": predictor.task,
        "classes": list(predictor.classes),
        "preprocessing": predictor.preprocessing.to_document(),
        "records": [
            {
                "record": each.record.name,
                "peaks": each.record.peaks,
                "counts": each.counts,
                "skipped": each.record.skipped,
                "stretches": each.record.stretches,
                "low_quality": dict(each.record.low_quality),
                "calls": each.rows(),
            }
            for each in calls
        ],
        "errors": {name: str(error) for name, error in errors.items()},
    }


def _write(predictor: Predictor, calls: list[Predictions], folder: Path) -> Path:
    """Write a table of beats for each record, or one of all records; return where they are."""
    from edgeecg.evaluation.predictions import as_csv
    from edgeecg.files import write_text

    if predictor.task == "records":
        rows = [row for each in calls for row in each.rows()]
        write_text(folder / "records.csv", as_csv(rows))
        return folder / "records.csv"
    for each in calls:
        write_text(folder / f"{each.record.name}.csv", as_csv(each.rows()))
    return folder


def _show(
    predictor: Predictor, calls: list[Predictions], errors: dict[str, DataError], console: Console
) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    of_beats = predictor.task == "beats"
    table = Table("record", title=f"Called by {predictor.title}", box=SIMPLE_HEAD)
    for name in predictor.classes:
        table.add_column(name, justify="right")
    for heading in ["R peaks", "left out", "low quality"] if of_beats else ["left out"]:
        table.add_column(heading)
    if of_beats:
        for each in calls:
            numbers = [f"{n:,}" for n in each.counts.values()]
            peaks = each.record.peaks
            low = f"{sum(each.record.low_quality.values()):,} of {each.record.stretches:,}"
            skipped = _counted(each.record.skipped)
            table.add_row(each.record.name, *numbers, peaks, skipped, low)
    total = {name: sum(each.counts[name] for each in calls) for name in predictor.classes}
    left: dict[str, int] = {}
    for each in calls:
        for reason, n in each.record.skipped.items():
            left[reason] = left.get(reason, 0) + n
    numbers = [f"{n:,}" for n in total.values()]
    table.add_row(f"all {len(calls):,}", *numbers, *[""] * of_beats, _counted(left))
    console.print(table)
    for line in _remarks(predictor, calls, errors):
        console.print(line, soft_wrap=True, markup=False)


def _remarks(
    predictor: Predictor, calls: list[Predictions], errors: dict[str, DataError]
) -> list[str]:
    lines: list[str] = []
    if any(each.record.peaks == "detected" for each in calls):
        lines.append(
            "R peaks of records without annotations come from a detector: what it misses "
            "is not called, and the model was trained on annotated peaks."
        )
    stretches = sum(each.record.stretches for each in calls)
    low: Counter[str] = Counter()
    for each in calls:
        low.update(each.record.low_quality)
    if low:
        lines.append(
            f"Low signal quality: {sum(low.values()):,} of {stretches:,} stretches of 10 s "
            f"({_counted(low)}). Beats and classes are doubtful there; the tables mark them."
        )
    if predictor.task == "records":
        by = "0.5" if predictor.thresholds is None else "the model's thresholds"
        lines.append(f"A record is called every class whose probability reaches {by}.")
    for name, error in list(errors.items())[:_SHOWN_ERRORS]:
        lines.append(f"Left out: {name}. {error}")
    if len(errors) > _SHOWN_ERRORS:
        lines.append(f"Left out: {len(errors) - _SHOWN_ERRORS:,} more, named by --json.")
    lines.append("These are a program's calls, no diagnosis: this is not a medical device.")
    return lines


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {n:,}" for reason, n in counts.items()) or "-"
