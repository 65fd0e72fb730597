"""Whole blocks as units that can be removed.

The output of such a block is its input plus what the block computes, so that the rest of the model
still works without it. All blocks of a model that may be removed are one group. A removed block is
replaced by an ``nn.Identity``, and its widths are 0.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgeecg.models import Architecture
from edgeecg.pruning.groups import Group, Slice


def find_groups(model: nn.Module, architecture: Architecture) -> list[Group]:
    """Return the remaining blocks as one group; an empty list when there is at most one.

    Args:
        model: The model.
        architecture: Its architecture, which names the blocks that may be removed.
    """
    modules = {name: model.get_submodule(name) for name in architecture.BLOCKS}
    blocks = [name for name, module in modules.items() if not isinstance(module, nn.Identity)]
    if len(blocks) < 2:
        return []

    def replace_by_identity(pruned: nn.Module, parts: Tensor) -> None:
        for number in parts.tolist():
            pruned.set_submodule(blocks[number], nn.Identity())

    slices = [
        Slice(f"{block}.{tensor}", 0, torch.full((len(parameter),), number))
        for number, block in enumerate(blocks)
        for tensor, parameter in modules[block].named_parameters()
    ]
    layers = [
        f"{block}.{layer}"
        for block in blocks
        for layer, _ in modules[block].named_modules()
        if layer
    ]
    # The weights are counted in the groups of channels inside the blocks.
    return [
        Group(
            "block",
            "",
            tuple(layers),
            len(blocks),
            tuple(slices),
            weights=0,
            multiple=1,
            after_removal=replace_by_identity,
        )
    ]
