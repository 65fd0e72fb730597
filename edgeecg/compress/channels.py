"""Structured pruning: whole channels removed, so that the model is physically smaller.

Which channels belong together (through residual additions, batch norms, flattening) is traced by
torch-pruning's dependency graph; what it cannot know is which layers have an output width that is
fixed by what it means: the classifier's classes, and attention scores, which are one per position
and broadcast over all channels. These are the models' ``FIXED`` layers.

LSTMs and self-attention are refused: the graph counts the former wrongly, and does not know that
the latter's queries, keys and values are cut by heads.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch_pruning as tp
from torch import Tensor, nn

from edgeecg.compress.importance import lowest, scores
from edgeecg.compress.schedule import ceilings, layer_sparsity
from edgeecg.energy.proxy import layer_energy
from edgeecg.errors import EdgeECGError
from edgeecg.models import Architecture
from edgeecg.models.attention import SelfAttention
from edgeecg.models.costs import layer_costs, parameters
from edgeecg.schema import CompressionConfig, ProxyCoefficients

_UNCUTTABLE = (nn.LSTM, SelfAttention)


@dataclass(frozen=True)
class ChannelGroup:
    """Channels that can only be removed together.

    Attributes:
        root: Name of the first layer that produces these channels.
        producers: Names of all layers whose outputs they are.
        channels: How many there are.
        weights: Weights in the producers, biases left out.
        magnitude: Magnitude of each channel over the whole group, shape ``(channels,)``.
    """

    root: str
    producers: tuple[str, ...]
    channels: int
    weights: int
    magnitude: Tensor


def refuse_uncuttable(model: nn.Module) -> None:
    """Refuse a model whose channels cannot be removed.

    Raises:
        EdgeECGError: The model has an LSTM or self-attention.
    """
    kinds = [kind for layer in model.modules() for kind in _UNCUTTABLE if isinstance(layer, kind)]
    if kinds:
        raise EdgeECGError(
            "The channels of this model cannot be cut yet.",
            f"It has layers of the kind {kinds[0].__name__}, which stay whole so far.",
            "Zero single weights instead: --structure none.",
        )


def channel_groups(model: nn.Module, shape: Architecture) -> list[ChannelGroup]:
    """Find every group of channels that can be removed, in the order in which they are computed.

    The magnitude of a channel is the root of the mean, over the group's layers, of the squared
    weights that would go with it (Fang et al. 2023, arXiv:2301.12900, "group magnitude").

    Args:
        model: The model, on the CPU.
        shape: Its architecture: input shape and fixed layers.

    Raises:
        EdgeECGError: The model has an LSTM or self-attention.
    """
    graph = _graph(model, shape)
    names = {module: name for name, module in model.named_modules()}
    seen: set[str] = set()
    groups: list[ChannelGroup] = []
    for cost in layer_costs(model, shape.INPUT_SHAPE):
        if cost.name in seen or cost.name in shape.FIXED:
            continue
        members = _members(graph, model, cost.name, shape, None)
        producers = dict.fromkeys(
            names[dependency.target.module]
            for dependency, _ in members
            if graph.is_out_channel_pruning_fn(dependency.handler)
            and isinstance(dependency.target.module, (nn.Conv1d, nn.Linear))
        )
        seen.update(producers)
        importance = tp.importance.GroupMagnitudeImportance(p=2, normalizer="mean")
        squares = cast(Tensor, importance(members))
        groups.append(
            ChannelGroup(
                root=cost.name,
                producers=tuple(producers),
                channels=len(squares),
                weights=sum(model.get_parameter(f"{name}.weight").numel() for name in producers),
                magnitude=squares.sqrt(),
            )
        )
    return groups


def remove(model: nn.Module, cuts: Mapping[str, Tensor], shape: Architecture) -> None:
    """Remove channels, in place.

    Args:
        model: The model, on the CPU.
        cuts: Channel indices to remove, by the group's root layer.
        shape: Its architecture: input shape and fixed layers.

    Raises:
        EdgeECGError: The model has an LSTM or self-attention; nothing was removed.
    """
    graph = _graph(model, shape)
    for root, channels in cuts.items():
        if len(channels):
            chosen = [int(index) for index in channels]
            for dependency, indices in _members(graph, model, root, shape, chosen):
                dependency(indices)


def prune_channels(
    model: nn.Module,
    dense: nn.Module,
    shape: Architecture,
    config: CompressionConfig,
    t: float,
    enough: Callable[[nn.Module], bool] | None = None,
) -> float:
    """Remove the least important channels, in place, up to the schedule's share of the parameters.

    Removing a fraction c of every layer's channels removes about 1 - (1 - c)^2 of its weights,
    since its inputs shrink too; a layer's ceiling is set through that. The number of channels that
    meets the total is found by bisection on copies of the model.

    Args:
        model: The model to prune, on the CPU.
        dense: The model before any pruning; all shares are counted from it.
        shape: Its architecture: input shape and fixed layers.
        config: Score, schedule, target and rounding.
        t: Progress of the schedule, 0..1.
        enough: Whether a cut copy is small enough; None for the schedule's total of parameters.

    Returns:
        What the schedule asked for: the fraction of all prunable weights to be gone at ``t``.

    Raises:
        EdgeECGError: The model has an LSTM or self-attention; nothing was removed.
    """
    groups = channel_groups(model, shape)
    before = channel_groups(dense, shape)
    costs = {cost.name: cost for cost in layer_costs(model, shape.INPUT_SHAPE)}
    energies = [
        sum(layer_energy(costs[name], ProxyCoefficients()) for name in group.producers)
        for group in groups
    ]
    sizes = [group.weights for group in before]
    shares = layer_sparsity(config.sparsity, config.beta, config.depth_ratio, sizes, t)
    most = ceilings([1 - (1 - share) ** 0.5 for share in shares])
    limits = [
        max(0, int(part * first.channels) - (first.channels - now.channels))
        for part, first, now in zip(most, before, groups, strict=True)
    ]
    ranked = scores([group.magnitude for group in groups], energies, config)
    removed = sum(share * size for share, size in zip(shares, sizes, strict=True))
    wanted = parameters(dense) - removed

    def cuts(count: int) -> dict[str, Tensor]:
        chosen = lowest(ranked, limits, count)
        return {
            group.root: _rounded(mine, values, config.round_to)
            for group, mine, values in zip(groups, chosen, ranked, strict=True)
        }

    def met(count: int) -> bool:
        trial = copy.deepcopy(model)
        remove(trial, cuts(count), shape)
        return parameters(trial) <= wanted if enough is None else enough(trial)

    # The smallest count that is enough; all that the ceilings allow when none does.
    low, high = 0, sum(limits)
    while low < high:
        middle = (low + high) // 2
        if met(middle):
            high = middle
        else:
            low = middle + 1
    remove(model, cuts(low), shape)
    return removed / sum(sizes)


def _graph(model: nn.Module, shape: Architecture) -> tp.DependencyGraph:
    refuse_uncuttable(model)
    return tp.DependencyGraph().build_dependency(
        model, example_inputs=torch.zeros(1, *shape.INPUT_SHAPE)
    )


def _members(
    graph: tp.DependencyGraph,
    model: nn.Module,
    root: str,
    shape: Architecture,
    channels: Sequence[int] | None,
) -> tp.Group:
    """Trace what must go with channels of ``root`` (None: all of them), fixed layers left out."""
    layer = model.get_submodule(root)
    convolution = isinstance(layer, nn.Conv1d)
    prune = tp.prune_conv_out_channels if convolution else tp.prune_linear_out_channels
    count = layer.get_parameter("weight").shape[0]
    group = graph.get_pruning_group(layer, prune, range(count) if channels is None else channels)
    kept = {model.get_submodule(name) for name in shape.FIXED}
    members = tp.Group()
    members._group = [  # pyright: ignore[reportPrivateUsage]
        item
        for item in group
        if not (
            item.dep.target.module in kept and graph.is_out_channel_pruning_fn(item.dep.handler)
        )
    ]
    return members


def _rounded(chosen: Tensor, values: Tensor, multiple: int) -> Tensor:
    """Spare the best of the chosen channels until what stays is a multiple, and not nothing."""
    stays = max(multiple, -(-(len(values) - len(chosen)) // multiple) * multiple)
    cut = max(0, len(values) - stays)
    return chosen[torch.argsort(values[chosen], stable=True)[:cut]].sort().values
