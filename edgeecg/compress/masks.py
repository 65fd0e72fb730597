"""Unstructured pruning: single weights set to zero and kept there."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from edgeecg.compress.importance import lowest, scores
from edgeecg.compress.schedule import ceilings, layer_sparsity
from edgeecg.energy.proxy import layer_energy
from edgeecg.models.costs import layer_costs
from edgeecg.schema import CompressionConfig, ProxyCoefficients

Masks = dict[str, Tensor]
"""Boolean masks by parameter name; False is pruned."""


def zero_weights(
    model: nn.Module, config: CompressionConfig, t: float, sample_shape: tuple[int, int]
) -> float:
    """Zero the least important single weights, in place, up to the schedule's share at ``t``.

    Weights of every convolution and linear layer compete globally; biases and batch norms stay.
    What an earlier step has zeroed scores lowest and stays zero.

    Args:
        model: The model to prune.
        config: Score, schedule and target.
        t: Progress of the schedule, 0..1.
        sample_shape: ``(leads, samples)`` of a window, to count each layer's energy.

    Returns:
        What the schedule asked for: the fraction of all prunable weights to be zero at ``t``.
    """
    costs = layer_costs(model, sample_shape)
    weights = [model.get_parameter(f"{cost.name}.weight") for cost in costs]
    sizes = [weight.numel() for weight in weights]
    shares = layer_sparsity(config.sparsity, config.beta, config.depth_ratio, sizes, t)
    limits = [int(c * size) for c, size in zip(ceilings(shares), sizes, strict=True)]
    count = round(sum(share * size for share, size in zip(shares, sizes, strict=True)))
    energies = [layer_energy(cost, ProxyCoefficients()) for cost in costs]
    magnitudes = [weight.detach().abs().flatten() for weight in weights]
    ranked = scores(magnitudes, energies, config)
    for values, magnitude in zip(ranked, magnitudes, strict=True):
        values[magnitude == 0] = -1.0
    with torch.no_grad():
        for weight, chosen in zip(weights, lowest(ranked, limits, count), strict=True):
            weight.view(-1)[chosen] = 0.0
    return count / sum(sizes)


def masks(model: nn.Module) -> Masks:
    """Return which weights of the convolutions and linear layers are alive (not exactly zero)."""
    return {
        f"{name}.weight": module.weight.detach() != 0
        for name, module in model.named_modules()
        if isinstance(module, (nn.Conv1d, nn.Linear))
    }


def apply(model: nn.Module, alive: Mapping[str, Tensor]) -> None:
    """Set every masked weight back to zero, in place; called after each optimiser step."""
    with torch.no_grad():
        for name, mask in alive.items():
            model.get_parameter(name).mul_(mask)
