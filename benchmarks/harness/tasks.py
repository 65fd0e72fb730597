"""One thing that an experiment measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from edgeecg.errors import EdgeECGError


@dataclass(frozen=True)
class Task:
    """One thing to measure.

    Attributes:
        key: What identifies its rows; these fields are part of each of them.
        measure: Measures it, and returns its rows without the key and without the provenance.
        rows: How many rows that will be.
        quickly: Whether it takes no time to speak of, so that ``--minutes`` does not stop it.
        group: Model and seed, for a task that any node of a cluster may perform. The tasks of one
            group use the same run folders and are performed one after the other. None for a task
            that measures times, or needs what others have made: it is performed afterwards, on
            the machine that was asked.
    """

    key: Mapping[str, Any]
    measure: Callable[[], list[dict[str, Any]]]
    rows: int = 1
    quickly: bool = False
    group: tuple[str, int] | None = None


class UnfinishedError(EdgeECGError):
    """The time was over before a task had its rows; a later run goes on with it."""
