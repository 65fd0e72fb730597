"""What every result says of where it was made."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import torch

from edgeecg.devices import cpu
from edgeecg.runs import git_revision


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


def provenance(packages: Iterable[str] = ("numpy",)) -> dict[str, Any]:
    """Return what a row of a result says of the process that measured it.

    Args:
        packages: Packages whose versions matter.
    """
    return {
        "created_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "git_revision": git_revision(),
        "machine": machine(),
        "cpu": cpu.name(),
        "cpu_features": cpu.extensions(),
        "load": os.getloadavg()[0],
        "versions": versions(packages),
    }
