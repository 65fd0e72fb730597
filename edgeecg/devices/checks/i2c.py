"""Whether the I2C bus, on which power sensors lie, is switched on."""

from __future__ import annotations

from edgeecg.devices.checks import CheckedHost, _power_sensors
from edgeecg.schema import Finding


def check(host: CheckedHost) -> list[Finding]:
    """Look for the bus of the pin header of a Raspberry Pi."""
    if not host.raspberry_pi:
        return []
    if host.path("dev/i2c-1").exists() or _power_sensors.bound(host):
        return [Finding(check="i2c", ok=True, found="The I2C bus of the pin header is on.")]
    return [
        Finding(
            check="i2c",
            # A board with a meter of its own can do without.
            ok=not _power_sensors.wanted(host),
            found="The I2C bus of the pin header is off (there is no /dev/i2c-1): a power sensor "
            "such as an INA219 cannot be read.",
            fix="sudo raspi-config nonint do_i2c 0",
        )
    ]
