"""Counting a PyTorch module: parameters, and each layer's cost per inference."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgeecg.models._attention import SelfAttention
from edgeecg.schema import LayerCost

_FLOAT_BYTES = 4

_Recurrent = tuple[Tensor, tuple[Tensor, Tensor]]
"""What an LSTM gives: the outputs of all steps, and the last states."""


def parameters(model: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(parameter.numel() for parameter in model.parameters())


def nonzero_parameters(model: nn.Module) -> int:
    """Return the number of trainable parameters that are not exactly zero."""
    return sum(int(torch.count_nonzero(parameter)) for parameter in model.parameters())


def matrices(layer: nn.Module) -> list[nn.Parameter]:
    """Return a layer's own weights without its biases: what multiplies, and what can be pruned.

    One tensor for a convolution or a linear layer; for an LSTM, those from the input and from the
    state of each direction; none for attention, whose weights are in layers of their own.
    """
    return [parameter for parameter in layer.parameters(recurse=False) if parameter.ndim > 1]


def layer_costs(model: nn.Module, sample_shape: tuple[int, int]) -> tuple[LayerCost, ...]:
    """Count every convolution, linear layer, LSTM and attention over one inference in float32.

    One multiply-accumulate per weight and output position; for an LSTM, per weight and step, which
    is 4 * hidden * (input + hidden) in each direction. Attention's two products (queries with keys,
    weights with values) have no weights and are a layer of their own, listed behind the four linear
    layers that belong to it. Batch normalisation is not counted, since export folds it into the
    convolution before it; nor are layer norms, pooling, activations, gates and the softmax, which
    do no multiply-accumulate against weights.

    Args:
        model: Any module that maps ``(batch, leads, samples)`` to logits.
        sample_shape: ``(leads, samples)``.

    Returns:
        One cost per layer, in the order in which they end.
    """
    found: list[LayerCost] = []
    names = {module: name for name, module in model.named_modules()}

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor | _Recurrent) -> None:
        found.append(_cost(names[layer], layer, inputs[0], _first(output)))

    handles = [
        module.register_forward_hook(count)
        for module in model.modules()
        if isinstance(module, (nn.Conv1d, nn.Linear, nn.LSTM, SelfAttention))
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


def _first(output: Tensor | _Recurrent) -> Tensor:
    return output if isinstance(output, Tensor) else output[0]


def _cost(name: str, layer: nn.Module, given: Tensor, output: Tensor) -> LayerCost:
    """Count one layer from its one input ``(1, ...)`` and its output ``(1, ...)``."""
    weights = matrices(layer)
    size = sum(weight.numel() for weight in weights)
    if isinstance(layer, SelfAttention):
        macs, moved = _products(layer, given.shape[1])
    else:
        # Positions for a convolution, rows for a linear layer, steps for an LSTM.
        times = given.shape[1] if isinstance(layer, nn.LSTM) else output.numel() // len(weights[0])
        macs, moved = size * times, given.numel() + output.numel()
    own = sum(parameter.numel() for parameter in layer.parameters(recurse=False))
    live = sum(int(torch.count_nonzero(weight)) for weight in weights)
    return LayerCost(
        name=name,
        op=type(layer).__name__,
        dtype="float32",
        macs=macs,
        nonzero_fraction=live / size if size else 1.0,
        weight_bytes=own * _FLOAT_BYTES,
        activation_bytes=moved * _FLOAT_BYTES,
    )


def _products(layer: SelfAttention, positions: int) -> tuple[int, int]:
    """Return the MACs of attention's two products, and the values they read and write."""
    inner = layer.query.out_features
    # Reads queries, keys and values, writes their mixture; scores are written, weights read.
    moved = 4 * positions * inner + 2 * layer.heads * positions**2
    return 2 * positions**2 * inner, moved
