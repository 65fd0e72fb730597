"""Checks of what a program passes to the functions of the public API.

The command line has its own: it takes texts alone, and an option knows its choices.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Integral
from os import PathLike
from typing import Any, cast, get_args

from edgeecg.errors import UnknownNameError, UsageError


def listed(name: str, given: object, example: str) -> list[Any]:
    """Return an argument that is a list; a single text or path is a list of one.

    Args:
        name: The argument, e.g. ``"targets"``.
        given: What a program passed.
        example: What it could have passed, e.g. ``"targets=['tflite']"``.

    Raises:
        UsageError: It is neither a list nor a text.
    """
    if isinstance(given, (str, PathLike)):
        return [cast("object", given)]
    if isinstance(given, Iterable) and not isinstance(given, bytes):
        return list(cast("Iterable[object]", given))
    raise _other(name, given, "A list of texts", example)


def conditions(name: str, given: object, example: str) -> list[Any]:
    """Return an argument that is a list of texts; ``{"energy": 0.2}`` is ``["energy=0.2"]``.

    Args:
        name: The argument, e.g. ``"budget"``.
        given: What a program passed.
        example: What it could have passed.

    Raises:
        UsageError: It is neither a mapping, nor a list, nor a text.
    """
    if isinstance(given, Mapping):
        return [f"{kind}={value}" for kind, value in cast("Mapping[str, object]", given).items()]
    return listed(name, given, example)


def lead_names(given: object) -> dict[str, str]:
    """Return the argument ``leads``: the records' names of the model's leads.

    Raises:
        UsageError: It is no mapping.
    """
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return dict(cast("Mapping[str, str]", given))
    raise _other("leads", given, "A mapping", "leads={'MLII': 'II'}")


def choice(kind: str, given: object, choices: object) -> None:
    """Check an argument that is one of a few names.

    Args:
        kind: What it names, e.g. ``"split"``.
        given: What a program passed.
        choices: The ``Literal`` type of all names.

    Raises:
        UnknownNameError: It is none of them.
    """
    known = get_args(choices)
    if given not in known:
        raise UnknownNameError(kind, str(given), known)


def at_least_one(name: str, given: object) -> None:
    """Check a number that is 1 or more, such as ``threads``.

    Raises:
        UsageError: It is less, or no whole number.
    """
    if not isinstance(given, Integral) or given < 1:
        raise _other(name, given, "A whole number from 1 on", f"{name}=1")


def _other(name: str, given: object, expected: str, example: str) -> UsageError:
    return UsageError(
        f"'{name}' cannot be {given!r}.",
        f"{expected} is expected.",
        f"Give, for example, {example}.",
    )
