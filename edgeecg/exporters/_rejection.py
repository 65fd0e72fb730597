"""What is left of a file that misses a limit: the reason, and the layers that cause it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from edgeecg.errors import EdgeECGError
from edgeecg.evaluation.inference import predict
from edgeecg.files import write_text
from edgeecg.quantization.fake_quantized import prepare
from edgeecg.schema import ExportRecipe, Rejection

SUFFIX = ".rejected"
_WINDOWS = 64
_SHOWN = 3


def reject(path: Path, rejection: Rejection, earlier: Sequence[Path] = ()) -> None:
    """Write why a file was not written, and remove the one that was written before.

    Args:
        path: Where to write the reason.
        rejection: The reason.
        earlier: The manifest, the file and what belongs to it, from an earlier export; removed in
            this order, so that no manifest is without its file.

    Raises:
        EdgeECGError: The disk is full or not writable.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, rejection.to_json())
    for each in earlier:
        each.unlink(missing_ok=True)


def differences(
    model: nn.Module,
    recipe: ExportRecipe,
    calibration: NDArray[np.float32],
    windows: NDArray[np.float32],
) -> dict[str, float]:
    """Return how much each layer alone in int8 changes the logits, largest first.

    Args:
        model: In evaluation mode.
        recipe: The target; nothing is computed for targets without int8 activations.
        calibration: Training windows.
        windows: Windows ``(n, leads, samples)`` on which the logits are compared; the first 64.

    Returns:
        Largest absolute difference of a logit by layer; empty where it cannot be computed.
    """
    if recipe.dtype != "int8" or recipe.activation_dtype not in (None, "int8"):
        return {}
    x = windows[:_WINDOWS]
    try:
        rounded = prepare(model, recipe, (x.shape[1], x.shape[2]))
        rounded.calibrate(calibration)
        reference = predict(model, x)
        found: dict[str, float] = {}
        for name in rounded.layers:
            rounded.quantize_only(name)
            found[name] = float(np.abs(predict(rounded.module, x) - reference).max())
    except EdgeECGError:
        # The module cannot be traced, or has layers whose rounding is not simulated.
        return {}
    return dict(sorted(found.items(), key=lambda each: -each[1]))


def where_it_starts(found: dict[str, float]) -> str:
    """Return the layers that change the logits most as a sentence; empty for none."""
    listed = ", ".join(f"{name} ({value:.3g})" for name, value in list(found.items())[:_SHOWN])
    return f" Alone in int8, these layers change a logit most: {listed}." if listed else ""
