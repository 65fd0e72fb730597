"""The column or digital input of a trace that says when inferences run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeecg.benchmark import trace_columns
from edgeecg.benchmark.trace_text import number
from edgeecg.errors import DataError, UsageError

_NAMES = frozenset({"marker", "trigger", "gpio"})
_BITS = re.compile(r"^D(\d)\s*-\s*D?(\d)$", re.IGNORECASE)
_BIT = re.compile(r"^D(\d)$", re.IGNORECASE)
_HIGH = frozenset({"1", "x", "true", "high", "h", "on"})
_LOW = frozenset({"0", "false", "low", "l", "off"})
_UNKNOWN = frozenset({"", "-"})


@dataclass(frozen=True)
class Marker:
    """Where a marker is in a row.

    Attributes:
        place: Index of its column.
        bit: Index of its character; None for the whole field.
        name: Its name.
    """

    place: int
    bit: int | None
    name: str

    def state(self, fields: Sequence[str]) -> str:
        """Return the text of the marker in a row; empty where the row has none."""
        text = fields[self.place].strip() if self.place < len(fields) else ""
        if self.bit is None:
            return text
        return text[self.bit : self.bit + 1]


def is_named(column: str) -> bool:
    """Return whether a column is called a marker, with or without a unit: ``GPIO (V)``."""
    return trace_columns.split(column)[0] in _NAMES


def candidates(header: Sequence[str], name: str, path: Path) -> list[Marker]:
    """Return the marker of a name, or all that may be meant without one.

    Args:
        header: Names of the columns.
        name: Name of a column, or a digital input such as D0; empty for any.
        path: The file, for messages.

    Raises:
        UsageError: There is no marker of this name.
    """
    inputs = [
        Marker(place, place_in_text if len(_numbers(each)) > 1 else None, f"D{digit}")
        for place, each in enumerate(header)
        for place_in_text, digit in enumerate(_numbers(each))
    ]
    if not name:
        named = [Marker(place, None, each) for place, each in enumerate(header) if is_named(each)]
        # A PPK2 may export its inputs together and separately.
        return named or list({each.name: each for each in inputs}.values())
    wanted = [each for each in inputs if each.name.lower() == name.strip().lower()]
    place = trace_columns.position(name, header)
    if place is not None:
        return [Marker(place, None, name)]
    if not wanted:
        raise UsageError(
            f"{path} has no marker '{name}'.",
            f"Its columns are {', '.join(repr(each) for each in header)}.",
            "Name a column or a digital input such as D0 with --marker, or give --threshold.",
        )
    return wanted[:1]


def only_changing(found: Sequence[tuple[str, NDArray[np.bool_]]], path: Path) -> NDArray[np.bool_]:
    """Return the levels of the only marker that changes.

    Args:
        found: Names and levels of the markers.
        path: The file, for messages.

    Raises:
        UsageError: None or several change.
    """
    changing = [(name, level) for name, level in found if level.any() and not level.all()]
    if len(changing) == 1:
        return changing[0][1]
    names = ", ".join(name for name, _ in changing)
    raise UsageError(
        f"The marker of {path} is unknown.",
        f"Several digital inputs change: {names}."
        if names
        else "It has no column 'marker' that changes, and no such digital input.",
        "Give --marker NAME, or --threshold CURRENT such as 5mA.",
    )


def levels(states: Sequence[str], name: str, path: Path) -> NDArray[np.bool_]:
    """Return whether a marker is high at every sample.

    A sample in which it is unknown (``-`` of a PPK2) has the level before it; one in which it is
    both (``X``) counts as high. A voltage is high above the middle of its range.

    Args:
        states: Its text at every sample.
        name: Its name, for messages.
        path: The file, for messages.

    Raises:
        DataError: The values are neither levels nor numbers.
    """
    high = _high(set(states) - _UNKNOWN, name, path)
    found = np.zeros(len(states), np.bool_)
    level = False
    for place, each in enumerate(states):
        level = high.get(each, level)
        found[place] = level
    return found


def _high(texts: set[str], name: str, path: Path) -> dict[str, bool]:
    """Return which of the texts mean high."""
    if {each.lower() for each in texts} <= _HIGH | _LOW:
        return {each: each.lower() in _HIGH for each in texts}
    numbers: dict[str, float] = {}
    for each in sorted(texts):
        value = number(each)
        if value is None:
            raise DataError(
                f"The marker '{name}' of {path} cannot be read.",
                f"'{each[:40]}' is neither a level nor a number.",
                "Name another column with --marker.",
            )
        numbers[each] = value
    middle = (min(numbers.values()) + max(numbers.values())) / 2
    return {each: value > middle for each, value in numbers.items()}


def _numbers(name: str) -> range:
    """Return the digital inputs that a column has: 'D0-D7' has eight, 'D3' one."""
    several, single = _BITS.match(name.strip()), _BIT.match(name.strip())
    if several:
        return range(int(several[1]), int(several[2]) + 1)
    return range(int(single[1]), int(single[1]) + 1) if single else range(0)
