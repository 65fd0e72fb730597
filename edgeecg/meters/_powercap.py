"""Linux powercap folders that a container hides."""

from __future__ import annotations

from pathlib import Path

from edgeecg.errors import MeterError


def masked(root: Path) -> MeterError | None:
    """Return the error for energy counters that a container hides, or None if they are not hidden.

    Container engines mount an empty folder over ``/sys/devices/virtual/powercap`` since
    CVE-2020-8694. The links to it in ``/sys/class/powercap`` stay, and point to nothing.

    Args:
        root: The powercap folder, usually ``/sys/class/powercap``.
    """
    for link in sorted(root.glob("intel-rapl*")):
        if not link.exists():
            return MeterError(
                "The RAPL energy counters are hidden by the container.",
                f"'{link}' points to nothing: container engines mask /sys/devices/virtual/powercap "
                "since CVE-2020-8694.",
                "Measure outside of the container, or start it with: "
                "docker run --security-opt systempaths=unconfined, or "
                "podman run --security-opt unmask=/sys/devices/virtual/powercap.",
            )
    return None
