"""Which cores can be emulated."""

from __future__ import annotations

from dataclasses import dataclass

from edgeecg.errors import UnknownNameError

PREFIX = "emulated:"
"""Names of emulated devices start with it: ``emulated:cortex-a72``."""


@dataclass(frozen=True)
class Core:
    """A core that QEMU can emulate.

    Attributes:
        name: QEMU's name of the core.
        title: Name for people.
        board: The board that has such cores.
    """

    name: str
    title: str
    board: str

    @property
    def device(self) -> str:
        """Name of the emulated device, as ``--device`` takes it."""
        return PREFIX + self.name


CORES = (
    Core("cortex-a72", "Cortex-A72", "Raspberry Pi 4"),
    Core("cortex-a76", "Cortex-A76", "Raspberry Pi 5"),
)


def is_emulated(device: str | None) -> bool:
    """Return whether a device name asks for an emulated core."""
    return device is not None and device.startswith(PREFIX)


def named(device: str) -> Core:
    """Return the core of an emulated device.

    Args:
        device: Its name, e.g. ``"emulated:cortex-a72"``.

    Raises:
        UnknownNameError: There is no such emulated device.
    """
    for core in CORES:
        if core.device == device:
            return core
    raise UnknownNameError("emulated device", device, [core.device for core in CORES])
