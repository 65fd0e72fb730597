"""Whether a power sensor on the I2C bus has its driver."""

from __future__ import annotations

from pathlib import Path

from edgeecg.devices.checks import CheckedHost, _power_sensors
from edgeecg.schema import Finding

# Documentation/hwmon of Linux: which module drives which chip.
_MODULES = {"ina209": "ina209", "ina3221": "ina3221", "ina238": "ina238", "ina237": "ina238"}
_OTHERS = "ina2xx"


def check(host: CheckedHost) -> list[Finding]:
    """Look for sensors with a driver, then for announced sensors without one."""
    sensors = _power_sensors.bound(host)
    if sensors:
        names = ", ".join(f"{_power_sensors.name(each)} ({each.name})" for each in sensors)
        return [Finding(check="sensor driver", ok=True, found=f"Power sensors: {names}.")]
    waiting = _power_sensors.unbound(host)
    if waiting:
        return [_unbound(waiting)]
    if not _power_sensors.wanted(host) or not host.path("dev/i2c-1").exists():
        return []
    return [
        Finding(
            check="sensor driver",
            ok=False,
            found="No power sensor has a driver: there is none in /sys/class/hwmon.",
            fix="Connect an INA219 into the supply and announce it (address 0x40; until the next "
            "boot): sudo modprobe ina2xx && "
            "echo ina219 0x40 | sudo tee /sys/bus/i2c/devices/i2c-1/new_device",
        )
    ]


def _unbound(folders: list[Path]) -> Finding:
    names = ", ".join(f"{_power_sensors.name(each)} at {each.name}" for each in folders)
    modules = sorted({_MODULES.get(_power_sensors.name(each), _OTHERS) for each in folders})
    return Finding(
        check="sensor driver",
        ok=False,
        found=f"The driver of a power sensor is not loaded: {names}.",
        fix=f"sudo modprobe -a {' '.join(modules)}",
    )
