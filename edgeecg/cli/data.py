"""``edgeecg data``: get databases, see what is in them, look at a record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from edgeecg.cli._leads import FolderLeads, lead_names

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console
    from rich.table import Table

    from edgeecg.data.inventory import Inventory
    from edgeecg.schema import ClassMapName, DataSummary

EXTRA = "data"

data = typer.Typer(no_args_is_help=True, help="Get ECG records, see what is in them, draw them.")

_LEFT_OUT = "Left out"
_LISTED = 20
_TWELVE = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


@data.command("fetch")
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="mitdb, ptbxl or nstdb.")],
    folder: Annotated[
        Path | None, typer.Option(help="Where to; default: where edgeecg looks for it.")
    ] = None,
    rate: Annotated[
        Literal["100", "500"], typer.Option(help="PTB-XL: 500 also brings the 500 Hz records.")
    ] = "100",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write what was done; - is standard output.")
    ] = None,
) -> None:
    """Download a database and check its files.

    A download that was stopped goes on where it was.
    """
    import json

    from edgeecg.cli._console import (
        command,
        confirmed,
        emit_json,
        output,
        progress,
        shown,
    )
    from edgeecg.data import download, sources
    from edgeecg.data.locations import place
    from edgeecg.errors import UnknownNameError

    source = sources.find(name)
    if source.DOWNLOAD is None:
        raise UnknownNameError("downloadable database", name, sources.downloadable())
    console = output(json_path)
    transport = download.over_http()
    target = folder or place(name)
    planned = download.plan(source.DOWNLOAD, target, int(rate), transport)
    console.print(f"Licence: {source.LICENCE}", soft_wrap=True, markup=False)
    if planned.present:
        console.print(f"{planned.present:,} files are in '{target}' already.", soft_wrap=True)
    if planned.missing:
        size = _size(planned.size_bytes)
        question = f"Download {len(planned.missing):,} files, about {size}, to '{target}'?"
        where = ("--folder", folder) if folder else ()
        at = ("--rate", rate) if rate != "100" else ()
        beforehand = command("data", "fetch", name, *where, *at, "--yes")
        if not yes and not confirmed(question, beforehand):
            console.print(f"Nothing was downloaded. Next: {beforehand}", soft_wrap=True)
            return
    with progress() as bar:
        show = shown(bar, f"downloading {name}")
        download.download(
            planned, transport, lambda done, total: show(f"downloading {name}", done, total)
        )
    count = planned.present + len(planned.missing)
    document = {
        "schema": "edgeecg.download/1",
        "name": name,
        "folder": str(target),
        "files": count,
        "downloaded": len(planned.missing),
        "licence": source.LICENCE,
    }
    emit_json(json_path, json.dumps(document, indent=1) + "\n")
    console.print(f"{count:,} files are in '{target}', each checked.", soft_wrap=True)
    console.print(f"Next: {command('data', 'info', folder or name)}", soft_wrap=True)


@data.command("info")
def info(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="mitdb, ptbxl, nstdb, synthetic, or a folder.")
    ],
    leads: FolderLeads = None,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write it as JSON; - is standard output.")
    ] = None,
) -> None:
    """Say what a database or a folder of records holds.

    That is: records, leads, classes, splits, and what is left out.
    """
    from edgeecg.cli._console import emit_json, output, progress, shown

    names = lead_names(leads or [])
    console = output(json_path)
    with progress() as bar:
        show = shown(bar, "reading headers")

        from edgeecg.data import inventory

        found = inventory.take(
            name, names, lambda done, total: show("preparing records", done, total)
        )
    emit_json(json_path, found.to_json())
    _show_inventory(found, console)


@data.command("show")
def show(
    record: Annotated[str, typer.Argument(help="Name of a record; for PTB-XL, its ecg_id.")],
    source: Annotated[
        str | None, typer.Option("--data", help="mitdb, ptbxl, synthetic, or a folder.")
    ] = None,
    start: Annotated[float, typer.Option(min=0, help="Second to begin at.")] = 0.0,
    seconds: Annotated[float, typer.Option(min=1, max=120, help="Seconds to draw.")] = 10.0,
    lead: Annotated[
        str | None, typer.Option(help="Lead to draw; default: MLII, or the first.")
    ] = None,
    class_map: Annotated[
        Literal["aami", "ec57"], typer.Option(help="From beat symbols to classes.")
    ] = "aami",
    out: Annotated[
        Path | None, typer.Option(help="Picture to write, .png, .svg or .pdf; RECORD.png.")
    ] = None,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write what was drawn; - is standard output.")
    ] = None,
) -> None:
    """Draw a record on ECG paper.

    With its beats and their classes, or with its twelve leads.
    """
    import json

    from edgeecg.cli._console import command, emit_json, output
    from edgeecg.data import inventory
    from edgeecg.data.records import picture, reader

    console = output(json_path)
    path, name = inventory.find_record(record, source)
    header = reader.describe(path, name)
    wanted = {each.upper() for each in _TWELVE}
    if lead is None and not header.annotated and wanted <= {each.upper() for each in header.leads}:
        figure = _twelve(path, name, record)
    else:
        chosen = lead or ("MLII" if "MLII" in header.leads else header.leads[0])
        figure = _beats(path, header, chosen, class_map, (start, seconds))
    target = out or Path(f"{Path(record).name}.png")
    picture.save(figure, target)
    document = {
        "schema": "edgeecg.picture/1",
        "record": header.name,
        "folder": str(path),
        "leads": list(header.leads),
        "fs_hz": header.fs_hz,
        "length_s": header.length / header.fs_hz,
        "annotated": header.annotated,
        "picture": str(target),
    }
    emit_json(json_path, json.dumps(document, indent=1) + "\n")
    console.print(f"Picture: {target}", soft_wrap=True, markup=False)
    following = command("data", "info", source or path)
    console.print(f"Next: {following}", soft_wrap=True, markup=False)


def _beats(
    path: Path, header: object, lead: str, class_map: ClassMapName, stretch_s: tuple[float, float]
) -> Figure:
    import dataclasses

    import numpy as np

    from edgeecg.data.records import picture, reader
    from edgeecg.data.records.beat_classes import BEAT_SYMBOLS, group_of
    from edgeecg.errors import UsageError

    assert isinstance(header, reader.RecordHeader)
    length_s = header.length / header.fs_hz
    if stretch_s[0] >= length_s:
        raise UsageError(
            f"Record {header.name} cannot be drawn from second {stretch_s[0]:g} on.",
            f"It is {length_s:g} s long.",
            "Give a smaller --start.",
        )
    record = reader.read(path, header.name, (lead,), strict=False, annotated=header.annotated)
    is_beat = np.array([symbol in BEAT_SYMBOLS for symbol in record.symbols], np.bool_)
    groups = [group_of(s, class_map) or "" for s in record.symbols if s in BEAT_SYMBOLS]
    drawn = dataclasses.replace(record, samples=record.samples[is_beat])
    return picture.beats(drawn, lead, groups, *stretch_s)


def _twelve(path: Path, name: str, record: str) -> Figure:
    import dataclasses

    from edgeecg.data import inventory
    from edgeecg.data.records import picture, reader

    read = reader.read(path, name, _TWELVE, strict=False, annotated=False)
    classes = inventory.classes_of(path, name)
    return picture.twelve_leads(dataclasses.replace(read, name=Path(record).name), _TWELVE, classes)


def _show_inventory(found: Inventory, console: Console) -> None:
    from edgeecg.cli._console import command

    def line(label: str, text: str) -> None:
        console.print(f"{label}:", style="bold", end=" ")
        console.print(text, soft_wrap=True)

    line("Folder", found.folder)
    line("Records", f"{found.records:,}, {found.annotated:,} of them annotated")
    line("Length", length_text(found.hours * 3600))
    line("Leads", _counted(found.leads))
    line("Rates (Hz)", _counted(found.rates_hz))
    summary = found.summary
    if summary is None:
        line("Classes", f"none. {found.reason}")
    else:
        console.print(_classes_table(summary))
        line("Class map", summary.class_map)
        line("Left out", _counted(summary.skipped))
        line("Licence", summary.licence)
        for note in summary.notes:
            if not note.startswith(_LEFT_OUT):
                line("Note", note)
    for reason in list(found.left_out.values())[:_LISTED]:
        line(_LEFT_OUT, reason)
    if len(found.left_out) > _LISTED:
        line(_LEFT_OUT, f"{len(found.left_out) - _LISTED:,} more, named by --json.")
    if found.training is not None:
        line("Training", f"not possible. {found.training}")
    if fitting := _fitting(found):
        line("Models", fitting)
    for record, remark in found.remarks.items():
        line(f"Record {record}", remark)
    if found.name == "nstdb":
        following = ("data", "show", "bw")
    elif summary and summary.train_records:
        following = ("train", "MODEL")
    else:
        following = ("classify", "MODEL")
    words = command(*following, "--data", found.name)
    console.print(f"Next: {words}", soft_wrap=True, markup=False)


def _classes_table(summary: DataSummary) -> Table:
    """Return a table of the beats or records of each class and split."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    unit = "records" if summary.class_map == "superclasses" else "beats"
    parts = (summary.train_records, summary.val_records, summary.test_records)
    by_fold = any(name.startswith("fold ") for names in parts for name in names)
    table = Table(
        "split", "folds" if by_fold else "records", title=f"{unit} by class", box=SIMPLE_HEAD
    )
    for name in summary.classes:
        table.add_column(name, justify="right")
    for (split, counts), names in zip(summary.beats.items(), parts, strict=True):
        numbers = [f"{counts[name]:,}" for name in summary.classes]
        # Records of a folder with classes are not listed by name, but counted.
        count = names[0].partition(" ")[0] if names and names[0].endswith(" records") else None
        table.add_row(split, count or str(len(names)), *numbers)
    return table


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} ({n:,})" for name, n in counts.items()) or "none"


def length_text(seconds: float) -> str:
    """Return a length in the unit that suits it."""
    if seconds < 120:
        return f"{seconds:,.1f} seconds"
    return f"{seconds / 60:,.1f} minutes" if seconds < 7200 else f"{seconds / 3600:,.1f} hours"


def _fitting(found: Inventory) -> str:
    """Return which models can classify the records of a folder; empty where that is not known."""
    from edgeecg.data import sources

    if found.name in sources.names():
        return ""
    try:
        from edgeecg.models import classifying
    except ModuleNotFoundError:
        # Looking at records does not need torch, and the models do.
        return ""
    held = {lead.upper() for lead in found.leads}
    of_records, of_beats = classifying("records"), classifying("beats")
    beats = f"{', '.join(of_beats)} (beats)"
    if "MLII" not in held:
        lead = next((lead for lead in found.leads if lead.upper() == "II"), None)
        lead = lead or next(iter(found.leads), "LEAD")
        beats = f"{', '.join(of_beats)} (beats, with --leads MLII={lead})"
    if {lead.upper() for lead in _TWELVE} <= held:
        return f"{', '.join(of_records)} (12-lead records); {beats}"
    return beats


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.0f} MB"
