"""The widths of single layers: what the shapes of their weights follow from."""

from __future__ import annotations

from typing import Any, cast

from torch import nn


def layer_widths(layer: nn.Module) -> tuple[int, ...]:
    """Return the widths of one layer; an empty tuple for a type without known widths."""
    if isinstance(layer, nn.Conv1d):
        return layer.in_channels, layer.out_channels, layer.groups
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    if isinstance(layer, nn.LSTM):
        return layer.input_size, layer.hidden_size
    if isinstance(layer, nn.BatchNorm1d):
        return (layer.num_features,)
    if isinstance(layer, nn.LayerNorm):
        return tuple(layer.normalized_shape)
    return ()


def resize_layer(layer: nn.Module, sizes: tuple[int, ...]) -> None:
    """Give a layer other widths and fresh weights, in place; everything else stays as it is.

    Raises:
        ValueError: The layer is of a type without known widths.
    """
    if sizes == layer_widths(layer):
        return
    fresh: nn.Module
    if isinstance(layer, nn.Conv1d):
        before, after, groups = sizes
        fresh = nn.Conv1d(
            before, after, layer.kernel_size[0], layer.stride[0], cast(Any, layer.padding),
            layer.dilation[0], groups, _biased(layer), cast(Any, layer.padding_mode),
        )  # fmt: skip
    elif isinstance(layer, nn.Linear):
        fresh = nn.Linear(*sizes, bias=_biased(layer))
    elif isinstance(layer, nn.LSTM):
        fresh = nn.LSTM(
            *sizes, layer.num_layers, layer.bias, layer.batch_first, layer.dropout,
            layer.bidirectional,
        )  # fmt: skip
    elif isinstance(layer, nn.BatchNorm1d):
        fresh = nn.BatchNorm1d(
            sizes[0], layer.eps, layer.momentum, layer.affine, layer.track_running_stats
        )
    elif isinstance(layer, nn.LayerNorm):
        fresh = nn.LayerNorm(list(sizes), layer.eps, layer.elementwise_affine, bias=_biased(layer))
    else:
        raise ValueError(f"a {type(layer).__name__} has no widths")
    layer.__dict__.update(fresh.__dict__)


def _biased(layer: nn.Module) -> bool:
    return any(name == "bias" for name, _ in layer.named_parameters(recurse=False))
