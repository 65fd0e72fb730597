"""Finding extensions: the public modules of a package, and the entry points of other packages.

To add a meter to edgeecg, add ``edgeecg/meters/NAME.py``: the module's name is the meter's name.
Modules whose name starts with an underscore are helpers. Another package adds a meter by an entry
point in the group ``edgeecg.meters``, which is named after the package here::

    [project.entry-points."edgeecg.meters"]
    bench_supply = "my_package.bench_supply"
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points

from edgeecg.errors import PluginError

FILE_GROUPS = frozenset({"edgeecg.targets", "edgeecg.devices"})
"""Groups whose entry points name packages with a file ``NAME.toml``; see ``edgeecg.resources``."""


_CONTRACTS = {
    "edgeecg.models": "Architecture",
    "edgeecg.exporters": "Exporter",
    "edgeecg.data.sources": "Source",
    "edgeecg.runtimes": "Runtime",
    "edgeecg.meters": "MeterModule",
}
"""The protocol that the extensions of a package follow."""


@dataclass(frozen=True)
class Broken:
    """An extension of another package that cannot be used.

    Attributes:
        name: The extension's name.
        distribution: The package that brings it.
        reason: Why it cannot be used.
    """

    name: str
    distribution: str
    reason: str


def names(package: str) -> list[str]:
    """Return the names of all extensions of a package, in alphabetical order; imports none of them.

    Args:
        package: Dotted name of the package, e.g. ``"edgeecg.meters"``.
    """
    return sorted({*_own(package), *(point.name for point in entry_points_of(package))})


def external_names(package: str) -> list[str]:
    """Return the names of the extensions of other packages, in alphabetical order; imports none.

    Args:
        package: Dotted name of the package, e.g. ``"edgeecg.meters"``.
    """
    return [point.name for point in entry_points_of(package) if point.name not in _own(package)]


def load(package: str, name: str) -> object:
    """Import one extension.

    Args:
        package: Dotted name of the package.
        name: One of :func:`names`.

    Returns:
        The module in the package, or what the entry point names: usually a module, too.

    Raises:
        PluginError: The extension belongs to another package, and cannot be imported or is
            incomplete.
        KeyError: There is no such extension.
    """
    if name in _own(package):
        return importlib.import_module(f"{package}.{name}")
    for point in entry_points_of(package):
        if point.name == name:
            return _loaded(point)
    raise KeyError(name)


def broken(package: str) -> list[Broken]:
    """Return the extensions of other packages that cannot be used, with the reason.

    An extension is also refused when edgeecg has one of the same name.
    """
    found: list[Broken] = []
    for point in entry_points_of(package):
        if point.name in _own(package):
            reason = f"edgeecg has its own '{point.name}', which is used."
            found.append(Broken(point.name, _distribution(point), reason))
            continue
        try:
            _loaded(point)
        except PluginError as error:
            found.append(Broken(point.name, _distribution(point), error.why))
    return found


@cache
def _own(package: str) -> frozenset[str]:
    if package in FILE_GROUPS:
        return frozenset()
    path = importlib.import_module(package).__path__
    return frozenset(m.name for m in pkgutil.iter_modules(path) if not m.name.startswith("_"))


def entry_points_of(group: str) -> list[EntryPoint]:
    """Return the entry points of other packages in a group, in alphabetical order.

    They are looked up once: a package that is installed later is found by the next process.
    """
    return sorted(_installed(group, tuple(sys.path)), key=lambda point: point.name)


@cache
def _installed(group: str, _path: tuple[str, ...]) -> EntryPoints:
    """Return the entry points of a group; it reads the metadata of every package on the path."""
    return entry_points(group=group)


def _loaded(point: EntryPoint) -> object:
    try:
        found: object = point.load()
    except (Exception, SystemExit) as error:  # Whatever the other package raises means the same.
        raise PluginError(
            f"The extension '{point.name}' of the package '{_distribution(point)}' cannot be used.",
            f"Importing '{point.value}' raised {type(error).__name__}: {error}.",
            f"Repair or uninstall that package: pip uninstall {_distribution(point)}",
        ) from error
    missing = sorted(name for name in _expected(point.group) if not hasattr(found, name))
    if missing:
        raise PluginError(
            f"The extension '{point.name}' of the package '{_distribution(point)}' cannot be used.",
            f"'{point.value}' lacks {', '.join(missing)}, see {point.group}."
            f"{_CONTRACTS[point.group]}.",
            f"Repair or uninstall that package: pip uninstall {_distribution(point)}",
        )
    return found


@cache
def _expected(package: str) -> frozenset[str]:
    """Return the names that an extension of a package has to have."""
    if package not in _CONTRACTS:
        return frozenset()
    contract: type = getattr(importlib.import_module(package), _CONTRACTS[package])
    names = {*contract.__annotations__, *vars(contract)}
    return frozenset(name for name in names if not name.startswith("_"))


def _distribution(point: EntryPoint) -> str:
    return "unknown" if point.dist is None else point.dist.name
