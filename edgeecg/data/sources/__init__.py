"""Sources of records: one file each. The name of the file is the name of the source.

To add a database, add ``NAME.py`` here, with the names of :class:`Source` in it. Another package
adds one through an entry point in the group ``edgeecg.data.sources``, whose value is such a module
or an object with the same attributes. Modules whose name starts with an underscore are helpers.

The user's own folder of records is a source too: :func:`find` returns one for any path.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, cast

from edgeecg import plugins
from edgeecg.data.download import Download
from edgeecg.data.windows.dataset import DataRequest, Dataset, OnRecord
from edgeecg.errors import PluginError, UnknownNameError, UsageError
from edgeecg.schema import Task

SYNTHETIC = "synthetic"
"""Source that is used when the task's own database is not on this machine."""


class Source(Protocol):
    """A database, or a folder of records.

    Attributes:
        TITLE: What the source is called on the screen, with its split.
        TASKS: What its records have classes for; empty when they are not for training, such as
            recorded noise.
        DEFAULT_FOR: Tasks for which it is used when the user names no source and it is on this
            machine.
        LICENCE: Licence and citation.
        NOTES: What a reader of any figure on these records has to know, a sentence each.
        REMARKS: Peculiarities of single records, by the name of the record.
        DOWNLOAD: Where the records can be downloaded from, or None.

    A source can also have ``GUARDS``, texts as for ``edgeecg compress --guard``: what a compression
    with its records has to keep unless the user switches that off, see :func:`guards`.
    """

    @property
    def TITLE(self) -> str: ...  # noqa: D102, N802 (a module has constants)
    @property
    def TASKS(self) -> tuple[Task, ...]: ...  # noqa: D102, N802
    @property
    def DEFAULT_FOR(self) -> tuple[Task, ...]: ...  # noqa: D102, N802
    @property
    def LICENCE(self) -> str: ...  # noqa: D102, N802
    @property
    def NOTES(self) -> tuple[str, ...]: ...  # noqa: D102, N802
    @property
    def REMARKS(self) -> Mapping[str, str]: ...  # noqa: D102, N802
    @property
    def DOWNLOAD(self) -> Download | None: ...  # noqa: D102, N802

    def folder(self) -> Path:
        """Return the folder of the record files.

        Raises:
            DataError: The records are not on this machine.
        """
        ...

    def load(self, request: DataRequest, on_record: OnRecord | None) -> Dataset:
        """Return the windows of all splits, from the cache or from the record files.

        Args:
            request: How the records become windows; ``request.task`` is one of :attr:`TASKS`.
            on_record: Called after each record that is prepared.

        Raises:
            DataError: Records are missing or damaged, or the cache cannot be written to.
        """
        ...


def guards(name: str) -> tuple[str, ...]:
    """Return the guards that a source proposes; none for a folder, or where it proposes none."""
    if name not in names():
        return ()
    return tuple(getattr(find(name), "GUARDS", ()))


def names() -> list[str]:
    """Return the names of all sources, in alphabetical order; imports none of them."""
    return plugins.names(__name__)


def find(name: str) -> Source:
    """Return a source by its name, or the user's folder of records by its path.

    Raises:
        UnknownNameError: There is no source of that name and no such folder.
        PluginError: The source belongs to another package and cannot be imported.
    """
    if name in names():
        return cast(Source, plugins.load(__name__, name))
    if not name:
        raise UsageError(
            "The name of the records is empty.",
            "A variable of the shell may not be set.",
            "Give a database or a folder; '.' is the present folder.",
        )
    if os.sep in name or Path(name).is_dir():
        from edgeecg.data.sources import _folder

        return _folder.Folder(Path(name))
    raise UnknownNameError("database or folder", name, names())


def downloadable() -> list[str]:
    """Return the names of the sources that can be downloaded."""
    return [name for name in names() if (source := _usable(name)) and source.DOWNLOAD]


def default(task: Task) -> str:
    """Return the task's own database if it is on this machine, else ``"synthetic"``.

    A set ``EDGEECG_DATA`` counts as having it.
    """
    from edgeecg.data.locations import locate

    for name in names():
        source = _usable(name)
        if source and task in source.DEFAULT_FOR and locate(name) is not None:
            return name
    return SYNTHETIC


def _usable(name: str) -> Source | None:
    """Return a source, or None for one of another package that cannot be imported.

    A broken source that nobody asked for must not stop the others.
    """
    try:
        return find(name)
    except PluginError:
        return None


def title(recorded: str) -> str:
    """Return what to call records on the screen.

    Args:
        recorded: ``DataSummary.source``; may name a source that is not installed here.
    """
    from edgeecg.data.sources import _folder

    if recorded == _folder.NAME:
        return _folder.TITLE
    return find(recorded).TITLE if recorded in names() else recorded
