"""One thing that an experiment measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Task:
    """One thing to measure.

    Attributes:
        key: What identifies its rows; these fields are part of each of them.
        measure: Measures it, and returns its rows without the key and without the provenance.
        rows: How many rows that will be.
        quickly: Whether it takes no time to speak of, so that ``--minutes`` does not stop it.
    """

    key: Mapping[str, Any]
    measure: Callable[[], list[dict[str, Any]]]
    rows: int = 1
    quickly: bool = False
