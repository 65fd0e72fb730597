"""Counting a PyTorch module: parameters, and each layer's cost per inference."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from edgeecg.models._attention import SelfAttention
from edgeecg.models._products import Product, ProductCounter, plain_kernels
from edgeecg.schema import LayerCost

_FLOAT_BYTES = 4
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_RECURRENT = (nn.RNNBase, nn.RNNCellBase)
_KNOWN = (
    *(*_CONVOLUTIONS, *_TRANSPOSED, *_RECURRENT),
    *(nn.Linear, nn.Bilinear, SelfAttention),
)
"""Layers with a formula; the products of all other modules are counted as they are executed."""


def parameters(model: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(parameter.numel() for parameter in model.parameters())


def nonzero_parameters(model: nn.Module) -> int:
    """Return the number of trainable parameters that are not exactly zero."""
    return sum(int(torch.count_nonzero(parameter)) for parameter in model.parameters())


def matrices(layer: nn.Module) -> list[nn.Parameter]:
    """Return the weights of a layer without its biases.

    One tensor for a convolution or a linear layer; for an LSTM, those from the input and from the
    state of each direction; none for :class:`SelfAttention`, whose weights are in its sublayers.
    """
    return [parameter for parameter in layer.parameters(recurse=False) if parameter.ndim > 1]


@dataclass
class CountedLayer:
    """A module that multiplies, as counted over one inference.

    Attributes:
        name: Its name in the model.
        macs: Its multiply-accumulates, without those of the layers inside it.
        moved: Values of activations read and written.
        weights: Names of the parameters that are multiplied.
        computed_weights: Whether it multiplies by weights that are computed from parameters.
    """

    name: str
    macs: int = 0
    moved: int = 0
    weights: dict[str, None] = field(default_factory=dict[str, None])
    computed_weights: bool = False


def layer_costs(model: nn.Module, sample_shape: tuple[int, int]) -> tuple[LayerCost, ...]:
    """Count every layer that multiplies by weights or multiplies activations, in float32.

    One multiply-accumulate per weight and output position of a convolution or linear layer; per
    weight and input position of a transposed convolution; per weight and step of a recurrent layer,
    which is 4 * hidden * (input + hidden) for an LSTM in each direction. The two products of
    :class:`SelfAttention` (queries with keys, weights with values) have no weights and are a layer
    behind its four linear layers. Matrix products and convolutions of all other modules are counted
    as PyTorch executes them, and belong to the innermost module that computes them. A layer that is
    called several times is counted for all calls.

    Batch normalisation is not counted, since export folds it into the convolution before it; nor
    are layer norms, pooling, activations, gates and the softmax, which are no products with
    matrices.

    Args:
        model: Any module that maps ``(batch, leads, samples)`` to logits.
        sample_shape: ``(leads, samples)``.

    Returns:
        One cost per layer, in the order in which they end.
    """
    return tuple(_cost(model, each) for each in count_layers(model, sample_shape))


def count_layers(model: nn.Module, sample_shape: tuple[int, int]) -> list[CountedLayer]:
    """Count the layers of a model; see :func:`layer_costs`."""
    training = model.training
    device = next(model.parameters()).device
    x = torch.zeros(1, *sample_shape, device=device)
    counter = _Counter(model)
    try:
        model.eval()
        with torch.no_grad(), contextlib.ExitStack() as stack:
            if counter.needs_products:
                stack.enter_context(plain_kernels())
                stack.enter_context(ProductCounter(model, x, counter.add_product))
            model(x)
    finally:
        model.train(training)
        counter.remove_hooks()
    return list(counter.layers.values())


def weighted_layers(
    model: nn.Module, sample_shape: tuple[int, int]
) -> list[tuple[LayerCost, tuple[str, ...]]]:
    """Return the layers that multiply by weights, each with the names of these weights.

    A weight that several layers multiply by belongs to the first of them. Parameters that are only
    added, such as biases and position encodings, are no weights.

    Args:
        model: Any module that maps ``(batch, leads, samples)`` to logits.
        sample_shape: ``(leads, samples)``.
    """
    found: list[tuple[LayerCost, tuple[str, ...]]] = []
    seen: set[str] = set()
    for layer in count_layers(model, sample_shape):
        weights = tuple(name for name in layer.weights if name not in seen)
        seen.update(weights)
        if weights:
            found.append((_cost(model, layer), weights))
    return found


class _Counter:
    """Counts calls of layers through forward hooks."""

    def __init__(self, model: nn.Module) -> None:
        self.layers: dict[str, CountedLayer] = {}
        self._names = {module: name for name, module in model.named_modules()}
        self.needs_products = any(map(_has_unknown_products, model.modules()))
        # The modules whose forward() is running, the innermost last.
        self._running: list[nn.Module] = []
        self._handles: list[Any] = []
        for module in model.modules():
            if self.needs_products:
                self._handles.append(module.register_forward_pre_hook(self._enter))
            if self.needs_products or isinstance(module, _KNOWN):
                hook = module.register_forward_hook(self._leave, with_kwargs=True)
                self._handles.append(hook)

    def add_product(self, product: Product) -> None:
        """Add a product to the module that computes it, unless that is counted by a formula."""
        if any(isinstance(module, _KNOWN) for module in self._running):
            return
        layer = self._layer(self._running[-1])
        layer.macs += product.macs
        layer.moved += product.moved
        layer.weights |= dict.fromkeys(product.weights)
        layer.computed_weights |= product.computed_weights

    def remove_hooks(self) -> None:
        for handle in self._handles:
            handle.remove()

    def _enter(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._running.append(module)

    def _leave(
        self, module: nn.Module, inputs: tuple[Any, ...], named: Mapping[str, Any], output: Any
    ) -> None:
        if self.needs_products:
            self._running.pop()
        if not isinstance(module, _KNOWN):
            return
        layer = self._layer(module)
        x, y = _first_tensor((*inputs, *named.values())), _first_tensor(output)
        macs, moved = _formula(module, x, y)
        layer.macs += macs
        layer.moved += moved
        prefix = f"{layer.name}." if layer.name else ""
        layer.weights |= {
            prefix + key: None
            for key, parameter in module.named_parameters(recurse=False)
            if parameter.ndim > 1
        }

    def _layer(self, module: nn.Module) -> CountedLayer:
        name = self._names[module]
        return self.layers.setdefault(name, CountedLayer(name))


def _has_unknown_products(module: nn.Module) -> bool:
    """Whether a module may multiply by itself: attention of PyTorch, and any user-defined code."""
    if isinstance(module, nn.MultiheadAttention):
        return True
    return not type(module).__module__.startswith(("torch.nn.modules.", "edgeecg.models."))


def _first_tensor(values: Any) -> Tensor:
    """Return the first tensor of inputs or outputs, which may be nested tuples."""
    while not isinstance(values, Tensor):
        values = values[0]
    return values


def _formula(layer: nn.Module, x: Tensor, y: Tensor) -> tuple[int, int]:
    """Return the MACs of one call, and the values that it reads and writes."""
    if isinstance(layer, SelfAttention):
        return _attention_products(layer, x.shape[1])
    weights = matrices(layer)
    size = sum(weight.numel() for weight in weights)
    if isinstance(layer, _RECURRENT):
        # Steps of all sequences, whatever the order of batch and steps.
        times = x.numel() // layer.input_size
    elif isinstance(layer, _TRANSPOSED):
        times = x.numel() // layer.in_channels
    else:
        # Positions of a convolution, rows of a linear layer.
        times = y.numel() // len(weights[0])
    return size * times, x.numel() + y.numel()


def _attention_products(layer: SelfAttention, positions: int) -> tuple[int, int]:
    """Return the MACs of attention's two products, and the values they read and write."""
    inner = layer.query.out_features
    # Reads queries, keys and values, writes their mixture; scores are written, weights read.
    moved = 4 * positions * inner + 2 * layer.heads * positions**2
    return 2 * positions**2 * inner, moved


def _cost(model: nn.Module, layer: CountedLayer) -> LayerCost:
    """Return the cost of a counted layer; its biases are read with its weights."""
    weights = [model.get_parameter(name) for name in layer.weights]
    size = sum(weight.numel() for weight in weights)
    nonzero = sum(int(torch.count_nonzero(weight)) for weight in weights)
    owners = dict.fromkeys(name.rpartition(".")[0] for name in layer.weights)
    biases = sum(
        parameter.numel()
        for owner in owners
        for parameter in model.get_submodule(owner).parameters(recurse=False)
        if parameter.ndim < 2
    )
    return LayerCost(
        name=layer.name,
        op=type(model.get_submodule(layer.name)).__name__,
        dtype="float32",
        macs=layer.macs,
        nonzero_fraction=nonzero / size if size else 1.0,
        weight_bytes=(size + biases) * _FLOAT_BYTES,
        activation_bytes=layer.moved * _FLOAT_BYTES,
    )
