"""``edgeecg classify``: the classes of beats or records, annotated or not."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeecg.cli._leads import lead_names
from edgeecg.cli._options import Custom, Threads

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from edgeecg.evaluation.named import Classification
    from edgeecg.evaluation.predictions import Predictions

EXTRA = "compress"

_SCHEMA = "edgeecg.calls/1"
_NAMED = 5
# The table of a model of whole records; one of beats has a table for each record.
_OF_RECORDS = "records.csv"


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
    custom: Custom = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at a record that cannot be classified.")
    ] = False,
    threads: Threads = 1,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write everything as JSON; - is standard output.")
    ] = None,
) -> None:
    """Classify the beats or 12-lead records of a folder.

    R peaks come from a record's .atr if it marks beats, else from a detector.
    """
    import json

    from edgeecg.cli._console import command, emit_json, output, progress, shown
    from edgeecg.files import check_writable, write_text

    names = lead_names(leads or [])
    folder = out or Path("calls")
    check_writable(folder / _OF_RECORDS)
    console = output(json_path)
    with progress() as bar:
        show = shown(bar, "loading the model")

        from edgeecg.evaluation import named

        found = named.classify(
            model,
            data,
            leads=names,
            custom=custom,
            strict=strict,
            threads=threads,
            on_progress=show,
        )
    emit_json(json_path, json.dumps(_document(found, data), indent=1) + "\n")
    tables = _tables(found, folder)
    replaced = sum(path.exists() for path in tables)
    for path, content in tables.items():
        write_text(path, content)
    _show(found, console)
    written = folder if found.predictor.task == "beats" else folder / _OF_RECORDS
    console.print(f"Tables: {written}", soft_wrap=True, markup=False)
    if replaced:
        console.print(f"Tables of an earlier call that were replaced: {replaced}.")
    if others := sorted(path.name for path in set(folder.glob("*.csv")) - set(tables)):
        named_others = ", ".join(others[:_NAMED]) + (", ..." if len(others) > _NAMED else "")
        console.print(f"Other tables in this folder: {named_others}.", soft_wrap=True, markup=False)
    example = found.records[0].record.name
    following = command("data", "show", example, "--data", data)
    console.print(f"Next: {following}", soft_wrap=True, markup=False)


def _document(found: Classification, data: str) -> dict[str, Any]:
    predictor = found.predictor
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
            for each in found.records
        ],
        "errors": {name: str(error) for name, error in found.errors.items()},
        "without_windows": _without_windows(found),
        "without_class": _without_class(found),
    }


def _tables(found: Classification, folder: Path) -> dict[Path, str]:
    """Return a table of beats for each record, or one of all records, by the file."""
    from edgeecg.evaluation.predictions import as_csv

    if found.predictor.task == "records":
        rows = [row for each in found.records for row in each.rows()]
        return {folder / _OF_RECORDS: as_csv(rows)}
    return {folder / f"{each.record.name}.csv": as_csv(each.rows()) for each in found.records}


def _show(found: Classification, console: Console) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    predictor, records = found.predictor, found.records
    of_beats = predictor.task == "beats"
    table = Table("record", title=f"Called by {predictor.title}", box=SIMPLE_HEAD)
    for name in predictor.classes:
        table.add_column(name, justify="right")
    for heading in ["R peaks", "left out", "low quality"] if of_beats else ["left out"]:
        table.add_column(heading)
    if of_beats:
        for each in records:
            numbers = [f"{n:,}" for n in each.counts.values()]
            low = f"{sum(each.record.low_quality.values()):,} of {each.record.stretches:,}"
            peaks = each.record.peaks
            table.add_row(each.record.name, *numbers, peaks, _left_out(each), low)
    total = {name: sum(each.counts[name] for each in records) for name in predictor.classes}
    left = Counter[str]()
    for each in records:
        left.update(each.record.skipped)
    numbers = [f"{n:,}" for n in total.values()]
    table.add_row(f"all {len(records):,}", *numbers, *[""] * of_beats, _counted(left))
    console.print(table)
    for line in _remarks(found):
        console.print(line, soft_wrap=True, markup=False)


def _remarks(found: Classification) -> list[str]:
    predictor, errors = found.predictor, found.errors
    lines: list[str] = []
    if any(each.record.peaks == "detected" for each in found.records):
        lines.append(
            "R peaks of records without annotations come from a detector: what it misses "
            "is not called, and the model was trained on annotated peaks."
        )
    stretches = sum(each.record.stretches for each in found.records)
    low: Counter[str] = Counter()
    for each in found.records:
        low.update(each.record.low_quality)
    if low:
        lines.append(
            f"Low signal quality: {sum(low.values()):,} of {stretches:,} stretches of 10 s "
            f"({_counted(low)}). Beats and classes are doubtful there; the tables mark them."
        )
    if predictor.task == "records":
        by = "0.5" if predictor.thresholds is None else "the model's thresholds"
        lines.append(f"A record is called every class whose probability reaches {by}.")
        if silent := _without_class(found):
            lines.append(f"No class reaches it in {_named(silent)}.")
    names_by_reason: dict[str, list[str]] = {}
    for name, reason in _without_windows(found).items():
        names_by_reason.setdefault(reason, []).append(name)
    for reason, names in names_by_reason.items():
        lines.append(f"Nothing was classified in {_named(names)}: {reason}.")
    for name, error in list(errors.items())[:_NAMED]:
        lines.append(f"Left out: {name}. {error}")
    if len(errors) > _NAMED:
        lines.append(f"Left out: {len(errors) - _NAMED:,} more, named by --json.")
    lines.append("These are a program's calls, no diagnosis: this is not a medical device.")
    return lines


def _without_windows(found: Classification) -> dict[str, str]:
    """Return why there is nothing to classify in a record, by its name."""
    empty = {each.record.name: each.record.why_empty for each in found.records}
    return {name: why for name, why in empty.items() if why is not None}


def _without_class(found: Classification) -> list[str]:
    """Return the records that the model gives no class, although it has seen them."""
    return [
        each.record.name
        for each in found.records
        if len(each.record.sample) and not any(each.counts.values())
    ]


def _named(names: list[str]) -> str:
    """Return how many records there are, and the first of their names."""
    more = ", ..." if len(names) > _NAMED else ""
    plural = "s" if len(names) > 1 else ""
    return f"{len(names):,} record{plural} ({', '.join(names[:_NAMED])}{more})"


def _left_out(each: Predictions) -> str:
    skipped = _counted(each.record.skipped)
    return skipped if skipped != "-" else each.record.why_empty or "-"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {n:,}" for reason, n in counts.items()) or "-"
