"""Counting a PyTorch module: parameters, and each layer's cost per inference."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgeecg.schema import LayerCost

_FLOAT_BYTES = 4


def parameters(model: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(parameter.numel() for parameter in model.parameters())


def nonzero_parameters(model: nn.Module) -> int:
    """Return the number of trainable parameters that are not exactly zero."""
    return sum(int(torch.count_nonzero(parameter)) for parameter in model.parameters())


def layer_costs(model: nn.Module, sample_shape: tuple[int, int]) -> tuple[LayerCost, ...]:
    """Count every convolution and linear layer over one inference in float32.

    One multiply-accumulate per weight and output position. Batch normalisation is not counted,
    since export folds it into the convolution before it; nor are pooling, activations and the
    softmax, which do no multiply-accumulate against weights.

    Args:
        model: Any module that maps ``(batch, leads, samples)`` to logits.
        sample_shape: ``(leads, samples)``.

    Returns:
        One cost per layer, in the order in which they run.
    """
    found: list[LayerCost] = []
    names = {module: name for name, module in model.named_modules()}

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        weight, bias = layer.weight, layer.bias
        assert isinstance(weight, Tensor)
        positions = output[0].numel() // weight.shape[0]
        size = weight.numel() + (bias.numel() if isinstance(bias, Tensor) else 0)
        found.append(
            LayerCost(
                name=names[layer],
                op=type(layer).__name__,
                dtype="float32",
                macs=weight.numel() * positions,
                nonzero_fraction=int(torch.count_nonzero(weight)) / weight.numel(),
                weight_bytes=size * _FLOAT_BYTES,
                activation_bytes=(inputs[0][0].numel() + output[0].numel()) * _FLOAT_BYTES,
            )
        )

    handles = [
        module.register_forward_hook(count)
        for module in model.modules()
        if isinstance(module, (nn.Conv1d, nn.Linear))
    ]
    training = model.training
    device = next(model.parameters()).device
    try:
        model.eval()
        with torch.no_grad():
            model(torch.zeros(1, *sample_shape, device=device))
    finally:
        model.train(training)
        for handle in handles:
            handle.remove()
    return tuple(found)
