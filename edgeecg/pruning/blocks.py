"""Whole blocks: what they compute is added to their input, so that without them it passes on.

All blocks of a model that may go are one group. A block that has gone is an ``nn.Identity``, and
its widths are 0.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgeecg.models import Architecture
from edgeecg.pruning.groups import Group, Slice


def find(model: nn.Module, architecture: Architecture) -> list[Group]:
    """Return the blocks that are there as one group; none when there is at most one.

    Args:
        model: The model.
        architecture: Its architecture: which modules may go.
    """
    there = {name: model.get_submodule(name) for name in architecture.BLOCKS}
    blocks = [name for name, block in there.items() if not isinstance(block, nn.Identity)]
    if len(blocks) < 2:
        return []

    def leave_out(cut: nn.Module, parts: Tensor) -> None:
        for number in parts.tolist():
            cut.set_submodule(blocks[number], nn.Identity())

    slices = [
        Slice(f"{block}.{own}", 0, torch.full((len(parameter),), number))
        for number, block in enumerate(blocks)
        for own, parameter in there[block].named_parameters()
    ]
    layers = [
        f"{block}.{own}" for block in blocks for own, _ in there[block].named_modules() if own
    ]
    # Their weights are counted in the groups of channels inside them.
    group = Group(
        "block", "", tuple(layers), len(blocks), tuple(slices), 0, multiple=1, finish=leave_out
    )
    return [group]
