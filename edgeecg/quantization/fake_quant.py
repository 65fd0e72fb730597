"""Fake quantisation: weights and activations rounded to int8, with gradients.

Rounding has no useful gradient. The gradient of values inside the range is passed on unchanged,
that of clipped values is 0 (the straight-through estimator, Jacob et al. 2018, arXiv:1712.05877,
section 3).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

_LOWEST, _HIGHEST = -128, 127
_SMALLEST_RANGE = 1e-9


class TensorRange(nn.Module):
    """One activation: measures its range, or rounds it to the 256 steps of int8 within that range.

    There is one scale and one zero point for the whole tensor. The range always contains 0, which
    is represented exactly, since convolutions pad with it. The arithmetic is that of
    ``tflite-int8``: scale = (high - low) / 255, zero point = round(-128 - low / scale).

    Attributes:
        low: Lowest value seen, at most 0.
        high: Highest value seen, at least 0.
        fixed: Whether the range is prescribed by the runtime and not measured.
        measuring: Measure the range and return the input unchanged.
        active: Round; else return the input unchanged.
    """

    def __init__(self, fixed: tuple[float, float] | None = None) -> None:
        """Start with an empty range, or with the one that the runtime prescribes."""
        super().__init__()
        self.low, self.high = fixed or (0.0, 0.0)
        self.fixed = fixed is not None
        self.measuring = False
        self.active = True

    def reset(self) -> None:
        """Empty the range before it is measured again."""
        if not self.fixed:
            self.low = self.high = 0.0

    def scale_and_zero_point(self) -> tuple[float, int]:
        """Return the step and the integer that represents 0.

        A tensor that was always 0 gets the range 0 to 1, since its step would be 0.
        """
        high = 1.0 if self.low == self.high == 0.0 else self.high
        scale = max(high - self.low, _SMALLEST_RANGE) / (_HIGHEST - _LOWEST)
        return scale, round(_LOWEST - self.low / scale)

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the same shape."""
        if self.measuring:
            if not self.fixed:
                low, high = torch.aminmax(x.detach())
                # Unlike min and max, these keep what is not a number.
                self.low = float(np.minimum(self.low, float(low)))
                self.high = float(np.maximum(self.high, float(high)))
            return x
        if not self.active:
            return x
        scale, zero_point = self.scale_and_zero_point()
        return torch.fake_quantize_per_tensor_affine(
            x.float(), scale, zero_point, _LOWEST, _HIGHEST
        )


class QuantizedLayer(nn.Module):
    """A convolution or linear layer whose weights are rounded as export rounds them.

    Export folds batch normalisation into the weights before it rounds them. It is therefore folded
    here too, w gamma / sqrt(var + eps), with the running statistics: the statistics of single
    batches would change the rounding from batch to batch, which does not happen on the device
    (Krishnamoorthi 2018, arXiv:1806.08342, section 3.2.2). Gamma and beta are still trained. The
    bias is not rounded, since its steps (32 bits) are too small to matter.

    Attributes:
        layer: The layer; its parameters are shared with the original model.
        norm: The batch normalisation that follows it, or None.
        int8: Whether the weights are rounded.
    """

    def __init__(
        self,
        layer: nn.Conv1d | nn.Conv2d | nn.Linear,
        norm: nn.BatchNorm1d | nn.BatchNorm2d | None,
    ) -> None:
        """Wrap a layer and the batch normalisation that is folded into it."""
        super().__init__()
        self.layer = layer
        self.norm = norm
        self.int8 = True

    def folded(self) -> tuple[Tensor, Tensor | None]:
        """Return weight and bias with the batch normalisation folded in, not rounded."""
        weight, bias, norm = self.layer.weight, self.layer.bias, self.norm
        if norm is None:
            return weight, bias
        assert norm.running_mean is not None
        assert norm.running_var is not None
        factor = torch.rsqrt(norm.running_var + norm.eps)
        if norm.affine:
            factor = factor * norm.weight
        shift = -norm.running_mean if bias is None else bias - norm.running_mean
        offset = shift * factor + norm.bias if norm.affine else shift * factor
        return weight * factor.view(-1, *[1] * (weight.ndim - 1)), offset

    def forward(self, x: Tensor) -> Tensor:
        """Compute layer and batch normalisation in evaluation mode."""
        weight, bias = self.folded()
        if self.int8:
            weight = rounded_weight(weight)
        layer = self.layer
        # Mixed precision would round the rounded values again, to other steps.
        with torch.autocast(x.device.type, enabled=False):
            if isinstance(layer, nn.Linear):
                return F.linear(x.float(), weight, bias)
            convolve = F.conv2d if isinstance(layer, nn.Conv2d) else F.conv1d
            return convolve(
                x.float(), weight, bias, layer.stride, layer.padding, layer.dilation, layer.groups
            )


def rounded_weight(weight: Tensor) -> Tensor:
    """Round weights to int8 with one scale per output channel, symmetric about 0.

    Args:
        weight: ``(outputs, ...)``.

    Returns:
        The same shape: multiples of max |w| / 127 of their channel, from -127 to 127 of them.
    """
    with torch.no_grad():
        largest = weight.abs().flatten(1).amax(dim=1).clamp_min(_SMALLEST_RANGE)
    zero_points = torch.zeros(len(weight), dtype=torch.int32, device=weight.device)
    return torch.fake_quantize_per_channel_affine(
        weight, largest / _HIGHEST, zero_points, 0, -_HIGHEST, _HIGHEST
    )
