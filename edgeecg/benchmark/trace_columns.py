"""Names and units of the columns that instruments export."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgeecg.errors import DataError, UsageError

Kind = Literal["time", "current", "voltage", "power"]

KINDS: tuple[Kind, ...] = ("time", "current", "voltage", "power")

UNDERSTOOD = (
    "a time and a power, or a time and a current (with a voltage, or --voltage): "
    "'Timestamp(ms),Current(uA),D0-D7' of a PPK2, '#time (s),current (A),voltage (V)' of a "
    "Joulescope, 'Time (s),Main Avg Current (mA),Main Avg Voltage (V)' of a Monsoon, 't_s,watts', "
    "or any name with its unit in brackets"
)
"""What a file needs, for messages."""

_SI = {"s": "time", "a": "current", "v": "voltage", "w": "power"}
_PREFIXES = {"": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3}
_EXAMPLES: dict[Kind, str] = {"time": "ms", "current": "mA", "voltage": "V", "power": "mW"}
_LONG_PREFIXES = {"nano": 1e-9, "micro": 1e-6, "milli": 1e-3, "kilo": 1e3}
_SHORT_PREFIXES = {"n": 1e-9, "u": 1e-6, "m": 1e-3}
_LONG = {
    "second": "time",
    "sec": "time",
    "ampere": "current",
    "amp": "current",
    "volt": "voltage",
    "watt": "power",
}
_WORDS: dict[Kind, tuple[str, ...]] = {
    "time": ("time", "timestamp", "t", "x-axis", "x", "seconds"),
    "current": ("current", "i", "amps", "amperes", "main"),
    "voltage": ("voltage", "v", "u", "volts"),
    "power": ("power", "p", "watts"),
}
# Names that are units themselves.
_UNIT_WORDS = {"seconds", "amps", "amperes", "volts", "watts"}
_MICRO = str.maketrans({"\N{MICRO SIGN}": "u", "\N{GREEK SMALL LETTER MU}": "u"})
_BRACKETS = re.compile(r"^(?P<name>.*?)\s*[(\[]\s*(?P<unit>[^)\]]*?)\s*[)\]]\s*$")
_QUANTITY = re.compile(r"^\s*(?P<number>[+-]?[\d.,]+(?:[eE][+-]?\d+)?)\s*(?P<unit>[^\d\s.,]*)\s*$")
# No thousands are before the comma of 0,300 or 1234,500, and none after that of 3,30.
_ONE_COMMA = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}(?:[eE][+-]?\d+)?")
# Of several columns of one kind, the mean of the main channel is meant.
_PREFERRED = (("main", "avg"), ("main",), ("avg",), ("mean",))
_AVOIDED = frozenset({"max", "min", "std", "peak", "usb", "aux"})


@dataclass(frozen=True)
class Column:
    """A column with a physical quantity.

    Attributes:
        place: Its index.
        name: Its name in the file.
        kind: The quantity.
        scale: What its values are multiplied by to be in SI units.
        known: Whether its unit is known: from its name, from a line of units or from the user.
    """

    place: int
    name: str
    kind: Kind
    scale: float
    known: bool = True


def unit(text: str) -> tuple[Kind, float] | None:
    """Return quantity and scale of a unit such as ``mA``, or None when it is none that is known.

    Prefixes are case-sensitive only where that matters; mega does not occur in power traces.
    """
    plain = text.strip().strip("()[]").translate(_MICRO).lower()
    for name, kind in _LONG.items():
        for form in (name, f"{name}s"):
            if plain.endswith(form):
                prefix = plain.removesuffix(form)
                scale = {"": 1.0, **_LONG_PREFIXES, **_SHORT_PREFIXES}.get(prefix)
                return None if scale is None else (_kind(kind), scale)
    if plain and plain[-1] in _SI and plain[:-1] in _PREFIXES:
        return _kind(_SI[plain[-1]]), _PREFIXES[plain[:-1]]
    return None


def may_have_thousands(number: str) -> bool:
    """Return whether the comma of a number may be a decimal mark or a separator of thousands.

    Args:
        number: A number without its unit, e.g. ``"3,300"``.
    """
    return _ONE_COMMA.fullmatch(number.strip()) is not None


def _kind(name: str) -> Kind:
    return next(kind for kind in KINDS if kind == name)


def quantity(text: str, kinds: Sequence[Kind], option: str) -> tuple[Kind, float]:
    """Return what a text such as ``5mA`` means, in SI units.

    Args:
        text: A number and a unit; the unit may be left out when there is only one kind.
        kinds: The quantities that are accepted.
        option: The option it was given with, for the message.

    Raises:
        UsageError: It is no such quantity.
    """
    found = _QUANTITY.match(text)
    if found and may_have_thousands(found["number"]):
        forms = [found["number"].replace(",", mark) + found["unit"] for mark in (".", "")]
        raise UsageError(
            f"'{text}' cannot be used with {option}.",
            "Its comma may be a decimal mark or separate thousands.",
            f"Write {forms[0]} or {forms[1]}, as it is meant.",
        )
    if found:
        try:
            value = float(found["number"].replace(",", "."))
        except ValueError:
            value = None
        if value is not None and not math.isfinite(value):
            value = None
        parsed = unit(found["unit"]) if found["unit"] else None
        if value is not None and parsed is None and not found["unit"] and len(kinds) == 1:
            return kinds[0], value
        if value is not None and parsed is not None and parsed[0] in kinds:
            return parsed[0], value * parsed[1]
    examples = {"current": "5mA", "voltage": "3.3V", "power": "20mW", "time": "2ms"}
    raise UsageError(
        f"'{text}' cannot be used with {option}.",
        f"It is not a {' or a '.join(kinds)} with its unit.",
        f"Give e.g. {option} {examples[kinds[0]]}.",
    )


def quantities(header: Sequence[str], units: Sequence[str]) -> dict[Kind, list[Column]]:
    """Return the columns of every quantity that a line of names has.

    Args:
        header: Names of the columns.
        units: Units of the columns from a line of their own, or empty.
    """
    found: dict[Kind, list[Column]] = {}
    for place, name in enumerate(header):
        column = _column(place, name, units)
        if column is not None:
            found.setdefault(column.kind, []).append(column)
    return found


def chosen(
    found: Mapping[Kind, Sequence[Column]],
    asked: Mapping[Kind, str],
    header: Sequence[str],
    path: Path,
) -> dict[Kind, Column]:
    """Return one column of every quantity that a file has.

    Args:
        found: All its columns of every quantity.
        asked: Names of columns that the user chose.
        header: Names of all its columns.
        path: The file, for messages.

    Raises:
        DataError: Several columns have the same quantity.
        UsageError: A column that was asked for does not exist.
    """
    columns: dict[Kind, Column] = {
        kind: _asked(kind, name, found, header, path) for kind, name in asked.items()
    }
    taken = {column.place for column in columns.values()}
    for kind in KINDS:
        if kind in asked:
            continue
        # A current probe gives volts: the column that the user calls a current is no supply.
        candidates = [each for each in found.get(kind, ()) if each.place not in taken]
        # A second column with seconds, such as a duration, comes after the time of the sample.
        best = _preferred(candidates[: 1 if kind == "time" else None])
        if len(best) > 1:
            raise DataError(
                f"{path} has several columns of {kind}.",
                f"They are {', '.join(repr(each.name) for each in best)}.",
                f"Choose one with --column '{kind}={best[0].name}'.",
            )
        if best:
            columns[kind] = best[0]
    return columns


def _column(place: int, name: str, units: Sequence[str]) -> Column | None:
    """Return what a column holds by its name and unit, or None for anything else."""
    plain, parsed = split(name)
    if parsed is None and place < len(units):
        parsed = unit(units[place])
    if parsed is not None:
        return Column(place, name, *parsed)
    words = re.split(r"[^a-z0-9-]+", plain)
    for kind in KINDS:
        if words[0] in _WORDS[kind] or words[-1] in _WORDS[kind]:
            return Column(place, name, kind, 1.0, known=bool(_UNIT_WORDS & set(words)))
    return None


def split(name: str) -> tuple[str, tuple[Kind, float] | None]:
    """Return a column's name without its unit, in lower case, and the unit."""
    text = name.strip().lstrip("#").strip().translate(_MICRO)
    bracketed = _BRACKETS.match(text)
    if bracketed:
        return bracketed["name"].lower(), unit(bracketed["unit"])
    stem, separator, last = text.lower().rpartition("_")
    if separator and (parsed := unit(last)) is not None:
        return stem, parsed
    stem, separator, last = text.rpartition("/")
    if separator and (parsed := unit(last)) is not None:
        return stem.strip().lower(), parsed
    return text.lower(), None


def _preferred(candidates: Sequence[Column]) -> list[Column]:
    if len(candidates) < 2:
        return list(candidates)
    kept = [each for each in candidates if not _AVOIDED & set(_words(each.name))] or candidates
    for wanted in _PREFERRED:
        chosen = [each for each in kept if set(wanted) <= set(_words(each.name))]
        if chosen:
            return list(chosen)
    return list(kept)


def _words(name: str) -> list[str]:
    return re.split(r"[^a-z0-9]+", name.lower())


def _asked(
    kind: Kind,
    name: str,
    found: Mapping[Kind, Sequence[Column]],
    header: Sequence[str],
    path: Path,
) -> Column:
    place, given = position(name, header), None
    if place is None and (bracketed := _BRACKETS.match(name)):
        place, given = position(bracketed["name"], header), bracketed["unit"]
    if place is not None and given is not None:
        return Column(place, header[place], kind, _scale(kind, given))
    if place is None:
        raise UsageError(
            f"{path} has no column '{name}'.",
            f"Its columns are {', '.join(repr(each) for each in header)}.",
            f"Correct --column {kind}=NAME.",
        )
    of_kind = {each.place: each for each in found.get(kind, ())}
    return of_kind.get(place, Column(place, header[place], kind, 1.0, known=False))


def _scale(kind: Kind, text: str) -> float:
    """Return the scale of a unit that the user gave for a column."""
    parsed = unit(text)
    if parsed is None or parsed[0] != kind:
        raise UsageError(
            f"'{text}' is no unit of a {kind}.",
            f"--column {kind}=NAME[UNIT] gives the unit of the column's values.",
            f"Give e.g. --column '{kind}=NAME[{_EXAMPLES[kind]}]'.",
        )
    return parsed[1]


def check_units(columns: Sequence[Column], path: Path) -> None:
    """Refuse columns whose unit is unknown: amperes taken for milliamperes are 1,000 times off.

    Args:
        columns: The columns that are used.
        path: The file, for messages.

    Raises:
        UsageError: A column has no unit, or that of another quantity.
    """
    for column in columns:
        if not column.known:
            raise UsageError(
                f"The unit of the {column.kind} of {path} is unknown.",
                f"The column '{column.name}' does not say it.",
                "Name column and unit, e.g. "
                f"--column '{column.kind}={column.name}[{_EXAMPLES[column.kind]}]'.",
            )


def position(name: str, header: Sequence[str]) -> int | None:
    """Return the index of a column by its name, with or without its unit; None if there is none."""
    wanted = name.strip().lower()
    for place, each in enumerate(header):
        if wanted in (each.strip().lower(), split(each)[0]):
            return place
    return None


def chosen_columns(texts: Sequence[str]) -> dict[Kind, str]:
    """Return the columns that texts such as ``current=CH1`` choose.

    Raises:
        UsageError: A text is not of this form.
    """
    found: dict[Kind, str] = {}
    for text in texts:
        kind, _, name = text.partition("=")
        if kind not in KINDS or not name:
            raise UsageError(
                f"'{text}' cannot be used with --column.",
                f"It is not of the form KIND=NAME, with KIND one of {', '.join(KINDS)}.",
                "Give e.g. --column current=CH1.",
            )
        found[_kind(kind)] = name
    return found
