"""Whether one of the device's energy meters works."""

from __future__ import annotations

from edgeecg import meters
from edgeecg.devices.checks import CheckedHost
from edgeecg.errors import EdgeECGError
from edgeecg.schema import Finding


def check(host: CheckedHost) -> list[Finding]:
    """Open the meters that ``edgeecg bench`` tries, in their order, until one works."""
    if host.profile is None:
        return []
    reasons: list[str] = []
    advice: list[str] = []
    for name in meters.candidates(host.profile):
        try:
            meter = meters.open_meter(name)
        except EdgeECGError as error:
            reasons.append(f"{name}: {error.what} {error.why}")
            advice.append(f"{name}: {error.todo}")
            continue
        zones = ", ".join(meter.zones)
        meter.close()
        found = f"The meter {name} works, for: {zones}."
        return [Finding(check="energy", ok=True, found=found)]
    found = "No energy meter works here, so that energy is not measured. " + " ".join(
        reasons or [host.profile.no_meter]
    )
    if host.profile.to_buy:
        advice.append(f"What to buy: {host.profile.to_buy}")
    fix = " ".join(advice or [host.profile.no_meter])
    return [Finding(check="energy", ok=False, found=found, fix=fix)]
