"""What a database or a folder holds, and in which folder a record is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import ClassVar

from edgeecg.data import sources
from edgeecg.data.locations import place
from edgeecg.data.records import reader
from edgeecg.data.records.listing import is_missing, missing_record, record_names
from edgeecg.data.sources import Source, _challenge
from edgeecg.data.sources._folder import has_ptbxl_layout, no_records
from edgeecg.data.windows.dataset import DataRequest, OnRecord
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
        summary: Windows, classes and splits, or None.
        reason: Why there is no summary, or None.
        training: Why no model can be trained on the records although they have classes, or None.
        left_out: Why a record cannot be used, by its name.
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
    training: str | None
    left_out: dict[str, str]
    remarks: dict[str, str]


@dataclass(frozen=True)
class _Headers:
    """The headers of a folder.

    Attributes:
        found: Those that can be read, with the number of records each represents.
        left_out: Why the others cannot.
    """

    found: list[tuple[reader.RecordHeader, int]]
    left_out: dict[str, str]


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
        DataError: The database is not here, or no record of it can be read.
    """
    source = sources.find(name)
    path = source.folder()
    headers = _headers(path)
    held, rates, seconds = Counter[str](), Counter[str](), 0.0
    for header, weight in headers.found:
        held.update({lead: weight for lead in dict.fromkeys(header.leads)})
        rates[f"{header.fs_hz:g}"] += weight
        seconds += weight * header.length / header.fs_hz
    annotated = sum(header.annotated for header, _ in headers.found)
    total = len(headers.found) + len(headers.left_out)
    if has_ptbxl_layout(path):
        # Each record exists at one or two rates, and counts once.
        first = headers.found[0][0]
        total = annotated = max(weight for _, weight in headers.found)
        held = Counter({lead: total for lead in first.leads})
        seconds = total * first.length / first.fs_hz
    elif _challenge.has_diagnoses(path):
        annotated = len(_challenge.diagnoses(path).codes)
    summary, training, reason = None, None, None if source.TASKS else " ".join(source.NOTES)
    if reason is None:
        summary, training, reason = _summary(source, name, leads or {}, on_record)
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
        training=training,
        left_out={**headers.left_out, **(summary.left_out if summary else {})},
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


def _headers(path: Path) -> _Headers:
    """Read every header of a folder; in PTB-XL's layout, the first of each rate.

    Raises:
        DataError: There are no records, or none can be read.
    """
    if has_ptbxl_layout(path):
        found: list[tuple[reader.RecordHeader, int]] = []
        for rate, end in _RATES.items():
            headers = sorted(path.glob(f"{rate}/*/*{end}.hea"))
            if headers:
                name = str(headers[0].relative_to(path).with_suffix(""))
                found.append((reader.describe(path, name), len(headers)))
        if not found:
            raise no_records(path)
        return _Headers(found, {})
    found, left_out = [], dict[str, str]()
    first: DataError | None = None
    for name in record_names(path):
        try:
            if is_missing(path, name):
                raise missing_record(path, name)
            found.append((reader.describe(path, name), 1))
        except DataError as error:
            first = first or error
            left_out[name] = str(error)
    if first is not None and not found:
        raise first
    return _Headers(found, left_out)


def _installed() -> Iterator[Path]:
    """Yield the folders of the databases on this machine; the synthetic one if there is none."""
    found = [path for name in sources.names() if (path := place(name)).is_dir()]
    yield from found or [sources.find(sources.SYNTHETIC).folder()]


def _summary(
    source: Source, name: str, leads: Mapping[str, str], on_record: OnRecord | None
) -> tuple[DataSummary | None, str | None, str | None]:
    """Return what the records hold, why they cannot train, and why they hold nothing."""
    path = source.folder()
    # Annotated beats come first: a header may state diagnoses too.
    task: Task = source.TASKS[0]
    if has_ptbxl_layout(path) or (not _annotated(path) and _challenge.has_diagnoses(path)):
        task = "records"
    request = DataRequest(source=name, task=task, leads=leads)
    try:
        return source.load(request, on_record).summary, None, None
    except DataError as error:
        training = str(error)
    try:
        scored = source.load(replace(request, score_only=True), on_record)
    except DataError as error:
        return None, None, str(error)
    return scored.summary, training, None


def _annotated(path: Path) -> bool:
    return any((path / f"{name}.atr").is_file() for name in record_names(path))


def classes_of(path: Path, name: str) -> str:
    """Return the superclasses of a 12-lead record, in words.

    Args:
        path: The folder. Of one in another layout the classes are those of the diagnoses in the
            record's header.
        name: Name of the record in the folder; the rate it was sampled at does not matter.

    Raises:
        DataError: The folder's tables are damaged.
    """
    if not has_ptbxl_layout(path):
        return _challenge.classes_of(path, name)
    from edgeecg.data.sources import _ptbxl_index

    index = _ptbxl_index.read(path, "filename_lr", 0.0)
    number = PurePosixPath(name).name.partition("_")[0]
    for place_of_row, y in zip(index.path, index.y, strict=True):
        if place_of_row.name.partition("_")[0] == number:
            pairs = zip(_ptbxl_index.CLASSES, y.tolist(), strict=True)
            return ", ".join(label for label, has in pairs if has)
    return "no superclass"
