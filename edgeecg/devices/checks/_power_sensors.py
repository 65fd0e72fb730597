"""The power sensors that Linux has a driver for, on a board or on its I2C bus."""

from __future__ import annotations

from pathlib import Path

from edgeecg.devices import _kernel_files
from edgeecg.devices.checks import CheckedHost
from edgeecg.meters._hwmon_chips import is_power_monitor


def bound(host: CheckedHost) -> list[Path]:
    """Return the folders of sensors that work: those with a driver, below ``/sys/class/hwmon``."""
    folders = sorted(host.path("sys/class/hwmon").glob("hwmon*"))
    return [folder for folder in folders if is_power_monitor(name(folder))]


def unbound(host: CheckedHost) -> list[Path]:
    """Return the folders of sensors on an I2C bus that are announced but have no driver."""
    folders = sorted(host.path("sys/bus/i2c/devices").glob("*-*"))
    return [
        folder
        for folder in folders
        if is_power_monitor(name(folder)) and not (folder / "driver").exists()
    ]


def name(folder: Path) -> str:
    """Return the name of a chip, e.g. ``"ina219"``."""
    return _kernel_files.text(folder / "name") or ""


def wanted(host: CheckedHost) -> bool:
    """Return whether a sensor on the I2C bus is the way to measure energy on this board."""
    return host.profile is not None and host.profile.meters == ("hwmon",)
