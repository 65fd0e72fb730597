"""Choosing an energy meter, and measuring with it."""

from __future__ import annotations

import contextlib

from edgeecg import meters
from edgeecg.benchmark import energy, energy_measurement
from edgeecg.benchmark.arguments import EXTERNAL as EXTERNAL, NO_METER as NO_METER
from edgeecg.benchmark.energy_measurement import MeasuredEnergy, WindowPlan
from edgeecg.errors import MeterError, MissingDependencyError, PluginError
from edgeecg.schema import DeviceProfile

_BESIDE = (
    "The windows were run, and their times are in the result; the energy is measured by a meter "
    "beside the device."
)


def is_beside(name: str | None) -> bool:
    """Return whether a meter is plugged into a computer beside the device.

    Args:
        name: What ``--meter`` gives; it is no such meter when None, ``"none"`` or ``"external"``.

    Raises:
        UnknownNameError: There is no meter of this name.
    """
    return name not in (None, NO_METER, EXTERNAL) and meters.is_beside(name)


def check(name: str | None) -> None:
    """Open a meter that was asked for by name once, so that a meter that fails is an error at once.

    Args:
        name: Name of the meter; nothing is checked for None, ``"none"`` and ``"external"``.

    Raises:
        UnknownNameError: There is no meter of this name.
        UsageError: It takes no place, and one was given.
        MeterError: The meter does not work.
        MissingDependencyError: The meter's package is not installed.
        PluginError: The meter belongs to another package and cannot be imported.
    """
    if name not in (None, NO_METER, EXTERNAL):
        meters.open_meter(name).close()


def chosen(name: str | None, profile: DeviceProfile) -> tuple[str, str]:
    """Return the meter to measure with, and why the others are not used.

    Args:
        name: Name of the meter, or None for the first candidate that works.
        profile: The device.

    Returns:
        The meter's name, which is ``"none"`` when no candidate works, and the reasons of all those
        that do not work, followed by the profile's advice.
    """
    if name is not None:
        return name, "Switched off with --meter none."
    reasons: list[str] = []
    for candidate in meters.candidates(profile):
        try:
            with contextlib.closing(meters.open_meter(candidate)):
                return candidate, ""
        except (MeterError, MissingDependencyError, PluginError) as error:
            reasons.append(f"{error.what} {error.why} {error.todo}")
    return NO_METER, " ".join([*reasons, profile.no_meter])


def measure(meter: str, why_none: str, plan: WindowPlan) -> MeasuredEnergy:
    """Measure the energy of one inference, or say why it was not measured.

    A meter that worked when it was chosen and fails now costs the energy and not the other results.

    Args:
        meter: What :func:`chosen` returned.
        why_none: The reason for ``"none"``.
        plan: The windows.
    """
    if meter == NO_METER:
        return MeasuredEnergy(energy.not_measured(why_none), ())
    if meter == EXTERNAL:
        return energy_measurement.without_meter(plan, _BESIDE)
    try:
        return energy_measurement.measure(meter, plan)
    except (MeterError, MissingDependencyError) as error:
        reason = f"{error.what} {error.why} {error.todo}"
        return MeasuredEnergy(energy.not_measured(reason), ())
