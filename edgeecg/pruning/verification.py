"""Whether a removal does what it should, on random weights and inputs.

Removing units must give the same outputs as the dense model with these units silenced: all their
weights are zero, those that compute them and those that multiply them. Where it does not, the model
depends on the position or on the number of its channels in a way that the dependency graph does not
show, e.g. by padding or shuffling channels.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgeecg.pruning.groups import Group, Removal, remove

_WINDOWS = 3
_SHARE = 3
_TOLERANCE = 1e-3
_DIFFERS = (
    "Without some of them the module computes something else than with them set to zero: forward() "
    "depends on the position or on the number of its channels."
)


@dataclass(frozen=True)
class WrongGroup:
    """A group whose removal changes more than it should.

    Attributes:
        group: The group.
        reason: What is wrong, one sentence.
    """

    group: Group
    reason: str


def find_wrong_group(
    model: nn.Module, groups: Sequence[Group], sample_shape: tuple[int, int]
) -> WrongGroup | None:
    """Return the first group whose removal does not equal its silencing, or None.

    Args:
        model: The dense model, on the CPU; not changed.
        groups: What can be removed from it, without whole blocks.
        sample_shape: ``(leads, samples)`` of a window.
    """
    generator = torch.Generator().manual_seed(0)
    dense = _randomized(model, generator)
    x = torch.randn(_WINDOWS, *sample_shape, generator=generator)
    for group in groups:
        if group.size == 1:
            continue
        removal = (group, _some_parts(group, generator))
        pruned = copy.deepcopy(dense)
        try:
            remove(pruned, [removal])
            equal = outputs_equal(pruned, _silenced(dense, removal), x)
        except Exception as error:  # A user's module may raise anything.
            message = " ".join(str(error).split())[:200]
            reason = f"Without some of them it raises {type(error).__name__}: {message}."
            return WrongGroup(group, reason)
        if not equal:
            return WrongGroup(group, _DIFFERS)
    return None


def outputs_equal(one: nn.Module, other: nn.Module, x: Tensor) -> bool:
    """Whether two modules in evaluation mode give the same outputs up to rounding.

    Args:
        one: A module.
        other: The reference.
        x: Their input.
    """
    with torch.no_grad():
        found, expected = one.eval()(x), other.eval()(x)
    if found.shape != expected.shape:
        return False
    largest = float(expected.abs().max())
    return torch.allclose(found, expected, rtol=0, atol=_TOLERANCE * largest + 1e-7)


def _randomized(model: nn.Module, generator: torch.Generator) -> nn.Module:
    """Return a copy in evaluation mode in which no unit is dead and no norm does nothing."""
    randomized = copy.deepcopy(model).eval()
    with torch.no_grad():
        for parameter in randomized.parameters():
            spread = float(parameter.std()) if parameter.numel() > 1 else 0.0
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(max(spread, 0.1) * noise)
        for module in randomized.modules():
            if isinstance(module, nn.BatchNorm1d) and module.running_mean is not None:
                shape = module.running_mean.shape
                module.running_mean.copy_(0.3 * torch.randn(shape, generator=generator))
                assert module.running_var is not None
                module.running_var.copy_(0.5 + torch.rand(shape, generator=generator))
    return randomized


def _some_parts(group: Group, generator: torch.Generator) -> Tensor:
    """Choose a third of the units, different ones in every lane."""
    count = max(1, group.size // _SHARE)
    lanes = [
        torch.randperm(group.size, generator=generator)[:count] + lane * group.size
        for lane in range(group.lanes)
    ]
    return torch.cat(lanes)


def _silenced(model: nn.Module, removal: Removal) -> nn.Module:
    """Return a copy in which parts of a group contribute nothing."""
    group, parts = removal
    selected = torch.zeros(group.lanes * group.size + 1, dtype=torch.bool)
    selected[parts] = True
    silenced = copy.deepcopy(model)
    parameters = dict(silenced.named_parameters())
    with torch.no_grad():
        for part in group.slices:
            positions = selected[part.owner]
            if part.tensor in parameters:
                parameters[part.tensor].movedim(part.dim, 0)[positions] = 0.0
            layer, _, attribute = part.tensor.rpartition(".")
            norm = silenced.get_submodule(layer)
            if isinstance(norm, nn.LayerNorm) and attribute == "weight":
                silenced.set_submodule(layer, _NormOverKept(norm, ~positions))
    return silenced


class _NormOverKept(nn.Module):
    """A layer norm over the channels that are kept; the output of the others is 0.

    Mean and variance are over the remaining channels in the pruned model, too.
    """

    def __init__(self, norm: nn.LayerNorm, kept: Tensor) -> None:
        super().__init__()
        self.weight: Tensor = norm.weight
        self.bias: Tensor | None = norm.bias
        self._eps, self._kept = norm.eps, kept

    def forward(self, x: Tensor) -> Tensor:
        kept = self._kept
        y = torch.zeros_like(x)
        bias = None if self.bias is None else self.bias[kept]
        y[..., kept] = F.layer_norm(
            x[..., kept], (int(kept.sum()),), self.weight[kept], bias, self._eps
        )
        return y
