"""Numbers as text: three significant digits and a unit; words when there is no number."""

from __future__ import annotations

import math

MISSING = "not known"
"""Text for a figure that is missing without a reason."""

DASH = "\N{EN DASH}"
"""Text for a figure that does not apply."""

_MINUS = "\N{MINUS SIGN}"
_TIMES = "\N{MULTIPLICATION SIGN}"
_SPACE = "\N{NO-BREAK SPACE}"
_TIME = ((1e-9, "ns"), (1e-6, "µs"), (1e-3, "ms"), (1.0, "s"))
_ENERGY = ((1e-9, "nJ"), (1e-6, "µJ"), (1e-3, "mJ"), (1.0, "J"))
_POWER = ((1e-3, "mW"), (1.0, "W"))
_SIZE = ((1.0, "B"), (1e3, "kB"), (1e6, "MB"), (1e9, "GB"))
_MACS = ((1.0, "MACs"), (1e3, "kMACs"), (1e6, "MMACs"), (1e9, "GMACs"))


def significant(value: float) -> str:
    """Return ``value`` with three significant digits, without an exponent."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.2e}")
    decimals = max(0, 2 - math.floor(math.log10(abs(rounded))))
    return f"{rounded:,.{decimals}f}".replace("-", _MINUS)


def _scaled(value: float | None, units: tuple[tuple[float, str], ...]) -> str:
    if value is None:
        return MISSING
    # Rounded before the unit is chosen: 999.6 µs is 1.00 ms, not 1,000 µs.
    fits = (step for step in units if abs(float(f"{value / step[0]:.2e}")) < 1000)
    scale, unit = next(fits, units[-1])
    whole = units[0] == (scale, unit) and scale == 1.0
    text = f"{value:,.0f}" if whole else significant(value / scale)
    return f"{text}{_SPACE}{unit}"


def seconds(value: float | None) -> str:
    """Return a time in ns, µs, ms or s."""
    return _scaled(value, _TIME)


def joules(value: float | None) -> str:
    """Return an energy in nJ, µJ, mJ or J."""
    return _scaled(value, _ENERGY)


def watts(value: float | None) -> str:
    """Return a power in mW or W."""
    return _scaled(value, _POWER)


def size(value: int | None) -> str:
    """Return a size in B, kB, MB or GB, where 1 kB is 1000 bytes."""
    return _scaled(value, _SIZE)


def macs(value: int | None) -> str:
    """Return a number of multiply-accumulates in MACs, kMACs, MMACs or GMACs."""
    return _scaled(value, _MACS)


def count(value: int | None) -> str:
    """Return a whole number with thousands separators."""
    return MISSING if value is None else f"{value:,}"


def fraction(value: float | None) -> str:
    """Return a score of 0..1 with three decimals."""
    return MISSING if value is None else f"{value:.3f}"


def interval(bounds: tuple[float, float] | None) -> str:
    """Return the 95 % interval of a score, or an empty text for None."""
    return "" if bounds is None else f"[{bounds[0]:.3f}, {bounds[1]:.3f}]".replace("-", _MINUS)


def change(value: float | None) -> str:
    """Return a signed difference of two scores with three decimals."""
    if value is None:
        return MISSING
    text = f"{value:+.3f}"
    return "0.000" if float(text) == 0 else text.replace("-", _MINUS)


def signed(value: float) -> str:
    """Return a correlation with two decimals and a minus sign."""
    return f"{value:.2f}".replace("-", _MINUS)


def ratio(value: float | None) -> str:
    """Return a ratio to the baseline with three significant digits and a multiplication sign."""
    return MISSING if value is None else f"{significant(value)}{_SPACE}{_TIMES}"


def percent(value: float | None) -> str:
    """Return a fraction as a percentage with one decimal."""
    return MISSING if value is None else f"{100 * value:.1f}{_SPACE}%"


def plain(value: float | str | bool | None, unit: str = "") -> str:
    """Return a setting with its unit; "yes" or "no" for a switch, "not known" for None."""
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f"{text}{_SPACE}{unit}" if unit else text


def printable(text: str) -> str:
    """Return ``text`` with control characters replaced, so that it cannot control a terminal."""
    plain_spaces = text.replace(_SPACE, " ")
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in plain_spaces)
