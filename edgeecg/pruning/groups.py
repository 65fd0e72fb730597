"""Groups of units that are removed as a whole, and their removal.

A *unit* can only be removed as a whole: a channel of a convolution, a unit of an LSTM, an attention
head, a dimension of every head, a block. A *group* holds all units of one kind in one place of the
model, any number of which may be removed. Each kind has a module beside this one that finds its
groups and records which positions of which tensors belong to each unit. Removing them works the
same way for all kinds and is done here.

A bidirectional LSTM must keep the same number of units in both directions, but not the same ones;
likewise the heads of an attention layer. Such a group has several *lanes*: a unit consists of one
*part* from every lane, and each lane chooses its part independently.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

Kind = Literal["channel", "lstm", "head", "head_width", "block"]

AfterRemoval = Callable[[nn.Module, Tensor], None]
"""Changes a model beyond its tensors, given the model and the numbers of the removed parts."""


def _nothing_more(model: nn.Module, parts: Tensor) -> None:
    """Do nothing: the removal changes tensors alone."""


@dataclass(frozen=True)
class Slice:
    """Where the parts of a group are in one tensor.

    Attributes:
        tensor: Name of the parameter or buffer in the model.
        dim: The dimension along which the parts are laid out.
        owner: The part that each position along this dimension belongs to, -1 for none.
    """

    tensor: str
    dim: int
    owner: Tensor


@dataclass(frozen=True)
class Group:
    """Units of one kind; any number of them may be removed, each as a whole.

    Attributes:
        kind: What a unit is.
        root: The first layer whose outputs they are; ``kind`` and ``root`` identify the group.
        producers: All layers whose outputs they are.
        size: Number of units, which is the number of parts in each lane.
        slices: Where the parts are. Part ``i`` of lane ``k`` has the number ``k * size + i``.
        weights: Number of weights of the producers without biases. Every weight is counted in one
            group.
        lanes: Number of parts in a unit.
        multiple: What the number of units is rounded to, if not as configured.
        after_removal: What a removal changes beyond the tensors.
    """

    kind: Kind
    root: str
    producers: tuple[str, ...]
    size: int
    slices: tuple[Slice, ...]
    weights: int
    lanes: int = 1
    multiple: int | None = None
    after_removal: AfterRemoval = field(default=_nothing_more, compare=False)

    @property
    def key(self) -> tuple[Kind, str]:
        """Identifies the group, before and after a removal."""
        return self.kind, self.root

    def sums(self, elements: Mapping[str, Tensor]) -> Tensor:
        """Add up values of single elements over all tensors of each part.

        Args:
            elements: One value for each element, by the name of a parameter; parameters that are
                absent count as 0.

        Returns:
            Sums of shape ``(lanes, size)``.
        """
        total = torch.zeros(self.lanes * self.size)
        for part in self.slices:
            if part.tensor in elements:
                values = (
                    elements[part.tensor].movedim(part.dim, 0).reshape(len(part.owner), -1).sum(1)
                )
                owned = part.owner >= 0
                total.index_add_(0, part.owner[owned], values[owned].float().cpu())
        return total.view(self.lanes, self.size)

    def units(self, importance: Tensor) -> tuple[Tensor, Tensor]:
        """Pair the parts of all lanes to units, the least important of each lane first.

        Args:
            importance: Of each part, shape ``(lanes, size)``.

        Returns:
            The importance of each unit in ascending order, ``(size,)``; and the numbers of its
            parts, ``(size, lanes)``.
        """
        order = torch.argsort(importance, dim=1, stable=True)
        lane = torch.arange(self.lanes)[:, None] * self.size
        return importance.gather(1, order).sum(0), (order + lane).T


Removal = tuple[Group, Tensor]
"""A group and the numbers of the parts to remove from it, equally many of each lane."""


def remove(model: nn.Module, removals: Sequence[Removal]) -> None:
    """Remove parts of groups, in place.

    Args:
        model: The model that the groups were found in, or a copy of it.
        removals: What to remove. Blocks must come last, since nothing can be removed from a block
            that is no longer there.
    """
    removed: dict[tuple[str, int], Tensor] = {}
    for group, parts in removals:
        # One more place, always False, for the positions that belong to no part (-1).
        selected = torch.zeros(group.lanes * group.size + 1, dtype=torch.bool)
        selected[parts] = True
        for part in group.slices:
            before = removed.get((part.tensor, part.dim))
            now = selected[part.owner]
            removed[part.tensor, part.dim] = now if before is None else before | now
    for (tensor, dim), positions in removed.items():
        if bool(positions.any()):
            _keep(model, tensor, dim, torch.nonzero(~positions).flatten())
    for group, parts in removals:
        if len(parts):
            group.after_removal(model, parts)


def _keep(model: nn.Module, tensor: str, dim: int, positions: Tensor) -> None:
    """Keep some positions of a tensor, and update the size attributes of its layer."""
    name, _, attribute = tensor.rpartition(".")
    layer = model.get_submodule(name)
    old: Tensor = getattr(layer, attribute)
    new = old.detach().index_select(dim, positions.to(old.device))
    parameter = isinstance(old, nn.Parameter)
    setattr(layer, attribute, nn.Parameter(new, old.requires_grad) if parameter else new)
    _update_sizes(layer)


def _update_sizes(layer: nn.Module) -> None:
    """Set the size attributes of a layer to the shapes of its tensors."""
    if isinstance(layer, nn.Conv1d):
        depthwise = layer.groups > 1
        layer.out_channels = layer.weight.shape[0]
        layer.groups = layer.out_channels if depthwise else 1
        layer.in_channels = layer.weight.shape[1] * layer.groups
    elif isinstance(layer, nn.Linear):
        layer.out_features, layer.in_features = layer.weight.shape
    elif isinstance(layer, nn.BatchNorm1d) and layer.running_mean is not None:
        layer.num_features = len(layer.running_mean)
    elif isinstance(layer, nn.LayerNorm):
        layer.normalized_shape = (len(layer.weight),)
    elif isinstance(layer, nn.LSTM):
        layer.hidden_size = layer.get_parameter("weight_hh_l0").shape[1]
        layer.input_size = layer.get_parameter("weight_ih_l0").shape[1]


def count_weights(model: nn.Module, layers: Sequence[str]) -> int:
    """Return the number of weights of some layers, biases left out."""
    tensors = (model.get_submodule(name).parameters(recurse=False) for name in layers)
    return sum(math.prod(each.shape) for layer in tensors for each in layer if each.ndim > 1)
