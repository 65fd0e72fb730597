"""What ``edgeecg doctor`` looks at: one module per check, named after it.

A module has a function ``check(host)``, which returns what it found: one :class:`Finding`, several,
or none where the check does not apply to this machine. Other packages add checks through entry
points in the group ``edgeecg.devices.checks``, see :mod:`edgeecg.plugins`.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol

from edgeecg.devices import cpu, detection
from edgeecg.errors import UsageError
from edgeecg.schema import DeviceProfile, DeviceState, Finding


@dataclass(frozen=True)
class CheckedHost:
    """The machine that is looked at.

    Attributes:
        root: Root of its file system.
        machine: ``platform.machine()``.
        system: ``platform.system()``.
        bits: Width of this Python.
        python: Version of this Python, e.g. ``(3, 11)``.
    """

    root: Path = Path("/")
    machine: str = field(default_factory=platform.machine)
    system: str = field(default_factory=platform.system)
    bits: Literal[32, 64] = field(default_factory=detection.userland_bits)
    python: tuple[int, int] = (sys.version_info.major, sys.version_info.minor)

    @cached_property
    def profile(self) -> DeviceProfile | None:
        """The device profile, or None on an unknown machine."""
        try:
            return detection.detect(self.root, self.machine, self.system)
        except UsageError:
            return None

    @cached_property
    def board(self) -> str | None:
        """Name of the board, or None."""
        return detection.board_model(self.root)

    @cached_property
    def state(self) -> DeviceState:
        """Governor, temperature, throttling, swap and load now."""
        return detection.state(None, self.root)

    @cached_property
    def cpu_features(self) -> tuple[str, ...] | None:
        """Vector extensions of the processor, or None if they are unknown."""
        return cpu.extensions(self.root)

    @property
    def raspberry_pi(self) -> bool:
        """Whether it is a Raspberry Pi."""
        return "Raspberry Pi" in (self.board or "")

    def path(self, name: str) -> Path:
        """Return a path below the root.

        Args:
            name: Path without a leading slash.
        """
        return self.root / name


class CheckModule(Protocol):
    """What a module ``checks/NAME.py`` contains."""

    def check(self, host: CheckedHost) -> Sequence[Finding]:
        """Look at the machine and return what was found; nothing where the check does not apply."""
        ...
