"""Whether the shunt resistors that Linux assumes are those on the boards."""

from __future__ import annotations

from pathlib import Path

from edgeecg.devices import _kernel_files
from edgeecg.devices.checks import CheckedHost, _power_sensors
from edgeecg.schema import Finding

# The ina2xx and ina3221 drivers assume 10 milliohms when nobody tells them; breakout boards of the
# INA219 and of the INA3221 have 100.
_ASSUMED_UOHM = 10_000.0
_USUAL_UOHM = 100_000


def check(host: CheckedHost) -> list[Finding]:
    """Read the resistors of every power sensor; nothing where there is none."""
    return [
        _finding(folder, file)
        for folder in _power_sensors.bound(host)
        for file in [*folder.glob("shunt_resistor"), *sorted(folder.glob("shunt[0-9]_resistor"))]
    ]


def _finding(folder: Path, file: Path) -> Finding:
    chip, value = _power_sensors.name(folder), _kernel_files.number(file)
    where = f"{chip} ({folder.name}/{file.name})"
    if value is None or value <= 0:
        found = f"The shunt resistor of {where} cannot be read."
        return Finding(check="shunt", ok=False, found=found, fix=_fix(file))
    found = f"Linux assumes a shunt of {value / 1000:g} milliohms for {where}; a wrong value scales"
    found += " every reading."
    # Where the device tree states the value, it is not the driver's guess.
    stated = any((folder / "device/of_node").glob("**/shunt-resistor*"))
    if value != _ASSUMED_UOHM or stated:
        return Finding(check="shunt", ok=True, found=found)
    return Finding(
        check="shunt",
        ok=False,
        found=f"{found} It is the driver's default, and most breakout boards have 100 milliohms "
        "(marked R100).",
        fix=_fix(file),
    )


def _fix(file: Path) -> str:
    return f"Read the marking of the resistor, then: echo {_USUAL_UOHM} | sudo tee {file}"
