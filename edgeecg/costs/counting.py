"""Counting the layer costs of an exported file, whatever its format."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Protocol, cast

from edgeecg import costs
from edgeecg.errors import UsageError
from edgeecg.schema import LayerCost

_PREFIX = "count_"


class _Counter(Protocol):
    """What ``energy/count_FORMAT.py`` offers; FORMAT is the file's suffix."""

    def count(self, path: Path) -> tuple[LayerCost, ...]: ...


def formats() -> list[str]:
    """Return the formats that can be counted, in alphabetical order."""
    names = [module.name for module in pkgutil.iter_modules(costs.__path__)]
    return sorted(name.removeprefix(_PREFIX) for name in names if name.startswith(_PREFIX))


def count(path: Path) -> tuple[LayerCost, ...]:
    """Count the layers of an exported file from the file itself.

    Args:
        path: A ``.tflite`` or ``.onnx`` file.

    Returns:
        Costs in order of execution.

    Raises:
        UsageError: No counter reads files of this suffix.
        ArtifactError: The file is corrupt or foreign.
        UncountableError: The file is sound, but its MACs cannot be known from it.
        MissingDependencyError: The format's own package is not installed.
    """
    kind = path.suffix.removeprefix(".")
    if kind not in formats():
        raise UsageError(
            f"{path} cannot be counted.",
            f"Its suffix is '{path.suffix}'; files with "
            f"{', '.join('.' + name for name in formats())} can.",
            "Give an exported model file.",
        )
    module = cast(_Counter, importlib.import_module(f"{costs.__name__}.{_PREFIX}{kind}"))
    return module.count(path)
