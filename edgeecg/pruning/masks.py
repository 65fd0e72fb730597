"""Unstructured pruning: single weights set to zero and kept there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from edgeecg.errors import UsageError
from edgeecg.models import weighted_layers
from edgeecg.pruning.importance import (
    WeightImportance,
    choose_measure,
    scores,
    select_lowest,
)
from edgeecg.pruning.layer_energy import layer_energy
from edgeecg.pruning.schedule import LARGEST_SHARE, ceilings, layer_sparsity
from edgeecg.schema import CompressionConfig

Masks = dict[str, Tensor]
"""Boolean masks by parameter name; False is pruned."""


def zero_weights(
    model: nn.Module,
    config: CompressionConfig,
    t: float,
    sample_shape: tuple[int, int],
    importance: WeightImportance | None = None,
) -> float:
    """Zero the least important single weights, in place, up to the schedule's share at ``t``.

    The weights of every layer that multiplies compete globally; biases and norms are left alone.
    Weights that an earlier step has zeroed have the lowest score and stay zero.

    Args:
        model: The model to prune.
        config: Score, schedule, target and measured layer costs.
        t: Progress of the schedule, 0..1.
        sample_shape: ``(leads, samples)`` of a window, to count each layer's energy.
        importance: Measures single weights; None for their magnitude.

    Returns:
        The fraction of all prunable weights that the schedule asks to be zero at ``t``, as far as
        the layers may lose so many.

    Raises:
        EdgeECGError: The method is ``taylor`` and ``importance`` was left out; nothing was zeroed.
    """
    squared = choose_measure(config, importance)(model)
    layers = weighted_layers(model, sample_shape)
    weights = [[model.get_parameter(name) for name in names] for _, names in layers]
    sizes = [sum(weight.numel() for weight in layer) for layer in weights]
    limits, count = _zeroed(config, sizes, t)
    energies = [layer_energy(cost, config.costs) for cost, _ in layers]
    # The tensors of an LSTM are one layer: they share its mean magnitude and its ceiling.
    magnitudes = [
        torch.cat([squared[name].sqrt().flatten() for name in names]) for _, names in layers
    ]
    ranked = scores(magnitudes, energies, config)
    for values, magnitude in zip(ranked, magnitudes, strict=True):
        values[magnitude == 0] = -1.0
    with torch.no_grad():
        for layer, chosen in zip(weights, select_lowest(ranked, limits, count), strict=True):
            _zero(layer, chosen)
    return count / sum(sizes)


def check_sparsity(
    model: nn.Module, config: CompressionConfig, sample_shape: tuple[int, int]
) -> None:
    """Refuse a sparsity that the layers together do not reach.

    Args:
        model: The dense model.
        config: Sparsity and schedule.
        sample_shape: ``(leads, samples)`` of a window.

    Raises:
        UsageError: It is out of reach; names the largest that is reachable.
    """
    layers = weighted_layers(model, sample_shape)
    sizes = [sum(model.get_parameter(name).numel() for name in names) for _, names in layers]

    def reached(sparsity: float) -> bool:
        _, count = _zeroed(config.model_copy(update={"sparsity": sparsity}), sizes, 1.0)
        # The limit of each layer is rounded down.
        return count + len(sizes) >= sparsity * sum(sizes)

    if reached(config.sparsity):
        return
    lower = (thousandths / 1000 for thousandths in range(int(1000 * config.sparsity), 0, -1))
    raise UsageError(
        f"The sparsity {config.sparsity:g} is out of reach with '--structure none'.",
        f"At most {100 * LARGEST_SHARE:g} % of the weights of a layer are set to zero, so that no "
        "layer is removed.",
        f"Give --sparsity {next(filter(reached, lower)):g} or less.",
    )


def _zeroed(config: CompressionConfig, sizes: Sequence[int], t: float) -> tuple[list[int], int]:
    """Return how many weights each layer may lose at ``t``, and how many all lose together."""
    shares = layer_sparsity(config.sparsity, config.beta, config.depth_ratio, sizes, t)
    limits = [int(c * size) for c, size in zip(ceilings(shares), sizes, strict=True)]
    count = round(sum(share * size for share, size in zip(shares, sizes, strict=True)))
    return limits, min(count, sum(limits))


def _zero(weights: list[nn.Parameter], chosen: Tensor) -> None:
    """Zero elements by their index in the concatenated weights."""
    sizes = [weight.numel() for weight in weights]
    kept = torch.ones(sum(sizes), dtype=torch.bool, device=chosen.device)
    kept[chosen] = False
    for weight, part in zip(weights, kept.split(sizes), strict=True):
        weight.mul_(part.view_as(weight))


def nonzero_masks(model: nn.Module, sample_shape: tuple[int, int]) -> Masks:
    """Return which weights of all layers are not exactly 0.

    Args:
        model: The model.
        sample_shape: ``(leads, samples)`` of a window.
    """
    return {
        name: model.get_parameter(name).detach() != 0
        for _, names in weighted_layers(model, sample_shape)
        for name in names
    }


def apply_masks(model: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Set every masked weight back to zero, in place; called after each optimiser step."""
    with torch.no_grad():
        for name, mask in masks.items():
            weight = model.get_parameter(name)
            weight.mul_(mask.to(weight.device))
