"""Where the files lie that people extend without touching code.

In a checkout they are the top-level folders ``export/``, ``devices/``, ``benchmarks/suites`` and
``firmware_stubs/``; in a wheel the same folders travel as ``edgeecg/_bundled``. The checkout wins,
because an editable install copies bundled files once and never again.

Another package adds a target or a device by an entry point in the group ``edgeecg.targets`` or
``edgeecg.devices``, which names a package that holds ``NAME.toml``.
"""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import ModuleType
from typing import TypeVar, cast

from edgeecg import plugins
from edgeecg.errors import EdgeECGError, PluginError, SchemaError, UnknownNameError
from edgeecg.files import read_toml
from edgeecg.schema import DeviceProfile, ExportRecipe, Suite, Value

_PACKAGE = Path(__file__).resolve().parent
_GROUPS = {"export": "edgeecg.targets", "devices": "edgeecg.devices"}
"""Entry-point groups of other packages' targets and devices, by the folder of ours."""

_Document = TypeVar("_Document", bound=Value)


def root() -> Path:
    """Return the folder that holds ``export/``, ``devices/``, ``benchmarks/`` and so on."""
    checkout = _PACKAGE.parent
    return checkout if (checkout / "pyproject.toml").is_file() else _PACKAGE / "_bundled"


def _names(folder: str) -> list[str]:
    own = {path.stem for path in (root() / folder).glob("*.toml")}
    return sorted(own | {point.name for point in plugins.entry_points_of(_group(folder))})


def _group(folder: str) -> str:
    """Return the entry-point group by which other packages add files to a folder."""
    return _GROUPS.get(folder, "")


def _load(kind: str, folder: str, name: str, value: type[_Document]) -> _Document:
    if name not in _names(folder):
        raise UnknownNameError(kind, name, _names(folder))
    path: Traversable = root() / folder / f"{name}.toml"
    shown = f"{folder}/{name}.toml"
    if not path.is_file():
        # An entry point names a package; the file lies in it under the name of the entry point.
        package = plugins.load(_group(folder), name)
        try:
            path = files(cast(ModuleType, package)) / f"{name}.toml"
        except TypeError as error:
            raise PluginError(
                f"The {kind} '{name}' cannot be used.",
                f"Its entry point names '{getattr(package, '__name__', package)}', which is no "
                "package.",
                f"Name the package that holds {name}.toml, or uninstall this one.",
            ) from error
        shown = f"{name}.toml of the package '{getattr(package, '__name__', package)}'"
    return _read(path, shown, value)


def _read(path: Traversable, shown: str, value: type[_Document]) -> _Document:
    """Read a document, which has the name of its file.

    Args:
        path: The file.
        shown: What messages call it.
        value: What it holds.
    """
    document = read_toml(path, shown, SchemaError)
    if "name" in document:
        raise SchemaError(
            f"{shown} cannot be used.",
            "It has the key 'name'; the name of the file without .toml is the name.",
            "Leave the key out, and rename the file instead.",
        )
    return value.from_document({"name": Path(path.name).stem, **document}, source=shown)


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


def usable_targets() -> tuple[list[str], list[EdgeECGError]]:
    """Return the names of all targets that can be read, and why those of other packages cannot.

    Raises:
        SchemaError: A file of ``export/`` is not an export recipe.
    """
    own = {path.stem for path in (root() / "export").glob("*.toml")}
    names: list[str] = []
    unusable: list[EdgeECGError] = []
    for name in target_names():
        try:
            load_target(name)
        except (PluginError, SchemaError) as error:
            if name in own:
                raise
            unusable.append(error)
        else:
            names.append(name)
    return names, unusable


def device_names() -> list[str]:
    """Return the names of all known devices (``devices/*.toml``)."""
    return _names("devices")


def load_device(name: str) -> DeviceProfile:
    """Read one device profile.

    Args:
        name: Name of a device, or path of a file whose name ends in ``.toml``.

    Raises:
        UnknownNameError: There is no ``devices/NAME.toml``.
        SchemaError: The file cannot be read, or is not a device profile.
    """
    if name.endswith(".toml"):
        return _read(Path(name), name, DeviceProfile)
    return _load("device", "devices", name, DeviceProfile)


def usable_devices() -> list[DeviceProfile]:
    """Read all device profiles; one of another package that cannot be used is left out.

    Raises:
        SchemaError: A file of ``devices/`` is not a device profile.
    """
    own = {path.stem for path in (root() / "devices").glob("*.toml")}
    found: list[DeviceProfile] = []
    for name in device_names():
        try:
            found.append(load_device(name))
        except (PluginError, SchemaError):
            if name in own:
                raise
    return found


def suite_names() -> list[str]:
    """Return the names of all measurement suites (``benchmarks/suites/*.toml``)."""
    return _names("benchmarks/suites")


def load_suite(name: str) -> Suite:
    """Read one measurement suite.

    Args:
        name: Name of a suite, or path of a file whose name ends in ``.toml``.

    Raises:
        UnknownNameError: There is no ``benchmarks/suites/NAME.toml``.
        SchemaError: The file cannot be read, or is not a suite.
    """
    if name.endswith(".toml"):
        return _read(Path(name), name, Suite)
    return _load("suite", "benchmarks/suites", name, Suite)
