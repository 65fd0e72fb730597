"""What is removed as a whole, and its removal: the contract that all kinds of surgery share.

A *unit* is what can only go as a whole: a channel of a convolution, a unit of an LSTM, an attention
head, a dimension of every head, a block. A *group* is all units of one sort, any number of which
may go. Each kind has a file of its own beside this one, which finds its groups and says which
positions of which tensors belong to each unit; removing them is the same for all, and is here.

An LSTM in both directions must keep the same number of units in each, but not the same ones, and so
must the heads of an attention layer. Such a group has *lanes*: a unit is one *part* of every lane,
and each lane chooses its own part.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

Kind = Literal["channel", "lstm", "head", "head_width", "block"]

Finish = Callable[[nn.Module, Tensor], None]
"""What a removal changes beside the tensors, given the model and the parts that went."""


def _nothing_more(model: nn.Module, parts: Tensor) -> None:
    """Stand for a removal that changes tensors alone."""


@dataclass(frozen=True)
class Slice:
    """Where the parts of a group lie in one tensor.

    Attributes:
        tensor: Name of the parameter or buffer in the model.
        dim: The dimension along which they lie.
        owner: The part that each position along this dimension belongs to, -1 for none.
    """

    tensor: str
    dim: int
    owner: Tensor


@dataclass(frozen=True)
class Group:
    """Units of one sort; any number of them may be removed, each as a whole.

    Attributes:
        kind: What a unit is.
        root: The first layer that produces them; with ``kind`` it names the group.
        producers: All layers whose outputs they are.
        size: Units that there are, which is parts in each lane.
        slices: Where the parts lie. Part ``i`` of lane ``k`` is number ``k * size + i``.
        weights: Weights of the producers, biases left out. Every weight is counted in one group.
        lanes: Parts of a unit.
        multiple: What the units' number is rounded to, if not as the user says.
        finish: What else a removal changes.
    """

    kind: Kind
    root: str
    producers: tuple[str, ...]
    size: int
    slices: tuple[Slice, ...]
    weights: int
    lanes: int = 1
    multiple: int | None = None
    finish: Finish = field(default=_nothing_more, compare=False)

    @property
    def key(self) -> tuple[Kind, str]:
        """What the group is called, before and after a removal."""
        return self.kind, self.root

    def sums(self, elements: Mapping[str, Tensor]) -> Tensor:
        """Add up what all tensors' elements say of each part.

        Args:
            elements: One number for each element, by the name of a parameter; parameters that are
                not there say nothing.

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
            The importance of each unit, in rising order, ``(size,)``; and the numbers of its parts,
            ``(size, lanes)``.
        """
        order = torch.argsort(importance, dim=1, stable=True)
        lane = torch.arange(self.lanes)[:, None] * self.size
        return importance.gather(1, order).sum(0), (order + lane).T


Cut = tuple[Group, Tensor]
"""A group and the numbers of the parts to remove from it, equally many of each lane."""


def remove(model: nn.Module, cuts: Sequence[Cut]) -> None:
    """Remove parts of groups, in place.

    Args:
        model: The model that the groups were found in, or a copy of it.
        cuts: What to remove. Blocks come last, since nothing can be cut in what is not there.
    """
    dead: dict[tuple[str, int], Tensor] = {}
    for group, parts in cuts:
        # One more place, always False, for the positions that belong to no part (-1).
        gone = torch.zeros(group.lanes * group.size + 1, dtype=torch.bool)
        gone[parts] = True
        for part in group.slices:
            before = dead.get((part.tensor, part.dim))
            now = gone[part.owner]
            dead[part.tensor, part.dim] = now if before is None else before | now
    for (tensor, dim), positions in dead.items():
        if bool(positions.any()):
            _keep(model, tensor, dim, torch.nonzero(~positions).flatten())
    for group, parts in cuts:
        if len(parts):
            group.finish(model, parts)


def _keep(model: nn.Module, tensor: str, dim: int, positions: Tensor) -> None:
    """Keep some positions of a tensor, and let its layer know its new shape."""
    name, _, own = tensor.rpartition(".")
    layer = model.get_submodule(name)
    old: Tensor = getattr(layer, own)
    new = old.detach().index_select(dim, positions.to(old.device))
    parameter = isinstance(old, nn.Parameter)
    setattr(layer, own, nn.Parameter(new, old.requires_grad) if parameter else new)
    _settle(layer)


def _settle(layer: nn.Module) -> None:
    """Set the widths that a layer says of itself to those of its tensors."""
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


def matrices_of(model: nn.Module, layers: Sequence[str]) -> int:
    """Return the weights of some layers, biases left out."""
    found = (model.get_submodule(name).parameters(recurse=False) for name in layers)
    return sum(math.prod(each.shape) for layer in found for each in layer if each.ndim > 1)
