"""Windows that are changed more than in training, on which one model learns from another.

A model that learns from another one's answers needs no labels, so windows may be changed until they
are like those of no training patient. Then it is fitted to the other model as a function, not on
the training patients alone (Beyer et al. 2022, arXiv:2106.05237, who call it function matching).
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator

from torch import nn

from edgeecg.schema import Augmentation, TrainingConfig

WIDE = Augmentation(
    shift=8,
    stretch=0.2,
    warp=0.3,
    colour=0.4,
    wander=0.6,
    noise=0.4,
    rhythm_jitter=0.5,
    rhythm_gain=0.5,
)
"""How wide windows are changed at least.

``benchmarks/experiments/rare_beats.toml`` compares these sizes with others.
"""

_MIXUP = 1.0
"""With it the share of the other window is uniform between 0 and 1."""


def widened(sizes: Augmentation) -> Augmentation:
    """Return the larger of each size and that of :data:`WIDE`."""
    least = WIDE.model_dump()
    larger = {name: max(value, least[name]) for name, value in sizes.model_dump().items()}
    return Augmentation(**larger)


def on_wide_windows(config: TrainingConfig) -> TrainingConfig:
    """Return a configuration whose windows are wide and mixed in pairs."""
    sizes = widened(config.augmentation)
    return config.model_copy(update={"augmentation": sizes, "mixup": _MIXUP})


@contextlib.contextmanager
def without_dropout(model: nn.Module) -> Generator[None]:
    """Switch the dropout of a model off: it would add noise to what is compared with the other.

    Args:
        model: Its probabilities are as before at the end.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Dropout)]
    kept = [layer.p for layer in layers]
    for layer in layers:
        layer.p = 0.0
    try:
        yield
    finally:
        for layer, probability in zip(layers, kept, strict=True):
            layer.p = probability
