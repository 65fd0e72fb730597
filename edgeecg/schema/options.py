"""Describing a setting once, for the documentation, the command line and configuration files."""

from __future__ import annotations

from typing import Any

from pydantic import Field
from pydantic.fields import FieldInfo

_KEY = "option"


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
