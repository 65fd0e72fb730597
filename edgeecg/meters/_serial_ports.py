"""Serial ports: opening them, and what to do when that fails."""

from __future__ import annotations

import importlib
from typing import Any

from edgeecg.errors import MeterError, MissingDependencyError


def pyserial(extra: str, meter: str) -> Any:
    """Import pyserial.

    Args:
        extra: The extra of edgeecg that brings it.
        meter: The meter that needs it.

    Raises:
        MissingDependencyError: It is not installed.
    """
    try:
        return importlib.import_module("serial")
    except ModuleNotFoundError as error:
        raise MissingDependencyError("pyserial", extra, f"the meter '{meter}'") from error


def unopened(port: str, error: Exception) -> MeterError:
    """Return the error for a port that cannot be opened.

    Args:
        port: The serial port.
        error: What the operating system or pyserial reports.
    """
    text = str(error)
    if "ermission" in text:
        todo = "Join the group 'dialout' and log in again: sudo usermod -aG dialout $USER"
    elif "lock" in text or "busy" in text:
        todo = "Close the other program that uses it, and measure again."
    else:
        todo = "Plug the meter in, and name its port, as in /dev/ttyACM0; dmesg shows which it is."
    return MeterError(
        f"The meter at the serial port '{port}' cannot be opened.",
        f"The operating system reports: {text}.",
        todo,
    )
