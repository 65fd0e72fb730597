"""Writing device profiles as the TOML files that ``--device`` reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from edgeecg.errors import UsageError
from edgeecg.files import check_writable, write_text
from edgeecg.schema import DeviceProfile


def write(profile: DeviceProfile, path: Path) -> None:
    """Write a device profile.

    Args:
        profile: The profile.
        path: The file, ``NAME.toml``; its stem is the name of the profile that is read from it.

    Raises:
        UsageError: The file has another suffix.
        EdgeECGError: It cannot be written.
    """
    check(path)
    document = profile.model_dump(mode="json", exclude={"name"}, exclude_none=True)
    write_text(path, "\n".join(_table(document, "")).lstrip("\n") + "\n")


def check(path: Path) -> None:
    """Refuse a file that ``--device`` would not read, or that cannot be written.

    Raises:
        UsageError: The suffix is not ``.toml``.
        EdgeECGError: It cannot be written.
    """
    if path.suffix != ".toml":
        raise UsageError(
            f"The device profile '{path}' cannot be written.",
            "A device profile is a TOML file.",
            "Give a name that ends in .toml.",
        )
    check_writable(path)


def _table(values: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """Yield the lines of a table: its own values first, then the tables inside it."""
    for key, value in values.items():
        if not isinstance(value, dict):
            yield f"{key} = {_text(value)}"
    for key, value in values.items():
        if isinstance(value, dict):
            name = f"{prefix}{key}"
            yield f"\n[{name}]"
            yield from _table(cast("dict[str, Any]", value), f"{name}.")


def _text(value: object) -> str:
    """Return a value as TOML, whose strings and lists are written as in JSON."""
    return json.dumps(value, ensure_ascii=False)
