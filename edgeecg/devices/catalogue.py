"""Which device profiles there are."""

from __future__ import annotations

import psutil

from edgeecg import resources
from edgeecg.devices import cpu, detection
from edgeecg.errors import PluginError, SchemaError, UsageError
from edgeecg.schema import DeviceProfile, Value


class Device(Value):
    """One line of ``edgeecg devices``.

    Attributes:
        name: Name of the profile.
        title: Name for people.
        here: Whether it is this machine.
        meters: Energy meters that are tried there, best first.
        reason: Why the profile cannot be used, or None.
        external_meters: Meters that can measure in its supply, best first.
        core: Name of its processor cores, or None.
        cores: Number of cores: of this machine as it is, of others as published; None if unknown.
        memory_bytes: Memory of this machine, or the sizes that the board is sold with.
        to_buy: What to buy to measure its energy.
    """

    name: str
    title: str
    here: bool
    meters: tuple[str, ...]
    reason: str | None = None
    external_meters: tuple[str, ...] = ()
    core: str | None = None
    cores: int | None = None
    memory_bytes: tuple[int, ...] = ()
    to_buy: str = ""


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
        rows.append(_row(profile, here=name == here))
    return rows


def _row(profile: DeviceProfile, here: bool) -> Device:
    processor = profile.processor
    row = Device(
        name=profile.name,
        title=profile.title,
        here=here,
        meters=profile.meters,
        external_meters=profile.external_meters,
        core=processor.core if processor else None,
        cores=processor.count if processor else None,
        memory_bytes=profile.memory_bytes,
        to_buy=profile.to_buy,
    )
    if not here:
        return row
    found: dict[str, object] = {
        "cores": psutil.cpu_count(logical=True) or row.cores,
        "memory_bytes": (psutil.virtual_memory().total,),
    }
    name = cpu.name()
    found["core"] = cpu.core() or name or row.core
    return row.model_copy(update=found)
