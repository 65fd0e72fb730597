"""``edgeecg data``: get databases, see what is in them, look at a record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console

    from edgeecg.data.inventory import Inventory
    from edgeecg.schema import ClassMapName

EXTRA = "data"

data = typer.Typer(no_args_is_help=True, help="Get ECG records, see what is in them, draw them.")

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
    """Download a database, each file checked; a stopped download continues where it was."""
    import json

    from edgeecg.cli._console import emit_json, output, progress, shown
    from edgeecg.data import download, sources
    from edgeecg.data.locations import place
    from edgeecg.errors import UnknownNameError

    source = sources.find(name)
    if source.DOWNLOAD is None:
        raise UnknownNameError("database to download", name, sources.downloadable())
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
        if not yes and not typer.confirm(question):
            console.print(f"Nothing was downloaded. Next: edgeecg data fetch {name} --yes")
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
    console.print(f"Next: edgeecg data info {folder or name}", soft_wrap=True)


@data.command("info")
def info(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="mitdb, ptbxl, nstdb, synthetic, or a folder.")
    ],
    leads: Annotated[
        list[str] | None, typer.Option(help="For a folder: MODEL'S LEAD=ITS NAME THERE.")
    ] = None,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write it as JSON; - is standard output.")
    ] = None,
) -> None:
    """Say what a database or a folder holds: records, leads, classes, splits, what is left out."""
    from edgeecg.cli._console import emit_json, output, progress, shown
    from edgeecg.cli._leads import lead_names

    names = lead_names(leads or [])
    with progress() as bar:
        show = shown(bar, "reading headers")

        from edgeecg.data import inventory

        found = inventory.take(
            name, names, lambda done, total: show("preparing records", done, total)
        )
    emit_json(json_path, found.to_json())
    _show_inventory(found, output(json_path))


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
    """Draw a record on ECG paper, with its beats and their classes, or with its twelve leads."""
    import json

    from edgeecg.cli._console import emit_json, output
    from edgeecg.data import inventory
    from edgeecg.data.records import picture, reader

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
    console = output(json_path)
    console.print(f"Picture: {target}", soft_wrap=True, markup=False)
    console.print(f"Next: edgeecg data info {source or path}", soft_wrap=True, markup=False)


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
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    def line(label: str, text: str) -> None:
        console.print(f"[bold]{label}:[/] {escape(text)}", soft_wrap=True)

    def counted(counts: dict[str, int]) -> str:
        return ", ".join(f"{name} ({n:,})" for name, n in counts.items()) or "none"

    line("Folder", found.folder)
    line("Records", f"{found.records:,}, {found.annotated:,} of them annotated")
    line("Length", f"{found.hours:,.1f} hours")
    line("Leads", counted(found.leads))
    line("Rates (Hz)", counted(found.rates_hz))
    summary = found.summary
    if summary is None:
        line("Classes", f"none. {found.reason}")
    else:
        by_fold = summary.class_map == "superclasses"
        unit = "records" if by_fold else "beats"
        table = Table(
            "split", "folds" if by_fold else "records", title=f"{unit} by class", box=SIMPLE_HEAD
        )
        for name in summary.classes:
            table.add_column(name, justify="right")
        parts = (summary.train_records, summary.val_records, summary.test_records)
        for (split, counts), names in zip(summary.beats.items(), parts, strict=True):
            numbers = [f"{counts[name]:,}" for name in summary.classes]
            table.add_row(split, str(len(names)), *numbers)
        console.print(table)
        line("Class map", summary.class_map)
        line("Left out", counted(summary.skipped))
        line("Licence", summary.licence)
        for note in summary.notes:
            line("Note", note)
    for record, remark in found.remarks.items():
        line(f"Record {record}", remark)
    if found.name == "nstdb":
        following = "data show bw"
    else:
        following = "train MODEL" if summary and summary.train_records else "classify MODEL"
    console.print(f"Next: edgeecg {following} --data {found.name}", soft_wrap=True, markup=False)


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.0f} MB"
