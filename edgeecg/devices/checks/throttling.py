"""Whether a Raspberry Pi was slowed down, and whether its supply was too weak."""

from __future__ import annotations

from edgeecg.devices.checks import CheckedHost
from edgeecg.devices.throttling import UNDERVOLTAGE
from edgeecg.schema import Finding

_COOLING = (
    "Add a heat sink or a fan, let it cool down, and restart it, which clears the record: "
    "sudo reboot"
)
_SUPPLY = (
    "Use the official power supply and a short, thick cable, remove USB devices, then clear the "
    "record: sudo reboot"
)


def check(host: CheckedHost) -> list[Finding]:
    """Read what the firmware reports now and what it has reported since boot."""
    state = host.state
    if state.throttle_now is None or state.throttle_since_boot is None:
        return [_unknown()] if host.raspberry_pi else []
    voltage = [UNDERVOLTAGE in flags for flags in (state.throttle_now, state.throttle_since_boot)]
    slow = [
        tuple(name for name in flags if name != UNDERVOLTAGE)
        for flags in (state.throttle_now, state.throttle_since_boot)
    ]
    return [
        _finding("undervoltage", "undervoltage" * voltage[0], "undervoltage" * voltage[1], _SUPPLY),
        _finding("throttling", ", ".join(slow[0]), ", ".join(slow[1]), _COOLING),
    ]


def _finding(check: str, now: str, earlier: str, fix: str) -> Finding:
    if now:
        return Finding(check=check, ok=False, found=f"The firmware reports now: {now}.", fix=fix)
    if earlier:
        found = f"The firmware has reported since boot: {earlier}. It does not now."
        return Finding(check=check, ok=False, found=found, fix=fix)
    return Finding(check=check, ok=True, found="None now, none since boot.")


def _unknown() -> Finding:
    return Finding(
        check="throttling",
        ok=False,
        found="The firmware cannot be asked: 'vcgencmd get_throttled' gives no answer.",
        fix="Install vcgencmd and allow this user to ask, then log in again: "
        "sudo apt install raspi-utils; sudo usermod -aG video $USER",
    )
