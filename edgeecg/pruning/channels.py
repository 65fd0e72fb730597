"""Structured pruning: whole units are removed, so that the model becomes physically smaller.

Channels, LSTM units, attention heads, dimensions of heads and blocks compete in one ranking. What
must be removed together, and how it is removed, is described in ``groups.py``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edgeecg.models import Architecture, SelfAttention, layer_costs, parameters
from edgeecg.pruning import attention_heads, blocks
from edgeecg.pruning.coupling import Coupling
from edgeecg.pruning.groups import Group, Kind, Removal, remove
from edgeecg.pruning.importance import (
    WeightImportance,
    choose_measure,
    part_importance,
    scores,
    scores_per_cost,
    select_lowest,
)
from edgeecg.pruning.layer_energy import layer_energy, model_energy
from edgeecg.pruning.schedule import ceilings, layer_sparsity
from edgeecg.schema import CompressionConfig, LayerCost, MeasuredCosts


def find_groups(
    model: nn.Module, architecture: Architecture, whole_blocks: bool = False
) -> list[Group]:
    """Find everything that can be removed, in the order in which it is computed, blocks last.

    Args:
        model: The model, on the CPU.
        architecture: Its architecture: input shape, fixed layers and blocks.
        whole_blocks: Whether whole blocks may be removed, too.

    Raises:
        EdgeECGError: Channels are connected to a layer that cannot be pruned.
    """
    coupling = Coupling(model, architecture)
    groups: list[Group] = []
    seen = set(architecture.FIXED)
    inner = _layers_of_attention(model)
    for cost in layer_costs(model, architecture.INPUT_SHAPE):
        layer = model.get_submodule(cost.name)
        output = cost.name
        if isinstance(layer, SelfAttention):
            groups += attention_heads.find_groups(model, cost.name, layer)
            output = f"{cost.name}.output"
        if cost.name not in inner and output not in seen:
            groups.append(coupling.group(cost.name))
            seen.update(groups[-1].producers)
    return groups + (blocks.find_groups(model, architecture) if whole_blocks else [])


def prune_channels(
    model: nn.Module,
    dense: nn.Module,
    architecture: Architecture,
    config: CompressionConfig,
    t: float,
    small_enough: Callable[[nn.Module], bool] | None = None,
    importance: WeightImportance | None = None,
) -> float:
    """Remove the least important units, in place, up to the schedule's share of the parameters.

    Removing a fraction c of every layer's units removes about 1 - (1 - c)^2 of its weights, since
    the number of its inputs decreases too; the ceiling of a layer is computed from that. The number
    of units that reaches the total is found by bisection on copies of the model.

    With a budget (``small_enough``), units are ranked within these ceilings by their importance per
    cost saved; the methods ``l1`` and ``random`` do not change.

    Args:
        model: The model to prune, on the CPU.
        dense: The model before any pruning; all shares are relative to it.
        architecture: Its architecture: input shape, fixed layers and blocks.
        config: Score, schedule, target, rounding and measured layer costs.
        t: Progress of the schedule, 0..1.
        small_enough: Whether a pruned model is small enough; None for the schedule's share of the
            parameters.
        importance: Measures single weights; None for their magnitude.

    Returns:
        The fraction of all prunable weights that the schedule asks to be removed at ``t``.

    Raises:
        EdgeECGError: Channels are connected to a layer that cannot be pruned, or the method is
            ``taylor`` and ``importance`` was left out; nothing was removed.
    """
    whole_blocks = config.structure == "blocks"
    single = choose_measure(config, importance)(model)
    groups = find_groups(model, architecture, whole_blocks)
    before = find_groups(dense, architecture, whole_blocks)
    sizes = [group.weights for group in before]
    shares = layer_sparsity(config.sparsity, config.beta, config.depth_ratio, sizes, t)
    removed = sum(share * size for share, size in zip(shares, sizes, strict=True))
    most = ceilings([1 - (1 - share) ** 0.5 for share in shares])
    by_cost = small_enough is not None
    ranking = _rank(model, groups, single, architecture, config, by_cost)
    wanted = parameters(dense) - removed
    _remove_lowest(
        model,
        ranking,
        _limits(groups, before, most),
        config.round_to,
        small_enough or (lambda pruned: parameters(pruned) <= wanted),
    )
    return removed / sum(sizes)


@dataclass(frozen=True)
class _Ranked:
    """All units of one group, the least important first.

    Attributes:
        group: The group.
        parts: The numbers of each unit's parts, ``(size, lanes)``.
        scores: Of each unit, ``(size,)``; comparable between groups, the lowest are removed first.
    """

    group: Group
    parts: Tensor
    scores: Tensor


def _rank(
    model: nn.Module,
    groups: Sequence[Group],
    single: Mapping[str, Tensor],
    architecture: Architecture,
    config: CompressionConfig,
    by_cost: bool,
) -> list[_Ranked]:
    """Score the units of all groups.

    Args:
        model: The model that the groups were found in.
        groups: What can be removed.
        single: Squared importance of the single weights.
        architecture: Input shape of the model.
        config: Score and measured layer costs.
        by_cost: Score by importance per cost saved, where the method considers costs.
    """
    units = [group.units(part_importance(group, single, config)) for group in groups]
    importance = [values for values, _ in units]
    if by_cost and config.method in ("energy", "taylor"):
        saved = _saved(model, groups, [parts for _, parts in units], architecture, config.costs)
        ranked = scores_per_cost(importance, saved)
    else:
        costs = layer_costs(model, architecture.INPUT_SHAPE)
        energies = [_energy(group, costs, config.costs) for group in groups]
        ranked = scores([values.sqrt() for values in importance], energies, config)
    return [
        _Ranked(group, parts, values)
        for group, (_, parts), values in zip(groups, units, ranked, strict=True)
    ]


def _remove_lowest(
    model: nn.Module,
    ranking: Sequence[_Ranked],
    limits: Sequence[int],
    round_to: int,
    small_enough: Callable[[nn.Module], bool],
) -> None:
    """Remove, in place, the fewest units, lowest scores first, that make the model small enough.

    When no number is enough, all that the limits allow are removed.

    Args:
        model: The model that the groups were found in.
        ranking: All units by group.
        limits: Number of units that each group may lose.
        round_to: The remaining numbers are multiples of this, unless a group has its own multiple.
        small_enough: Whether a pruned model is small enough.
    """

    def removals(count: int) -> list[Removal]:
        chosen = select_lowest([each.scores for each in ranking], limits, count)
        return [
            (
                each.group,
                each.parts[_rounded(units, each.scores, each.group.multiple or round_to)].flatten(),
            )
            for each, units in zip(ranking, chosen, strict=True)
        ]

    def enough(count: int) -> bool:
        trial = copy.deepcopy(model)
        remove(trial, removals(count))
        return small_enough(trial)

    low, high = 0, sum(limits)
    while low < high:
        middle = (low + high) // 2
        if enough(middle):
            high = middle
        else:
            low = middle + 1
    remove(model, removals(low))


def _limits(groups: Sequence[Group], before: Sequence[Group], most: Sequence[float]) -> list[int]:
    """Return how many units each group may still lose.

    Args:
        groups: The groups of the model as it is. Those inside a removed block are missing.
        before: The groups of the dense model.
        most: The share of each dense group that may be removed.
    """
    allowed: dict[tuple[Kind, str], int] = {
        first.key: int(part * first.size) - first.size
        for part, first in zip(most, before, strict=True)
    }
    return [max(0, allowed[now.key] + now.size) for now in groups]


def _energy(group: Group, costs: Sequence[LayerCost], measured: MeasuredCosts | None) -> float:
    """Return E_l of the layers of a group; for blocks, the mean of one block."""
    layers = [cost for cost in costs if cost.name in group.producers]
    energy = sum(layer_energy(cost, measured) for cost in layers)
    return energy / group.size if group.kind == "block" else energy


def _saved(
    model: nn.Module,
    groups: Sequence[Group],
    units: Sequence[Tensor],
    architecture: Architecture,
    measured: MeasuredCosts | None,
) -> list[float]:
    """Return the share of the model's cost that the least important unit of each group saves.

    Counted on a copy without the unit, since it saves cost in its own layer and in those that take
    its output.
    """

    def cost(counted: nn.Module) -> float:
        return model_energy(layer_costs(counted, architecture.INPUT_SHAPE), measured)

    whole = cost(model)
    saved: list[float] = []
    for group, parts in zip(groups, units, strict=True):
        trial = copy.deepcopy(model)
        if group.size > 1:
            remove(trial, [(group, parts[0])])
        saved.append(1 - cost(trial) / whole)
    return saved


def _layers_of_attention(model: nn.Module) -> set[str]:
    """Return the names of the layers inside attention layers."""
    return {
        f"{name}.{inner}"
        for name, layer in model.named_modules()
        if isinstance(layer, SelfAttention)
        for inner, _ in layer.named_modules()
        if inner
    }


def _rounded(chosen: Tensor, values: Tensor, multiple: int) -> Tensor:
    """Keep the best of the chosen units until the remaining number is a multiple, and not zero."""
    remaining = max(multiple, -(-(len(values) - len(chosen)) // multiple) * multiple)
    count = max(0, len(values) - remaining)
    return chosen[torch.argsort(values[chosen], stable=True)[:count]].sort().values
