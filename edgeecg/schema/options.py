"""Describing a setting once, for the documentation, the command line and configuration files."""

from __future__ import annotations

from typing import Any

from pydantic import BeforeValidator, Field
from pydantic.fields import FieldInfo

_KEY = "option"

NONE = "none"
"""How None is written for a number, on the command line and in a file."""


def _or_none(value: object) -> object:
    return None if value == NONE else value


OrNone = BeforeValidator(_or_none)
"""Marks a number that may be None: ``"none"`` is None, too."""


def setting(text: str, *, option: str | None = None, **constraints: Any) -> Any:
    """Return the field of a setting, for use in ``Annotated``.

    Args:
        text: What the setting does, in one or two sentences; shown by ``--help``, too.
        option: The option of the command line that sets it, e.g. ``"--round"``; None for a setting
            that only a configuration file or a Python program can change.
        constraints: As for ``pydantic.Field``: ``ge``, ``le``, ``gt``, ``lt``.
    """
    return Field(description=text, json_schema_extra={_KEY: option}, **constraints)


def option_of(field: FieldInfo) -> str | None:
    """Return the option of the command line that sets a field, or None."""
    extra = field.json_schema_extra
    found = extra.get(_KEY) if isinstance(extra, dict) else None
    return found if isinstance(found, str) else None


def can_be_none(field: FieldInfo) -> bool:
    """Whether a field is a number that ``"none"`` switches off."""
    return OrNone in field.metadata
