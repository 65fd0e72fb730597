"""What measures energy: one module per meter, named after it.

A meter module offers ``open()``, which returns a :class:`Meter` or says in a MeterError why there
is none and how to mend that. Modules whose name starts with ``_`` are helpers and no meters.
"""

from __future__ import annotations

from typing import Protocol, cast

from edgeecg import plugins
from edgeecg.errors import UnknownNameError


class Meter(Protocol):
    """A meter that is open and delivers.

    Attributes:
        name: The module's name.
        zones: What it covers, e.g. ``("package-0", "package-0/dram")``.
        sample_rate_hz: Rate at which new values come, or None when unknown.
        replayed: Whether the stream is a recording or a simulation.
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
        """Return the energy since opening, in joules. To be called about once a second.

        Raises:
            MeterError: The meter cannot be read any more, or is not to be believed.
        """
        ...

    def close(self) -> None:
        """Let go of what is held."""
        ...


class MeterModule(Protocol):
    """What ``meters/NAME.py`` offers."""

    def open(self) -> Meter:
        """Open the meter.

        Raises:
            MeterError: There is none here, or it may not be read; says how to mend it.
            MissingDependencyError: Its package is not installed.
        """
        ...


def names() -> list[str]:
    """Return the names of all meters, in alphabetical order."""
    return plugins.names(__name__)


def get(name: str) -> MeterModule:
    """Return one meter's module.

    Raises:
        UnknownNameError: There is no ``meters/NAME.py``.
    """
    if name not in names():
        raise UnknownNameError("meter", name, [*names(), "none"])
    return cast(MeterModule, plugins.load(__name__, name))
