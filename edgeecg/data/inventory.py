"""What a database or a folder holds, and in which folder a record is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import ClassVar

from edgeecg.data import sources
from edgeecg.data.locations import place
from edgeecg.data.records import reader
from edgeecg.data.records.listing import record_names
from edgeecg.data.sources import Source
from edgeecg.data.sources._folder import PTBXL_INDEX, SMALLEST_SPLIT, has_ptbxl_layout
from edgeecg.data.windows.dataset import DataRequest, Dataset, OnRecord
from edgeecg.errors import DataError
from edgeecg.schema import Count, DataSummary, Task, Value

_RATES = {"records100": "_lr", "records500": "_hr"}


class Inventory(Value):
    """What a database or a folder holds.

    Attributes:
        name: As it was asked for.
        folder: Its folder.
        records: Number of records.
        annotated: Number of those with annotated beats, or with classes for PTB-XL's layout.
        leads: Number of records by the lead they have.
        rates_hz: Number of records by sampling rate; PTB-XL has each record at two.
        hours: Length of all records together.
        summary: Windows, classes and splits for training, or None.
        reason: Why there is no summary, or None.
        remarks: Peculiarities of single records, by the name of the record.
    """

    version: ClassVar[str] = "edgeecg.inventory/1"

    name: str
    folder: str
    records: Count
    annotated: Count
    leads: dict[str, Count]
    rates_hz: dict[str, Count]
    hours: float
    summary: DataSummary | None
    reason: str | None
    remarks: dict[str, str]


def take(
    name: str, leads: Mapping[str, str] | None = None, on_record: OnRecord | None = None
) -> Inventory:
    """Look through a database or a folder, and prepare its windows.

    Args:
        name: Name of a source, or path of a folder.
        leads: For a folder: what the model's leads are called in it.
        on_record: Called after each record that is prepared.

    Raises:
        UnknownNameError: There is no such database or folder.
        DataError: The database is not here, or a record of it is damaged.
    """
    source = sources.find(name)
    path = source.folder()
    headers, weights = _headers(path)
    held, rates, seconds = Counter[str](), Counter[str](), 0.0
    for header, weight in zip(headers, weights, strict=True):
        held.update({lead: weight for lead in dict.fromkeys(header.leads)})
        rates[f"{header.fs_hz:g}"] += weight
        seconds += weight * header.length / header.fs_hz
    annotated = sum(header.annotated for header in headers)
    total = len(headers)
    if has_ptbxl_layout(path):
        # Each record exists at one or two rates, and counts once.
        total = annotated = max(weights)
        held = Counter({lead: total for lead in headers[0].leads})
        seconds = total * headers[0].length / headers[0].fs_hz
    summary, reason = None, None if source.TASKS else " ".join(source.NOTES)
    if reason is None:
        try:
            summary = _dataset(source, name, annotated, leads or {}, on_record).summary
        except DataError as error:
            reason = str(error)
    return Inventory(
        name=name,
        folder=str(path),
        records=total,
        annotated=annotated,
        leads=dict(held),
        rates_hz=dict(rates),
        hours=seconds / 3600,
        summary=summary,
        reason=reason,
        remarks=dict(source.REMARKS),
    )


def find_record(record: str, data: str | None) -> tuple[Path, str]:
    """Return the folder a record is in, and the record's name there.

    Args:
        record: Name of the record; for PTB-XL, its ``ecg_id``.
        data: Name of a source, or path of a folder; None to look in every database of this machine.

    Raises:
        UnknownNameError: There is no such database or folder.
        DataError: There is no such record.
    """
    places = [sources.find(data).folder()] if data else list(_installed())
    for path in places:
        for name in _names_of(record, path):
            if (path / f"{name}.hea").is_file():
                return path, name
    raise DataError(
        f"There is no record '{record}'.",
        f"It was looked for in {', '.join(str(path) for path in places)}.",
        "Say where it is with --data; 'edgeecg data info NAME' says what there is.",
    )


def _names_of(record: str, path: Path) -> list[str]:
    if not (has_ptbxl_layout(path) and record.isdecimal()):
        return [record]
    number = int(record)
    return [f"{rate}/{number // 1000 * 1000:05d}/{number:05d}{end}" for rate, end in _RATES.items()]


def _headers(path: Path) -> tuple[list[reader.RecordHeader], list[int]]:
    """Return headers, and how many records each represents."""
    if not has_ptbxl_layout(path):
        names = record_names(path)
        return [reader.describe(path, name) for name in names], [1] * len(names)
    headers: list[reader.RecordHeader] = []
    weights: list[int] = []
    for rate, end in _RATES.items():
        found = sorted(path.glob(f"{rate}/*/*{end}.hea"))
        if found:
            name = str(found[0].relative_to(path).with_suffix(""))
            headers.append(reader.describe(path, name))
            weights.append(len(found))
    if not headers:
        raise DataError(
            f"There are no records in '{path}'.",
            f"It has {PTBXL_INDEX}, but neither records100 nor records500 holds any.",
            "Run 'edgeecg data fetch ptbxl'.",
        )
    return headers, weights


def _installed() -> Iterator[Path]:
    """Yield the folders of the databases on this machine; the synthetic one if there is none."""
    found = [path for name in sources.names() if (path := place(name)).is_dir()]
    yield from found or [sources.find(sources.SYNTHETIC).folder()]


def _dataset(
    source: Source, name: str, annotated: int, leads: Mapping[str, str], on_record: OnRecord | None
) -> Dataset:
    task: Task = "records" if has_ptbxl_layout(source.folder()) else "beats"
    too_few = task == "beats" and annotated < SMALLEST_SPLIT
    request = DataRequest(source=name, task=task, leads=leads, score_only=too_few)
    return source.load(request, on_record)


def classes_of(path: Path, name: str) -> str:
    """Return the superclasses of a record of a folder in PTB-XL's layout, in words.

    Args:
        path: The folder; one of another layout has no superclasses.
        name: Name of the record in the folder; the rate it was sampled at does not matter.

    Raises:
        DataError: The folder's tables are damaged.
    """
    if not has_ptbxl_layout(path):
        return "no classes"
    from edgeecg.data.sources import _ptbxl_index

    index = _ptbxl_index.read(path, "filename_lr", 0.0)
    number = PurePosixPath(name).name.partition("_")[0]
    for place_of_row, y in zip(index.path, index.y, strict=True):
        if place_of_row.name.partition("_")[0] == number:
            pairs = zip(_ptbxl_index.CLASSES, y.tolist(), strict=True)
            return ", ".join(label for label, has in pairs if has)
    return "no superclass"
