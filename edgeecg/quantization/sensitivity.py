"""Which layers int8 hurts: each is rounded alone, and scored on validation windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace

from edgeecg.data import Dataset, Windows
from edgeecg.evaluation.inference import evaluate
from edgeecg.quantization.fake_quantized import FakeQuantized
from edgeecg.training.loop import Progress

THRESHOLD = 0.005
"""A layer that alone costs more of the score than this may stay in float32."""

_MOST = 0.25
_WINDOWS = 4096


def looked_at(dataset: Dataset) -> Dataset:
    """Return a dataset with few enough validation windows to be scored once for every layer.

    They are thinned evenly, so that the classes and records keep their shares.
    """
    part = slice(None, None, -(-len(dataset.val.y) // _WINDOWS))
    thinned = {field.name: getattr(dataset.val, field.name)[part] for field in fields(Windows)}
    return replace(dataset, val=Windows(**thinned), outside={})


def losses(
    twin: FakeQuantized, dataset: Dataset, float32: float, progress: Progress | None = None
) -> dict[str, float]:
    """Return what each layer loses of the score when it alone is in int8; negative is a gain.

    Args:
        twin: Calibrated.
        dataset: Of it ``val`` alone is looked at.
        float32: The headline score of the model in float32 on the same windows.
        progress: Called after every layer.
    """
    lost: dict[str, float] = {}
    for number, name in enumerate(twin.layers):
        twin.only(name)
        lost[name] = float32 - evaluate(twin.module, dataset, "val").headline[1]
        if progress is not None:
            progress("layers in int8, one at a time", number + 1, len(twin.layers))
    twin.only(None)
    return lost


def most(layers: int) -> int:
    """Return how many of so many layers may stay in float32: a quarter, and at least one."""
    return max(1, int(_MOST * layers))


def suffering(lost: Mapping[str, float]) -> tuple[str, ...]:
    """Return the layers that are to stay in float32, in the order of the model.

    Those that lose more than :data:`THRESHOLD`, and of them the :func:`most` that lose most; of two
    that lose the same, the earlier one.
    """
    candidates = [name for name, value in lost.items() if value > THRESHOLD]
    worst = sorted(candidates, key=lambda name: -lost[name])[: most(len(lost))]
    return tuple(name for name in lost if name in worst)
