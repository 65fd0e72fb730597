"""Weights of the classes in a loss, as a user writes them."""

from __future__ import annotations

import re

from edgeecg.errors import UsageError

_ENTRY = re.compile(r"(?P<name>[^=,]+)=(?P<number>\d+(?:\.\d+)?|\.\d+)")


def checked(text: str) -> str:
    """Return the text of class weights without spaces.

    Args:
        text: ``"none"``, ``"balanced"``, or weights by class: ``"S=4,V=2"``.

    Raises:
        UsageError: It is not of this form, a weight is 0, or a class has two.
    """
    text = "".join(text.split())
    given_weights(text)
    return text


def given_weights(text: str) -> dict[str, float]:
    """Return the weights that a text names by class; empty for ``none`` and ``balanced``.

    Raises:
        UsageError: It is not of the form ``S=4,V=2``, a weight is 0, or a class has two.
    """
    if text in ("none", "balanced"):
        return {}
    weights: dict[str, float] = {}
    for entry in text.split(","):
        found = _ENTRY.fullmatch(entry)
        if found is None:
            raise _unclear(text, "Expected is none, balanced, or CLASS=NUMBER,CLASS=NUMBER.")
        name, weight = found["name"], float(found["number"])
        if not weight:
            raise _unclear(text, f"The weight of {name} is 0; a weight is above 0.")
        if name in weights:
            raise _unclear(text, f"The class {name} has two weights.")
        weights[name] = weight
    return weights


def _unclear(text: str, why: str) -> UsageError:
    return UsageError(
        f"The class weight '{text}' is not understood.",
        why,
        "Write, for example: --class-weight balanced or --class-weight S=4,V=2",
    )
