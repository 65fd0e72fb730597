"""What the kernel documentation and the data sheets say of power monitor chips."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """Chips that behave alike.

    Attributes:
        conversion_s: Time of one conversion as the kernel driver sets it up.
        max_volts: Largest bus voltage.
        max_shunt_volts: Largest voltage over the shunt.
        max_amperes: Largest current where the driver gives no shunt.
        shunt_step_volts: Step of the voltage over the shunt.
        step_amperes: Step of the current where the driver gives no shunt.
    """

    conversion_s: float
    max_volts: float
    max_shunt_volts: float
    max_amperes: float = 15.0
    shunt_step_volts: float = 0.0
    step_amperes: float = 0.0


# 12 bits, 532 µs for the shunt and 532 µs for the bus voltage.
_INA219 = Family(2 * 532e-6, 32.0, 0.320, shunt_step_volts=10e-6)
# 16 averages of 1.1 ms for the shunt and 1.1 ms for the bus voltage.
_INA226 = Family(16 * 2.2e-3, 40.0, 0.08192, shunt_step_volts=2.5e-6)
# The same in 12 bits.
_INA234 = Family(16 * 2.2e-3, 40.0, 0.08192, shunt_step_volts=40e-6)
# With a shunt of 2 milliohm inside.
_INA260 = Family(16 * 2.2e-3, 40.0, 0.08192, step_amperes=1.25e-3)
# One average of 1.1 ms for each of two voltages of three channels.
_INA3221 = Family(6 * 1.1e-3, 26.0, 0.16384, shunt_step_volts=40e-6)
# 16 averages of 1.052 ms for each of shunt voltage, bus voltage and temperature.
_INA238 = Family(16 * 3 * 1.052e-3, 110.0, 0.16384, shunt_step_volts=5e-6)
# Slow enough for every chip, and no smaller limits.
_UNKNOWN = Family(0.1, 110.0, 0.32768)

_FAMILIES = {
    **dict.fromkeys(("ina219", "ina220"), _INA219),
    **dict.fromkeys(("ina226", "ina230", "ina231", "ina232"), _INA226),
    "ina234": _INA234,
    "ina260": _INA260,
    "sy24655": _INA226,
    "ina3221": _INA3221,
    **dict.fromkeys(("ina228", "ina237", "ina238", "ina700", "ina780", "sq52206"), _INA238),
}


def family(chip: str) -> Family:
    """Return what is known of a chip.

    Args:
        chip: Content of the file ``name``, e.g. ``"ina219"``.
    """
    return _FAMILIES.get(chip, _UNKNOWN)


def is_power_monitor(chip: str) -> bool:
    """Return whether a chip is made to measure the power of a supply.

    Many other sensors (of voltage regulators, graphics cards, mainboards) have voltages and
    currents, too.

    Args:
        chip: Content of the file ``name``.
    """
    return chip in _FAMILIES or (chip.startswith("ina") and chip[3:].isdecimal())
