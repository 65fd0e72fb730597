"""Which layers lose accuracy in int8: each is quantised alone and scored on validation windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace

from edgeecg.data import Dataset, Windows
from edgeecg.evaluation.inference import evaluate
from edgeecg.progress import ProgressCallback
from edgeecg.quantization.fake_quantized import FakeQuantized

THRESHOLD = 0.005
"""A layer that alone lowers the score by more than this may stay in float32."""

_MAX_SHARE = 0.25
_WINDOWS = 4096


def thinned(dataset: Dataset) -> Dataset:
    """Return a data set with few enough validation windows to score it once for every layer.

    Every n-th window is taken, so that classes and records keep their shares.
    """
    part = slice(None, None, -(-len(dataset.val.y) // _WINDOWS))
    windows = {field.name: getattr(dataset.val, field.name)[part] for field in fields(Windows)}
    return replace(dataset, val=Windows(**windows), outside={})


def score_losses(
    model: FakeQuantized, dataset: Dataset, float32: float, progress: ProgressCallback | None = None
) -> dict[str, float]:
    """Return by how much each layer lowers the score when it alone is in int8.

    Args:
        model: The calibrated fake-quantised model.
        dataset: Only ``val`` is used.
        float32: The headline score of the model in float32 on the same windows.
        progress: Called after every layer.

    Returns:
        Loss by layer; negative where the score rises.
    """
    lost: dict[str, float] = {}
    for number, name in enumerate(model.layers):
        model.quantize_only(name)
        lost[name] = float32 - evaluate(model.module, dataset, "val").headline[1]
        if progress is not None:
            progress("layers in int8, one at a time", number + 1, len(model.layers))
    model.quantize_only(None)
    return lost


def max_float_layers(layers: int) -> int:
    """Return how many layers of this number may stay in float32: a quarter, and at least one."""
    return max(1, int(_MAX_SHARE * layers))


def layers_to_keep(lost: Mapping[str, float]) -> tuple[str, ...]:
    """Return the layers that are to stay in float32, in the order of the model.

    These are the layers that lose more than :data:`THRESHOLD`, at most :func:`max_float_layers` of
    them, those with the largest loss first; of two with the same loss, the earlier one.
    """
    candidates = [name for name, value in lost.items() if value > THRESHOLD]
    worst = sorted(candidates, key=lambda name: -lost[name])[: max_float_layers(len(lost))]
    return tuple(name for name in lost if name in worst)
