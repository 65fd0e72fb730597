"""Small models in which every unit affects the output, and dense models with silenced units.

Silencing a unit does not use the positions recorded in its group: it is silenced where it acts,
according to the type of its layer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgeecg.models import (
    AttentionPooling,
    EncoderBlock,
    PositionEncoding,
    SelfAttention,
    architecture,
    build,
)
from edgeecg.models._resnet import SqueezeExcitation
from edgeecg.pruning.groups import Group, Removal


def half_width(name: str) -> nn.Module:
    """Return a model of half the widths, in multiples of 4: small, and not the dense one."""
    widths = architecture(name).WIDTHS
    return build(name, {k: tuple(max(4, w // 8 * 4) for w in v) for k, v in widths.items()})


def randomized(name: str) -> nn.Module:
    """Return a model in evaluation mode without dead units and without norms that do nothing."""
    torch.manual_seed(1)
    model = half_width(name).train()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Conv1d) and module.bias is not None:
                module.bias.uniform_(0.5, 1.0)
            if isinstance(module, (nn.BatchNorm1d, nn.LayerNorm)):
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.5, 0.5)
            if isinstance(module, (nn.LSTM, SelfAttention, SqueezeExcitation)):
                for parameter in module.parameters():
                    parameter.mul_(2.0)
            if isinstance(module, AttentionPooling):
                module.hidden.weight.mul_(3.0)
                module.score.weight.mul_(20.0)
        for _ in range(2):
            model(torch.randn(12, *architecture(name).INPUT_SHAPE))
    return model.eval()


def some_parts(group: Group) -> Tensor:
    """Choose a third of the units, different ones in every lane."""
    count = max(1, group.size // 3)
    lanes = [torch.randperm(group.size)[:count] + k * group.size for k in range(group.lanes)]
    return torch.cat(lanes)


def silence(model: nn.Module, removals: list[Removal]) -> None:
    """Make parts of the dense model's groups contribute nothing, in place."""
    with torch.no_grad():
        for group, parts in removals:
            _SILENCERS[group.kind](model, group, parts)


def _channels(model: nn.Module, group: Group, parts: Tensor) -> None:
    """Zero the outputs of their producers, and of the batch norm that follows.

    Mean and variance of a layer norm are computed over the remaining channels, in the pruned model
    as in this reference: counting zeros would change them.
    """
    modules = dict(model.named_modules())
    order = list(modules)
    for name in group.producers:
        following = order[order.index(name) + 1 :][:1]
        for each in [name, *following]:
            module = modules[each]
            if each == name or isinstance(module, nn.BatchNorm1d):
                for parameter in module.parameters(recurse=False):
                    parameter[parts] = 0.0
    for name, module in modules.items():
        if isinstance(module, PositionEncoding) and "stem.9" in group.producers:
            module.table[:, :, parts] = 0.0
        if isinstance(module, nn.LayerNorm) and "stem.9" in group.producers:
            kept = [i for i in range(group.size) if i not in parts.tolist()]
            model.set_submodule(name, _NormOver(module, torch.tensor(kept)))


class _NormOver(nn.Module):
    """A layer norm over some of the channels; the others stay zero."""

    def __init__(self, norm: nn.LayerNorm, kept: Tensor) -> None:
        super().__init__()
        self.norm, self.kept = norm, kept

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., channels)`` to the same shape."""
        norm, kept = self.norm, self.kept
        y = torch.zeros_like(x)
        weight, bias = norm.weight[kept], norm.bias[kept]
        y[..., kept] = F.layer_norm(x[..., kept], (len(kept),), weight, bias, norm.eps)
        return y


def _lstm(model: nn.Module, group: Group, parts: Tensor) -> None:
    """Zero the candidate gate: c = f * c + i * tanh(0) stays 0, and so does h = o * tanh(c)."""
    layer = model.get_submodule(group.root)
    assert isinstance(layer, nn.LSTM)
    ways = ("", "_reverse") if layer.bidirectional else ("",)
    for part in parts.tolist():
        lane, unit = divmod(part, group.size)
        end = f"_l{lane // len(ways)}{ways[lane % len(ways)]}"
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            if kind.startswith("weight") or layer.bias:
                layer.get_parameter(kind + end)[2 * group.size + unit] = 0.0


def _heads(model: nn.Module, group: Group, parts: Tensor) -> None:
    """Zero all values of a head."""
    attention = _attention(model, group)
    for head in parts.tolist():
        rows = slice(head * attention.head_width, (head + 1) * attention.head_width)
        attention.value.weight[rows] = 0.0
        attention.value.bias[rows] = 0.0


def _head_width(model: nn.Module, group: Group, parts: Tensor) -> None:
    """Zero dimensions of the queries (the first lanes) and of the values (the others)."""
    attention = _attention(model, group)
    inner = attention.heads * attention.head_width
    for part in parts.tolist():
        layer = attention.query if part < inner else attention.value
        layer.weight[part % inner] = 0.0
        layer.bias[part % inner] = 0.0


def _attention(model: nn.Module, group: Group) -> SelfAttention:
    layer = model.get_submodule(group.root)
    assert isinstance(layer, SelfAttention)
    return layer


def _blocks(model: nn.Module, group: Group, parts: Tensor) -> None:
    """Zero the last layer of what is added to the input."""
    blocks = list(dict.fromkeys(name[: len("stages.0.1")] for name in group.producers))
    if not blocks[0].startswith("stages"):
        blocks = list(dict.fromkeys(name[: len("blocks.0")] for name in group.producers))
    for number in parts.tolist():
        block = model.get_submodule(blocks[number])
        last = ("attention.output", "contract") if isinstance(block, EncoderBlock) else ("norm2",)
        for name in last:
            for parameter in block.get_submodule(name).parameters():
                parameter.zero_()


_SILENCERS = {
    "channel": _channels,
    "lstm": _lstm,
    "head": _heads,
    "head_width": _head_width,
    "block": _blocks,
}
