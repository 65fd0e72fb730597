"""Choosing an energy meter, and measuring with it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from edgeecg import meters
from edgeecg.benchmark import energy
from edgeecg.benchmark.clock import Clock
from edgeecg.errors import MeterError, MissingDependencyError, PluginError
from edgeecg.schema import DeviceProfile, Energy, Suite

NO_METER = "none"
"""The name with which no energy is measured."""


def check(name: str | None) -> None:
    """Open a meter that was asked for by name once, so that a meter that fails is an error at once.

    Args:
        name: Name of the meter; nothing is checked for None and ``"none"``.

    Raises:
        UnknownNameError: There is no meter of this name.
        MeterError: The meter does not work.
        MissingDependencyError: The meter's package is not installed.
        PluginError: The meter belongs to another package and cannot be imported.
    """
    if name not in (None, NO_METER):
        meters.open_meter(name).close()


def candidates(profile: DeviceProfile) -> list[str]:
    """Return the meters that are tried when none is named, in this order.

    Args:
        profile: The device, whose meters come first; meters of other packages follow.
    """
    return list(dict.fromkeys([*profile.meters, *meters.external_names()]))


def measure(
    invoke: Callable[[], None],
    name: str | None,
    profile: DeviceProfile,
    suite: Suite,
    clock: Clock,
) -> Energy:
    """Measure the energy of one inference, or say why it was not measured.

    Args:
        invoke: Runs one inference.
        name: Name of the meter, ``"none"``, or None for the first candidate that works.
        profile: The device.
        suite: Number and length of the energy windows.
        clock: The source of time.

    Raises:
        MeterError: The meter that was asked for by name fails.
        MissingDependencyError: Its package is not installed.
        PluginError: It belongs to another package and cannot be imported.
    """
    if name == NO_METER:
        return energy.not_measured("Switched off with --meter none.")
    reasons: list[str] = []
    for candidate in candidates(profile) if name is None else [name]:
        try:
            with contextlib.closing(meters.open_meter(candidate)) as meter:
                return energy.measure(invoke, meter, suite, clock)
        except (MeterError, MissingDependencyError, PluginError) as error:
            if name is not None:
                raise
            reasons.append(f"{error.what} {error.why} {error.todo}")
    return energy.not_measured(" ".join([*reasons, profile.no_meter]))
