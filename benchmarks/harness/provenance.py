"""What every row says of the process that measured it."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from edgeecg.devices import cpu
from edgeecg.runs import git_revision

NOT_RECORDED = "not recorded"
"""Stands in rows that were measured before a field was recorded."""

KEYS = (
    *("created_utc", "git_revision", "dirty", "machine", "cpu", "cpu_features", "load"),
    "versions",
)
"""The fields of :func:`provenance`, which every row has."""


def machine() -> str:
    """Return processor kind, number of cores and the GPU that training would have used, if any."""
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return f"{platform.machine()}, {os.cpu_count()} cores, {gpu}"


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of Python and of installed packages by name.

    Raises:
        importlib.metadata.PackageNotFoundError: One of them is not installed.
    """
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def provenance(packages: Iterable[str] = ("numpy",)) -> dict[str, Any]:
    """Return what a row says of the process that measures it.

    Args:
        packages: Packages whose versions matter.

    Returns:
        The fields of ``KEYS``: time, revision and whether the checkout had uncommitted changes,
        machine, processor, its vector extensions, load average of the last minute, versions.
    """
    revision = git_revision()
    return {
        "created_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "git_revision": revision,
        "dirty": revision is None or revision.endswith("+"),
        "machine": machine(),
        "cpu": cpu.name(),
        "cpu_features": cpu.extensions(),
        "load": os.getloadavg()[0],
        "versions": versions(packages),
    }
