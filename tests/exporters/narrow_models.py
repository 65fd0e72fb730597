"""Narrow variants of the models, which convert in seconds."""

from __future__ import annotations

import torch
from torch import nn

from edgeecg.models import architecture, build
from edgeecg.pruning.channels import find_groups
from edgeecg.pruning.groups import Removal, remove


def narrow(name: str) -> nn.Module:
    """Return a narrow model as compression leaves it: half of all units and blocks removed."""
    torch.manual_seed(0)
    shape = architecture(name)
    model = build(name, {k: tuple(max(4, w // 4) for w in v) for k, v in shape.WIDTHS.items()})
    removals: list[Removal] = []
    for group in find_groups(model, shape, whole_blocks=True):
        lanes = [torch.randperm(group.size) + lane * group.size for lane in range(group.lanes)]
        removals.append((group, torch.cat([lane[: group.size // 2] for lane in lanes])))
    remove(model, removals)
    return model.eval()
