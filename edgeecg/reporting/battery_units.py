"""Physical quantities as a user writes them: ``150mAh``, ``75/min``, ``2mJ/min``."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from edgeecg.errors import UsageError
from edgeecg.reporting import units

_FORM = re.compile(
    r"\s*(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)\s*(?P<unit>\S.*?)?\s*", re.ASCII
)
_PREFIXES = {"": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "K": 1e3}
_MICRO = str.maketrans({"\N{MICRO SIGN}": "u", "\N{GREEK SMALL LETTER MU}": "u"})
_SECONDS = {
    **dict.fromkeys(("s", "sec", "second"), 1.0),
    **dict.fromkeys(("min", "minute"), 60.0),
    **dict.fromkeys(("h", "hour"), 3600.0),
    **dict.fromkeys(("d", "day"), 86400.0),
}
_PER = re.compile(r"\s*(?:/|\bper\b)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Kind:
    """What a quantity may be.

    Attributes:
        option: The option it is given with, for messages.
        what: Its name.
        example: One that is right.
        bases: Units without prefixes, in lower case, and what each is in SI units.
        per_time: Units that are divided by a time, in the same way; empty: there are none.
        bare: Whether the unit may be left out, so that the number is in SI units.
        zero: Whether it may be zero.
    """

    option: str
    what: str
    example: str
    bases: Mapping[str, float]
    per_time: Mapping[str, float]
    bare: bool = False
    zero: bool = False


CAPACITY = Kind("--capacity", "capacity", "150mAh", {"ah": 1.0}, {})
"""The charge of a battery in ampere-hours."""

VOLTAGE = Kind("--voltage", "voltage", "3.7V", {"v": 1.0}, {}, bare=True)
"""The mean voltage of a battery in volts."""

RATE = Kind(
    "--beats",
    "rate",
    "75/min",
    {"hz": 1.0, "bpm": 1 / 60},
    {"": 1.0, "beats": 1.0, "beat": 1.0},
)
"""Heartbeats in a second."""

CURRENT = Kind("--sleep-current", "current", "5uA", {"a": 1.0}, {}, zero=True)
"""A current in amperes."""

POWER = Kind("--radio", "power", "2mJ/min", {"w": 1.0}, {"j": 1.0}, zero=True)
"""A mean power in watts."""


def parse(text: str, kind: Kind) -> float:
    """Return a quantity in SI units (a capacity in ampere-hours).

    Args:
        text: A number with its unit. Prefixes are n, u or µ, m and k; M would be mega.
        kind: What it should be.

    Raises:
        UsageError: It is something else, negative, zero where that makes no sense, or too large.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise _refused(text, kind, f"It is not a {kind.what}: a number and a unit are expected")
    scale = _scale(found["unit"], kind)
    if scale is None:
        why = f"A {kind.what} does not have the unit '{found['unit']}'"
        raise _refused(text, kind, "It has no unit" if found["unit"] is None else why)
    value = float(found["number"]) * scale
    if not math.isfinite(value):
        raise _refused(text, kind, "The number is too large")
    if value == 0 and not kind.zero:
        raise _refused(text, kind, f"A {kind.what} of zero makes no sense here")
    return value


def _refused(text: str, kind: Kind, why: str) -> UsageError:
    return UsageError(
        f"'{units.printable(text)}' cannot be used with {kind.option}.",
        f"{units.printable(why)}.",
        f"Give e.g. {kind.option} {kind.example}.",
    )


def _scale(unit: str | None, kind: Kind) -> float | None:
    """Return what a unit is in SI units, or None when it is none of this kind."""
    if unit is None:
        return 1.0 if kind.bare else None
    plain = unit.translate(_MICRO)
    parts = _PER.split(plain)
    if len(parts) == 1:
        return _prefixed(plain, kind.bases)
    if len(parts) > 2 or parts[1].lower() not in _SECONDS:
        return None
    scale = _prefixed(parts[0], kind.per_time)
    return None if scale is None else scale / _SECONDS[parts[1].lower()]


def _prefixed(unit: str, bases: Mapping[str, float]) -> float | None:
    if unit.lower() in bases:
        return bases[unit.lower()]
    # "bpm" and "beats" have no prefixes, and "" is no unit that could have one.
    prefix, base = unit[:1], unit[1:].lower()
    if base in bases and len(base) <= 2 and base and prefix in _PREFIXES:
        return _PREFIXES[prefix] * bases[base]
    return None
