"""The files of one channel of a power monitor chip."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from edgeecg.errors import MeterError
from edgeecg.meters._hwmon_chips import Family
from edgeecg.meters._polling import ReadingError

# The drivers give whole milliamperes.
_KERNEL_STEP_A = 1e-3


@dataclass(frozen=True)
class Channel:
    """One supply that a chip measures.

    Attributes:
        chip: Name of the chip.
        folder: Its folder.
        number: Number of the channel, from 1.
        label: What the board calls it, or None.
    """

    chip: str
    folder: Path
    number: int
    label: str | None

    @property
    def zone(self) -> str:
        """What the channel covers."""
        return self.chip if self.label is None else f"{self.chip}:{self.label}"

    @property
    def where(self) -> str:
        """What names it after ``--meter hwmon:``; several chips may have one name."""
        return f"{self.folder.name}:{self.label or self.number}"

    def volts(self) -> float:
        """Return the bus voltage.

        Raises:
            ReadingError: The reading failed.
            MeterError: The chip is gone.
        """
        return _integer(self.folder / f"in{self.number}_input") * 1e-3

    def amperes(self) -> float:
        """Return the current, which is negative when power flows back.

        Raises:
            ReadingError: The reading failed.
            MeterError: The chip is gone.
        """
        return _integer(self.folder / f"curr{self.number}_input") * 1e-3

    def chip_watts(self) -> float | None:
        """Return the power that the chip computes, without sign, or None if it computes none.

        Raises:
            ReadingError: The reading failed.
        """
        path = self.folder / f"power{self.number}_input"
        return _integer(path) * 1e-6 if path.exists() else None

    def shunt_ohms(self) -> float | None:
        """Return the shunt resistor that the driver assumes, or None where it does not say."""
        for name in (f"shunt{self.number}_resistor", "shunt_resistor"):
            ohms = optional_integer(self.folder / name)
            if ohms:
                return ohms * 1e-6
        return None

    def step_amperes(self, kind: Family) -> float:
        """Return the step of the current.

        Args:
            kind: What is known of the chip.
        """
        ohms = self.shunt_ohms()
        step = kind.step_amperes if ohms is None else kind.shunt_step_volts / ohms
        return max(step, _KERNEL_STEP_A)

    def max_watts(self, kind: Family) -> float:
        """Return the largest power that the channel can measure.

        Args:
            kind: What is known of the chip.
        """
        ohms = self.shunt_ohms()
        return kind.max_volts * (kind.max_amperes if ohms is None else kind.max_shunt_volts / ohms)


def _integer(path: Path) -> int:
    try:
        # One system call each: a Path would cost several times as much, a hundred times a second.
        file = os.open(path, os.O_RDONLY)
        try:
            text = os.read(file, 64)
        finally:
            os.close(file)
    except FileNotFoundError as error:
        raise MeterError(
            "The power monitor chip is gone.",
            f"'{path}' does not exist any more.",
            "Check its wiring and that its driver is loaded, and measure again.",
        ) from error
    except OSError as error:
        raise ReadingError(f"reading '{path}' failed with '{error.strerror}'") from error
    try:
        return int(text)
    except ValueError as error:
        raise ReadingError(f"'{path}' should hold a number and holds {text!r}") from error


def optional_integer(path: Path) -> int | None:
    """Return the number in a file, or None where there is none.

    Args:
        path: The file.
    """
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
