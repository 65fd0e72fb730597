"""Units of a record's leads."""

from __future__ import annotations

_MILLIVOLTS = {
    "v": 1e3,
    "volt": 1e3,
    "volts": 1e3,
    "mv": 1.0,
    "millivolt": 1.0,
    "millivolts": 1.0,
    "uv": 1e-3,
    "microvolt": 1e-3,
    "microvolts": 1e-3,
    "nv": 1e-6,
    "nanovolt": 1e-6,
    "nanovolts": 1e-6,
}

KNOWN = "V, mV, uV, µV, nV, volt, millivolt, microvolt, nanovolt"
"""The known spellings, for messages; upper and lower case are the same."""

_MICRO = str.maketrans({"\N{MICRO SIGN}": "u", "\N{GREEK SMALL LETTER MU}": "u"})


def with_latin_micro(text: str) -> str:
    """Return a text with ``u`` for either Unicode letter for micro; wfdb knows ASCII alone."""
    return text.translate(_MICRO)


def in_millivolts(unit: str) -> float | None:
    """Return how many millivolts a unit is, or None for a unit that is not known."""
    return _MILLIVOLTS.get(with_latin_micro(unit).lower())
