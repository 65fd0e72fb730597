"""Energy meters: one module per meter, named after it.

A meter module has a function ``open()``, which returns a :class:`Meter` or raises a MeterError that
says why the meter cannot be used and what to do. Other packages add meters through entry points in
the group ``edgeecg.meters``, see :mod:`edgeecg.plugins`.
"""

from __future__ import annotations

from typing import Protocol, cast

from edgeecg import plugins
from edgeecg.errors import EdgeECGError, UnknownNameError
from edgeecg.schema import Value


class Meter(Protocol):
    """An open meter.

    Attributes:
        name: The module's name.
        zones: The parts of the machine it covers, e.g. ``("package-0", "package-0/dram")``.
        sample_rate_hz: Rate at which the meter delivers new values, or None when unknown.
        replayed: Whether the values are a recording or a simulation.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def zones(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def sample_rate_hz(self) -> float | None: ...  # noqa: D102
    @property
    def replayed(self) -> bool: ...  # noqa: D102

    def joules(self) -> float:
        """Return the energy since opening, in joules. Call it about once a second.

        Raises:
            MeterError: The meter cannot be read any more, or its values cannot be trusted.
        """
        ...

    def close(self) -> None:
        """Release the meter."""
        ...


class MeterModule(Protocol):
    """What ``meters/NAME.py`` offers."""

    def open(self) -> Meter:
        """Open the meter.

        Raises:
            MeterError: There is no such meter here, or it may not be read.
            MissingDependencyError: Its package is not installed.
        """
        ...


def names() -> list[str]:
    """Return the names of all meters, those of other packages included, in alphabetical order."""
    return plugins.names(__name__)


class MeterAvailability(Value):
    """Whether a meter works on this machine.

    Attributes:
        name: The meter.
        available: Whether it can be opened now.
        reason: Why not, and what to do about it; None where it is available.
    """

    name: str
    available: bool
    reason: str | None


def availability() -> list[MeterAvailability]:
    """Open and close every meter, and return which work on this machine."""
    found: list[MeterAvailability] = []
    for name in names():
        try:
            get(name).open().close()
            found.append(MeterAvailability(name=name, available=True, reason=None))
        except EdgeECGError as error:
            found.append(MeterAvailability(name=name, available=False, reason=str(error)))
    return found


def external_names() -> list[str]:
    """Return the names of the meters of other packages, in alphabetical order."""
    return plugins.external_names(__name__)


def get(name: str) -> MeterModule:
    """Return one meter's module.

    Raises:
        UnknownNameError: There is no meter of this name.
        PluginError: The meter belongs to another package and cannot be imported.
    """
    if name not in names():
        raise UnknownNameError("meter", name, [*names(), "none"])
    return cast(MeterModule, plugins.load(__name__, name))
