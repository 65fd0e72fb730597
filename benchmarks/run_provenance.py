"""What every result says of where it was made."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from importlib.metadata import version

import torch


def machine() -> str:
    """Return processor kind, number of cores and the GPU that training would have used, if any."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return f"{platform.machine()}, {os.cpu_count()} cores, {gpu}"


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of Python and of installed packages by name.

    Raises:
        importlib.metadata.PackageNotFoundError: One of them is not installed.
    """
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}
