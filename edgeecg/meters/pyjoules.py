"""The RAPL energy counters as the package pyJoules reads them.

pyJoules reads only zones named exactly ``package-N`` and their DRAM, and does not know at which
value a counter wraps. This meter is a cross-check of :mod:`edgeecg.meters.rapl`, which does.
"""

from __future__ import annotations

import importlib
import logging
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgeecg.errors import MeterError, MissingDependencyError
from edgeecg.meters._powercap import masked

_TIMEOUT_S = 1.0


class PyJoulesMeter:
    """A configured pyJoules device."""

    name = "pyjoules"
    sample_rate_hz = 1000.0
    replayed = False

    def __init__(self, device: Any, domains: list[Any]) -> None:
        """Read every domain once.

        Args:
            device: A ``pyJoules.device.rapl_device.RaplDevice``, configured.
            domains: Its domains, in the order of its readings.

        Raises:
            MeterError: The counters may not be read.
        """
        self.zones = tuple(f"{domain.get_domain_name()}-{domain.socket}" for domain in domains)
        self._device = device
        self._first = self._last = _energies_uj(device)

    def joules(self) -> float:
        """Return the energy since opening, in joules.

        Raises:
            MeterError: A counter is unreadable or has wrapped.
        """
        now = _energies_uj(self._device)
        if any(value < was for value, was in zip(now, self._last, strict=True)):
            raise MeterError(
                "The energy counter wrapped.",
                "pyJoules does not give the counter's range, so the energy is unknown.",
                "Measure again, or use --meter rapl, which follows wraps.",
            )
        self._last = now
        return sum(now) * 1e-6 - sum(self._first) * 1e-6

    def close(self) -> None:
        """Do nothing: no file stays open between two readings."""


def open(
    clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
) -> PyJoulesMeter:
    """Open the counters that pyJoules finds on this machine.

    Args:
        clock: Returns seconds; monotonic.
        sleep: Waits for a number of seconds.

    Raises:
        MissingDependencyError: pyJoules is not installed.
        MeterError: pyJoules finds no counter, may not read it, or the counter does not change.
    """
    rapl = _rapl_device()
    refusal = importlib.import_module("pyJoules.exception").NoSuchDeviceError
    try:
        # Not DeviceFactory: it raises a TypeError on a machine without any device.
        domains = [
            *rapl.RaplDevice.available_package_domains(),
            *rapl.RaplDevice.available_dram_domains(),
        ]
        device = rapl.RaplDevice() if domains else None
    except refusal as error:
        raise _absent(rapl) from error
    except OSError as error:
        raise _unreadable(error) from error
    if device is None:
        raise _absent(rapl)
    device.configure(domains)
    meter = PyJoulesMeter(device, domains)
    deadline = clock() + _TIMEOUT_S
    while meter.joules() == 0.0:
        if clock() >= deadline:
            raise MeterError(
                "The energy counter that pyJoules reads does not change.",
                f"It had the same value for {_TIMEOUT_S:g} s, as in many virtual machines.",
                "Measure on a physical machine, or use an external meter.",
            )
        sleep(0.01)
    return meter


def _rapl_device() -> Any:
    """Import pyJoules without its warning that a graphics library is missing."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        return importlib.import_module("pyJoules.device.rapl_device")
    except ModuleNotFoundError as error:
        if error.name != "pyJoules":
            raise
        raise MissingDependencyError("pyJoules", "pyjoules", "the meter 'pyjoules'") from error
    finally:
        logging.disable(level)


def _energies_uj(device: Any) -> list[float]:
    try:
        with warnings.catch_warnings():
            # pyJoules does not close its files; the garbage collector does.
            warnings.simplefilter("ignore", ResourceWarning)
            return list(device.get_energy())
    except (OSError, ValueError) as error:
        raise _unreadable(error) from error


def _absent(rapl: Any) -> MeterError:
    # pyJoules reads the nested folders of /sys/class/powercap/intel-rapl.
    return masked(Path(rapl.RAPL_API_DIR).parent) or MeterError(
        "pyJoules finds no energy counter on this machine.",
        "There is no zone named package-N under /sys/class/powercap/intel-rapl.",
        "Try --meter rapl, which reads more zones, or use an external meter.",
    )


def _unreadable(error: Exception) -> MeterError:
    return MeterError(
        "pyJoules cannot read the energy counter.",
        f"The operating system reports: {error}.",
        "Only root may read it since CVE-2020-8694; allow it with: "
        "sudo chmod o+r /sys/class/powercap/intel-rapl*:*/energy_uj",
    )
