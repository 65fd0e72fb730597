"""Counting the layer costs of an exported file, whatever its format."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Protocol, cast

from edgeecg import costs
from edgeecg.costs.input_shapes import Shapes
from edgeecg.errors import UsageError
from edgeecg.schema import LayerCost

_PREFIX = "count_"


class _Counter(Protocol):
    """What a module ``count_FORMAT.py`` contains; FORMAT is the suffix of the files it counts."""

    def count(self, path: Path, shapes: Shapes | None) -> tuple[LayerCost, ...]: ...


def formats() -> list[str]:
    """Return the formats that can be counted, in alphabetical order."""
    names = [module.name for module in pkgutil.iter_modules(costs.__path__)]
    return sorted(name.removeprefix(_PREFIX) for name in names if name.startswith(_PREFIX))


def count(path: Path, shapes: Shapes | None = None) -> tuple[LayerCost, ...]:
    """Count the layers of an exported file from the file itself.

    Args:
        path: A ``.tflite`` or ``.onnx`` file.
        shapes: Shapes of its inputs; None when they are fixed except for the batch.

    Returns:
        Costs in order of execution.

    Raises:
        UsageError: No counter reads files of this suffix.
        ArtifactError: The file is corrupt or foreign.
        UncountableError: The file is sound, but its MACs cannot be counted.
        MissingDependencyError: The format's own package is not installed.
    """
    kind = path.suffix.removeprefix(".")
    if kind not in formats():
        raise UsageError(
            f"{path} cannot be counted.",
            f"Its suffix is '{path.suffix}'; the formats that can be counted are "
            f"{', '.join('.' + name for name in formats())}.",
            "Give an exported model file.",
        )
    module = cast(_Counter, importlib.import_module(f"{costs.__name__}.{_PREFIX}{kind}"))
    return module.count(path, shapes)
