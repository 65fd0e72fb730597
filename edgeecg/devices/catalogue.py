"""Which device profiles there are."""

from __future__ import annotations

from edgeecg import resources
from edgeecg.devices import detection
from edgeecg.errors import PluginError, SchemaError, UsageError
from edgeecg.schema import Value


class Device(Value):
    """One line of ``edgeecg devices``.

    Attributes:
        name: Name of the profile.
        title: Name for people.
        here: Whether it is this machine.
        meters: Energy meters that are tried there, best first.
        reason: Why the profile cannot be used, or None.
    """

    name: str
    title: str
    here: bool
    meters: tuple[str, ...]
    reason: str | None = None


def catalogue() -> list[Device]:
    """Return every device profile, and which of them is this machine."""
    try:
        here = detection.detect().name
    except UsageError:
        here = None
    rows: list[Device] = []
    for name in resources.device_names():
        try:
            profile = resources.load_device(name)
        except (PluginError, SchemaError) as error:
            rows.append(Device(name=name, title=name, here=False, meters=(), reason=str(error)))
            continue
        rows.append(
            Device(name=name, title=profile.title, here=name == here, meters=profile.meters)
        )
    return rows
