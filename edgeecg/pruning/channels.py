"""Structured pruning: whole units removed, so that the model is physically smaller.

Channels, LSTM units, attention heads, dimensions of heads and blocks compete in one ranking; what
belongs together, and how it is removed, is in ``groups.py`` and the files that it names.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edgeecg.models import Architecture
from edgeecg.models._attention import SelfAttention
from edgeecg.models._counting import layer_costs, parameters
from edgeecg.pruning import attention_heads, blocks
from edgeecg.pruning.coupling import Coupling
from edgeecg.pruning.groups import Cut, Group, Kind, remove
from edgeecg.pruning.importance import WeightImportance, lowest, measure, parts, per_cost, scores
from edgeecg.pruning.layer_energy import layer_energy, model_energy
from edgeecg.pruning.schedule import ceilings, layer_sparsity
from edgeecg.schema import CompressionConfig, LayerCost, MeasuredCosts


def find_groups(
    model: nn.Module, architecture: Architecture, whole_blocks: bool = False
) -> list[Group]:
    """Find everything that can be removed, in the order in which it is computed, blocks last.

    Args:
        model: The model, on the CPU.
        architecture: Its architecture: input architecture, fixed layers and blocks.
        whole_blocks: Whether blocks may go, too.

    Raises:
        EdgeECGError: Channels reach a layer that cannot be cut.
    """
    coupling = Coupling(model, architecture)
    groups: list[Group] = []
    seen = set(architecture.FIXED)
    inner = _inside_attention(model)
    for cost in layer_costs(model, architecture.INPUT_SHAPE):
        layer = model.get_submodule(cost.name)
        output = cost.name
        if isinstance(layer, SelfAttention):
            groups += attention_heads.find(model, cost.name, layer)
            output = f"{cost.name}.output"
        if cost.name not in inner and output not in seen:
            groups.append(coupling.group(cost.name))
            seen.update(groups[-1].producers)
    return groups + (blocks.find(model, architecture) if whole_blocks else [])


def prune_channels(
    model: nn.Module,
    dense: nn.Module,
    architecture: Architecture,
    config: CompressionConfig,
    t: float,
    enough: Callable[[nn.Module], bool] | None = None,
    weight_importance: WeightImportance | None = None,
) -> float:
    """Remove the least important units, in place, up to the schedule's share of the parameters.

    Removing a fraction c of every layer's units removes about 1 - (1 - c)^2 of its weights, since
    its inputs shrink too; a layer's ceiling is set through that. The number of units that meets
    the total is found by bisection on copies of the model.

    With a budget (``enough``), what decides within these ceilings is importance per cost saved;
    ``l1`` and ``random`` stay what they are.

    Args:
        model: The model to prune, on the CPU.
        dense: The model before any pruning; all shares are counted from it.
        architecture: Its architecture: input architecture, fixed layers and blocks.
        config: Score, schedule, target, rounding and measured layer costs.
        t: Progress of the schedule, 0..1.
        enough: Whether a model that was cut is small enough; None stands for the schedule's share
            of the parameters.
        weight_importance: Measures single weights; their magnitude if left out.

    Returns:
        What the schedule asked for: the fraction of all prunable weights to be gone at ``t``.

    Raises:
        EdgeECGError: Channels reach a layer that cannot be cut, or the method is ``taylor`` and
            ``weight_importance`` was left out; nothing was removed.
    """
    whole_blocks = config.structure == "blocks"
    single = measure(config, weight_importance)(model)
    groups = find_groups(model, architecture, whole_blocks)
    before = find_groups(dense, architecture, whole_blocks)
    sizes = [group.weights for group in before]
    shares = layer_sparsity(config.sparsity, config.beta, config.depth_ratio, sizes, t)
    removed = sum(share * size for share, size in zip(shares, sizes, strict=True))
    most = ceilings([1 - (1 - share) ** 0.5 for share in shares])
    ranking = _rank(model, groups, single, architecture, config, per_saving=enough is not None)
    wanted = parameters(dense) - removed
    _cut_lowest(
        model,
        ranking,
        _limits(groups, before, most),
        config.round_to,
        enough or (lambda tried: parameters(tried) <= wanted),
    )
    return removed / sum(sizes)


@dataclass(frozen=True)
class _Ranked:
    """All units of one group, the least important first.

    Attributes:
        group: The group.
        parts: The numbers of each unit's parts, ``(size, lanes)``.
        scores: Of each unit, ``(size,)``; comparable between groups, the lowest go first.
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
    per_saving: bool,
) -> list[_Ranked]:
    """Score the units of all groups.

    Args:
        model: The model that the groups were found in.
        groups: What can be removed.
        single: Squared importance of the single weights.
        architecture: Input shape of the model.
        config: Score and measured layer costs.
        per_saving: Score by importance per cost saved, where the method has a cost.
    """
    units = [group.units(parts(group, single, config)) for group in groups]
    importance = [values for values, _ in units]
    if per_saving and config.method in ("energy", "taylor"):
        saved = _saved(model, groups, [own for _, own in units], architecture, config.costs)
        ranked = per_cost(importance, saved)
    else:
        costs = layer_costs(model, architecture.INPUT_SHAPE)
        energies = [_energy(group, costs, config.costs) for group in groups]
        ranked = scores([values.sqrt() for values in importance], energies, config)
    return [
        _Ranked(group, own, values)
        for group, (_, own), values in zip(groups, units, ranked, strict=True)
    ]


def _cut_lowest(
    model: nn.Module,
    ranking: Sequence[_Ranked],
    limits: Sequence[int],
    round_to: int,
    small: Callable[[nn.Module], bool],
) -> None:
    """Remove, in place, the fewest units, lowest scores first, that make the model small enough.

    All that the limits allow go when none is enough.

    Args:
        model: The model that the groups were found in.
        ranking: All units by group.
        limits: Units that each group may lose.
        round_to: Counts stay multiples of this, where a group does not say otherwise.
        small: Whether a model that was cut is small enough.
    """

    def cuts(count: int) -> list[Cut]:
        chosen = lowest([each.scores for each in ranking], limits, count)
        return [
            (
                each.group,
                each.parts[_rounded(mine, each.scores, each.group.multiple or round_to)].flatten(),
            )
            for each, mine in zip(ranking, chosen, strict=True)
        ]

    def enough(count: int) -> bool:
        trial = copy.deepcopy(model)
        remove(trial, cuts(count))
        return small(trial)

    low, high = 0, sum(limits)
    while low < high:
        middle = (low + high) // 2
        if enough(middle):
            high = middle
        else:
            low = middle + 1
    remove(model, cuts(low))


def _limits(groups: Sequence[Group], before: Sequence[Group], most: Sequence[float]) -> list[int]:
    """Return how many units each group may still lose, given what part of the dense one's may go.

    Groups of the dense model that were in a block that has gone are no longer there.
    """
    allowed: dict[tuple[Kind, str], int] = {
        first.key: int(part * first.size) - first.size
        for part, first in zip(most, before, strict=True)
    }
    return [max(0, allowed[now.key] + now.size) for now in groups]


def _energy(group: Group, costs: Sequence[LayerCost], measured: MeasuredCosts | None) -> float:
    """Return E_l of what a group produces; for blocks, of one of them."""
    mine = [cost for cost in costs if cost.name in group.producers]
    energy = sum(layer_energy(cost, measured) for cost in mine)
    return energy / group.size if group.kind == "block" else energy


def _saved(
    model: nn.Module,
    groups: Sequence[Group],
    units: Sequence[Tensor],
    architecture: Architecture,
    measured: MeasuredCosts | None,
) -> list[float]:
    """Return the part of the model's cost that goes with the least important unit of each group.

    Counted on a copy without it: what it saves lies in its own layer and in those that read it.
    """

    def cost(counted: nn.Module) -> float:
        return model_energy(layer_costs(counted, architecture.INPUT_SHAPE), measured)

    whole = cost(model)
    saved: list[float] = []
    for group, own in zip(groups, units, strict=True):
        trial = copy.deepcopy(model)
        if group.size > 1:
            remove(trial, [(group, own[0])])
        saved.append(1 - cost(trial) / whole)
    return saved


def _inside_attention(model: nn.Module) -> set[str]:
    """Return the layers that an attention layer consists of."""
    return {
        f"{name}.{own}"
        for name, layer in model.named_modules()
        if isinstance(layer, SelfAttention)
        for own, _ in layer.named_modules()
        if own
    }


def _rounded(chosen: Tensor, values: Tensor, multiple: int) -> Tensor:
    """Spare the best of the chosen units until what stays is a multiple, and not nothing."""
    stays = max(multiple, -(-(len(values) - len(chosen)) // multiple) * multiple)
    cut = max(0, len(values) - stays)
    return chosen[torch.argsort(values[chosen], stable=True)[:cut]].sort().values
