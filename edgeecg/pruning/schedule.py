"""The dynamic sparsity schedule: how much of each layer is removed after each step."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgeecg.schema import CompressionConfig

_CEILING = 1.3
_NEARLY_LINEAR = 1e-6

LARGEST_SHARE = 0.95
"""The largest part of a layer that is removed."""


def scheduled(config: CompressionConfig) -> CompressionConfig:
    """Return a configuration whose beta and depth ratio are those of its schedule.

    S (1 - exp(-beta t)) / (1 - exp(-beta)) tends to S t as beta goes to 0, so that the uniform
    schedule is the exponential one with a tiny beta that is the same at every depth.
    """
    if config.schedule == "exponential":
        return config
    return config.model_copy(update={"beta": _NEARLY_LINEAR, "depth_ratio": 1.0})


def layer_sparsity(
    sparsity: float, beta: float, depth_ratio: float, sizes: Sequence[int], t: float
) -> tuple[float, ...]:
    """Return s_l(t) = S (1 - exp(-beta_l t)) for every layer (the reference study's schedule).

    beta_l grows linearly with depth, from ``beta * depth_ratio`` at the first layer to ``beta`` at
    the last: shallow layers, which process the raw beat, are pruned later. S is set so that at t =
    1 the size-weighted mean over the layers is exactly ``sparsity``.

    Args:
        sparsity: Wanted fraction at t = 1 over all layers, 0..1.
        beta: Steepness for the deepest layer, above 0.
        depth_ratio: Steepness of the shallowest layer relative to the deepest, 0..1.
        sizes: Weights in each layer, in order of depth.
        t: Progress from 0 (dense) to 1 (last step).

    Returns:
        One fraction 0..1 per layer, increasing with t.
    """
    last = max(len(sizes) - 1, 1)
    betas = [beta * (depth_ratio + (1 - depth_ratio) * i / last) for i in range(len(sizes))]
    final = [1 - math.exp(-b) for b in betas]
    mean = sum(f * size for f, size in zip(final, sizes, strict=True)) / sum(sizes)
    return tuple(min(1.0, sparsity / mean * (1 - math.exp(-b * t))) for b in betas)


def ceilings(shares: Sequence[float]) -> tuple[float, ...]:
    """Return the most that each layer may lose, given its scheduled share.

    The schedule fixes the total and bounds each layer; within these bounds the importance scores
    decide what is removed. A layer may lose 1.3 times its scheduled share and never more than 95 %
    of its weights, so that no layer is removed completely.

    Args:
        shares: s_l(t) of every layer, 0..1.

    Returns:
        One fraction 0..0.95 per layer.
    """
    return tuple(min(LARGEST_SHARE, _CEILING * share) for share in shares)
