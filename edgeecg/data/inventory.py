"""What a database or a folder holds, and where a record of it lies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import ClassVar

from edgeecg.data import fetch
from edgeecg.data.loading import load_dataset
from edgeecg.data.locations import place
from edgeecg.data.records import reader
from edgeecg.data.sources import _folder
from edgeecg.data.windows.dataset import Dataset, OnRecord, Request
from edgeecg.errors import DataError, UnknownNameError
from edgeecg.schema import Count, DataSummary, Task, Value

_RATES = {"records100": "_lr", "records500": "_hr"}
_NOISE = "It holds noise and noisy records, which are for augmentation and robustness alone."


class Inventory(Value):
    """What a database or a folder holds.

    Attributes:
        name: As it was asked for.
        folder: Where it lies.
        records: Number of records.
        annotated: Number of those with annotated beats, or with classes for PTB-XL's layout.
        leads: Number of records by the lead they have.
        rates_hz: Number of records by sampling rate; PTB-XL has each record at two.
        hours: Length of all records together.
        summary: Windows, classes and splits for training, or None.
        reason: Why there is no summary, or None.
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


def folder_of(name: str) -> Path:
    """Return the folder of a database, or the folder that was named itself.

    Args:
        name: ``"mitdb"``, ``"ptbxl"``, ``"nstdb"``, ``"synthetic"`` or a path.

    Raises:
        UnknownNameError: It is neither.
        DataError: The database is not on this machine.
    """
    if name == "synthetic":
        from edgeecg.data.sources import synthetic

        return synthetic.folder()
    if name in fetch.DATABASES:
        found = place(name)
        if not found.is_dir():
            raise DataError(
                f"The database '{name}' was not found.",
                f"There is no folder '{found}'.",
                f"Run 'edgeecg data fetch {name}'.",
            )
        return found
    if not Path(name).is_dir():
        raise UnknownNameError("database or folder", name, [*fetch.DATABASES, "synthetic"])
    return Path(name)


def is_ptbxl(path: Path) -> bool:
    """Say whether a folder has PTB-XL's layout."""
    return (path / _folder.PTBXL_INDEX).is_file()


def take(
    name: str, leads: Mapping[str, str] | None = None, on_record: OnRecord | None = None
) -> Inventory:
    """Look through a database or a folder, and prepare its windows.

    Args:
        name: See :func:`folder_of`.
        leads: For a folder: what the model's leads are called in it.
        on_record: Called after each record that is prepared.

    Raises:
        UnknownNameError: There is no such database or folder.
        DataError: The database is not here, or a record of it is damaged.
    """
    path = folder_of(name)
    headers, weights = _headers(path)
    held, rates, seconds = Counter[str](), Counter[str](), 0.0
    for header, weight in zip(headers, weights, strict=True):
        held.update({lead: weight for lead in dict.fromkeys(header.leads)})
        rates[f"{header.fs_hz:g}"] += weight
        seconds += weight * header.length / header.fs_hz
    annotated = sum(header.annotated for header in headers)
    total = len(headers)
    if is_ptbxl(path):
        # Each record is there at one or two rates, and counts once.
        total = annotated = max(weights)
        held = Counter({lead: total for lead in headers[0].leads})
        seconds = total * headers[0].length / headers[0].fs_hz
    summary, reason = None, _NOISE if name == "nstdb" else None
    if reason is None:
        try:
            summary = _dataset(name, path, annotated, leads or {}, on_record).summary
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
    )


def find_record(record: str, data: str | None) -> tuple[Path, str]:
    """Return the folder a record lies in, and the record's name there.

    Args:
        record: Name of the record; for PTB-XL, its ``ecg_id``.
        data: See :func:`folder_of`; None to look in every database of this machine, MIT-BIH first.

    Raises:
        UnknownNameError: There is no such database or folder.
        DataError: There is no such record.
    """
    places = [folder_of(data)] if data else [p for n in fetch.DATABASES if (p := place(n)).is_dir()]
    if not places:
        places = [folder_of("synthetic")]
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
    if not (is_ptbxl(path) and record.isdecimal()):
        return [record]
    number = int(record)
    return [f"{rate}/{number // 1000 * 1000:05d}/{number:05d}{end}" for rate, end in _RATES.items()]


def _headers(path: Path) -> tuple[list[reader.Header], list[int]]:
    """Return headers, and how many records each stands for."""
    if not is_ptbxl(path):
        names = _folder.record_names(path)
        return [reader.describe(path, name) for name in names], [1] * len(names)
    headers: list[reader.Header] = []
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
            f"It has {_folder.PTBXL_INDEX}, but neither records100 nor records500 holds any.",
            "Run 'edgeecg data fetch ptbxl'.",
        )
    return headers, weights


def _dataset(
    name: str, path: Path, annotated: int, leads: Mapping[str, str], on_record: OnRecord | None
) -> Dataset:
    task: Task = "records" if is_ptbxl(path) else "beats"
    if name in (*fetch.DATABASES, "synthetic"):
        return load_dataset(Request(source=name, task=task), on_record)
    request = Request(source=str(path), task=task, leads=leads)
    if task == "beats" and annotated < _folder.SMALLEST_SPLIT:
        return _folder.load_everything(path, request, on_record)
    return _folder.load(path, request, on_record)


def classes_of(path: Path, name: str) -> str:
    """Return the superclasses of a record of a folder in PTB-XL's layout, in words.

    Args:
        path: The folder; one of another layout has no superclasses.
        name: Name of the record in the folder; the rate it was sampled at does not matter.

    Raises:
        DataError: The folder's tables are damaged.
    """
    if not is_ptbxl(path):
        return "no classes"
    from edgeecg.data.sources import _ptbxl_index

    index = _ptbxl_index.read(path, "filename_lr", 0.0)
    number = PurePosixPath(name).name.partition("_")[0]
    for own, y in zip(index.path, index.y, strict=True):
        if own.name.partition("_")[0] == number:
            pairs = zip(_ptbxl_index.CLASSES, y.tolist(), strict=True)
            return ", ".join(label for label, has in pairs if has)
    return "no superclass"
