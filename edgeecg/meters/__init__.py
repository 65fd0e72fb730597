"""Energy meters: one module per meter, named after it.

A meter module has a function ``open()``, which returns a :class:`Meter` or raises a MeterError that
says why the meter cannot be used and what to do. There are two kinds. An :class:`EnergyCounter`
counts joules by itself (RAPL). A :class:`PowerMeter` delivers samples of power, which
:mod:`edgeecg.benchmark.recording` reads in a process of its own. Other packages add meters through
entry points in the group ``edgeecg.meters``, see :mod:`edgeecg.plugins`.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from edgeecg import plugins
from edgeecg.errors import EdgeECGError, MeterError, UnknownNameError, UsageError
from edgeecg.schema import DeviceProfile, Value

if TYPE_CHECKING:
    # Listing the meters must be fast on a small board, where the import of numpy takes seconds.
    import numpy as np
    from numpy.typing import NDArray


class EnergyCounter(Protocol):
    """An open meter that counts energy.

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


@dataclass(frozen=True)
class Samples:
    """Samples of power that a meter delivered, in the order of time.

    Attributes:
        t_s: Times at which the power was sampled, in seconds of ``time.perf_counter()`` of this
            machine. A sample that is the mean over a period has the time of its middle.
        watts: The power at these times.
        lost: Number of samples that were lost or could not be read since the last call.
        remarks: What a user should know of the values, e.g. that a reading contradicts another.
    """

    t_s: NDArray[np.float64]
    watts: NDArray[np.float64]
    lost: int = 0
    remarks: tuple[str, ...] = ()


class PowerMeter(Protocol):
    """An open meter that delivers samples of power.

    Attributes:
        name: The module's name.
        zones: The parts of the machine it covers, e.g. ``("supply",)``.
        sample_rate_hz: Rate of the samples that ``read`` delivers: at most 1000, because a meter
            that samples faster delivers means over a millisecond.
        replayed: Whether the values are a recording or a simulation.
        max_watts: No sample of this meter can be larger; such samples are dropped and counted.

    A meter whose readings have a step that matters also has ``resolution_w``, this step in watts.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def zones(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def sample_rate_hz(self) -> float: ...  # noqa: D102
    @property
    def replayed(self) -> bool: ...  # noqa: D102
    @property
    def max_watts(self) -> float: ...  # noqa: D102

    def read(self) -> Samples:
        """Wait for the next samples, for a second at most, and return them.

        A single reading that fails is counted in ``lost``; it is never replaced by an older one.

        Raises:
            MeterError: The meter was unplugged, or cannot be read any more.
        """
        ...

    def close(self) -> None:
        """Release the meter."""
        ...


Meter = EnergyCounter | PowerMeter


class MeterModule(Protocol):
    """What ``meters/NAME.py`` offers.

    A module whose meter delivers samples also has ``SAMPLED = True``: its meter is opened in a
    process of its own. A module whose meter is not part of the device, but plugged into a computer
    beside it, also has ``BESIDE = True``.
    """

    def open(self, where: str | None = None) -> Meter:
        """Open the meter.

        Args:
            where: Which of several, as in ``--meter NAME:WHERE``: a chip, a serial port, a network
                address or a file. A module whose meter needs none may leave the parameter out.

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
            open_meter(name).close()
            found.append(MeterAvailability(name=name, available=True, reason=None))
        except EdgeECGError as error:
            found.append(MeterAvailability(name=name, available=False, reason=str(error)))
    return found


def candidates(profile: DeviceProfile) -> list[str]:
    """Return the meters that are tried when none is named, in this order.

    Args:
        profile: The device, whose meters come first; meters of other packages follow.
    """
    found: list[str] = []
    for name in profile.meters:
        if name == "hwmon" and profile.rails:
            # The channels that are the board; a chip in its supply has others.
            found.append(f"hwmon::{'+'.join(profile.rails)}")
        found.append(name)
    return list(dict.fromkeys([*found, *external_names()]))


def external_names() -> list[str]:
    """Return the names of the meters of other packages, in alphabetical order."""
    return plugins.external_names(__name__)


def get(name: str) -> MeterModule:
    """Return one meter's module.

    Raises:
        UnknownNameError: There is no meter of this name.
        PluginError: The meter belongs to another package and cannot be imported.
    """
    require(name)
    return cast(MeterModule, plugins.load(__name__, name))


def require(name: str) -> None:
    """Check that there is a meter of this name, without importing it.

    Raises:
        UnknownNameError: There is none.
    """
    if name not in names():
        raise UnknownNameError("meter", name, [*names(), "none"])


def open_meter(name: str) -> Meter:
    """Open a meter by its name.

    Args:
        name: ``NAME`` or ``NAME:WHERE``, e.g. ``"ppk2:/dev/ttyACM0"``.

    Raises:
        UnknownNameError: There is no meter of this name.
        UsageError: This meter takes no ``WHERE``.
        MeterError: There is no such meter here, or it may not be read.
        MissingDependencyError: Its package is not installed.
        PluginError: The meter belongs to another package and cannot be imported.
    """
    plain, _, where = name.partition(":")
    module = get(plain)
    if plain in external_names():
        return _opened_elsewhere(module, plain, where)
    return _opened(module, plain, where)


def _opened_elsewhere(module: MeterModule, name: str, where: str) -> Meter:
    """Open a meter of another package, whose code may raise anything."""
    try:
        return _opened(module, name, where)
    except EdgeECGError:
        raise
    except Exception as error:
        raise MeterError(
            f"The meter '{name}' cannot be opened.",
            f"It belongs to another package, and raised {type(error).__name__}: {error}.",
            "Repair that package, or choose another --meter.",
        ) from error


def _opened(module: MeterModule, plain: str, where: str) -> Meter:
    if not where:
        return module.open()
    if "where" not in inspect.signature(module.open).parameters:
        raise UsageError(
            f"The meter '{plain}' cannot be asked for as '{plain}:{where}'.",
            "There is only one such meter on a machine.",
            f"Give --meter {plain}.",
        )
    return module.open(where)


def delivers_samples(name: str) -> bool:
    """Return whether a meter delivers samples of power, and does not count energy.

    Args:
        name: ``NAME`` or ``NAME:WHERE``.
    """
    return bool(getattr(get(name.partition(":")[0]), "SAMPLED", False))


def is_beside(name: str) -> bool:
    """Return whether a meter is plugged into a computer beside the device.

    Args:
        name: ``NAME`` or ``NAME:WHERE``.
    """
    return bool(getattr(get(name.partition(":")[0]), "BESIDE", False))
