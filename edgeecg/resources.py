"""Where the files lie that people extend without touching code.

In a checkout they are the top-level folders ``export/``, ``devices/``, ``benchmarks/suites`` and
``firmware_stubs/``; in a wheel the same folders travel as ``edgeecg/_bundled``. The checkout wins,
because an editable install copies bundled files once and never again.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TypeVar

from edgeecg.errors import SchemaError, UnknownNameError
from edgeecg.schema import DeviceProfile, ExportRecipe, Suite, Value

_PACKAGE = Path(__file__).resolve().parent
_Document = TypeVar("_Document", bound=Value)


def root() -> Path:
    """Return the folder that holds ``export/``, ``devices/``, ``benchmarks/`` and so on."""
    checkout = _PACKAGE.parent
    return checkout if (checkout / "pyproject.toml").is_file() else _PACKAGE / "_bundled"


def _names(folder: str) -> list[str]:
    return sorted(path.stem for path in (root() / folder).glob("*.toml"))


def _load(kind: str, folder: str, name: str, value: type[_Document]) -> _Document:
    if name not in _names(folder):
        raise UnknownNameError(kind, name, _names(folder))
    path = root() / folder / f"{name}.toml"
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SchemaError(
            f"{folder}/{name}.toml cannot be read.",
            f"It is not valid TOML: {error}.",
            "Mend the file at the place named.",
        ) from error
    return value.from_document({"name": name, **document}, source=f"{folder}/{name}.toml")


def target_names() -> list[str]:
    """Return the names of all export targets (``export/*.toml``)."""
    return _names("export")


def load_target(name: str) -> ExportRecipe:
    """Read one export target.

    Raises:
        UnknownNameError: There is no ``export/NAME.toml``.
        SchemaError: The file is not an export recipe.
    """
    return _load("target", "export", name, ExportRecipe)


def device_names() -> list[str]:
    """Return the names of all known devices (``devices/*.toml``)."""
    return _names("devices")


def load_device(name: str) -> DeviceProfile:
    """Read one device profile.

    Raises:
        UnknownNameError: There is no ``devices/NAME.toml``.
        SchemaError: The file is not a device profile.
    """
    return _load("device", "devices", name, DeviceProfile)


def suite_names() -> list[str]:
    """Return the names of all measurement suites (``benchmarks/suites/*.toml``)."""
    return _names("benchmarks/suites")


def load_suite(name: str) -> Suite:
    """Read one measurement suite.

    Raises:
        UnknownNameError: There is no ``benchmarks/suites/NAME.toml``.
        SchemaError: The file is not a suite.
    """
    return _load("suite", "benchmarks/suites", name, Suite)
