"""Attention heads and their width as units that can be removed.

Removing a head removes its rows of query, key and value, and its columns of the output layer.
Removing a dimension from a head removes either one row of query and of key, or one row of value
with one column of the output. The dimensions are chosen independently in every head and for the two
cases, but equally many are removed everywhere, so that all heads of a layer have the same width.

The attention scores are divided by the square root of the width. When heads become narrower, the
queries are scaled so that the scores of the remaining dimensions do not change.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from edgeecg.models import SelfAttention
from edgeecg.pruning.groups import Group, Slice, count_weights

_INNER = ("query", "key", "value")


def input_channels(layer: SelfAttention) -> int:
    """Return the number of channels of the input."""
    return layer.query.in_features


def output_channels(layer: SelfAttention) -> int:
    """Return the number of channels of the output."""
    return layer.output.out_features


def input_slices(name: str, owner: Tensor) -> list[Slice]:
    """Return where the input's channels are: columns of query, key and value."""
    return [Slice(f"{name}.{inner}.weight", 1, owner) for inner in _INNER]


def output_slices(name: str, owner: Tensor) -> list[Slice]:
    """Return where the output's channels are: rows of the output layer."""
    return [Slice(f"{name}.output.{tensor}", 0, owner) for tensor in ("weight", "bias")]


def find_groups(model: nn.Module, name: str, layer: SelfAttention) -> list[Group]:
    """Return the heads of an attention layer as one group, and their dimensions as another.

    Args:
        model: The model.
        name: The layer's name in the model.
        layer: The layer.
    """
    heads = layer.heads
    width = layer.query.out_features // heads
    inner = tuple(f"{name}.{each}" for each in _INNER)
    # Both groups remove the same rows: half of the weights is assigned to each.
    weights = count_weights(model, inner) // 2
    producers = (*inner, name)

    def update_heads(pruned: nn.Module, parts: Tensor) -> None:
        _attention(pruned, name).heads -= len(parts)

    def rescale_queries(pruned: nn.Module, parts: Tensor) -> None:
        query = _attention(pruned, name).query
        remaining = 1 - len(parts) / (2 * heads * width)
        with torch.no_grad():
            query.weight.mul_(math.sqrt(remaining))
            query.bias.mul_(math.sqrt(remaining))

    by_head = torch.arange(heads).repeat_interleave(width)
    by_row = torch.arange(heads * width)
    no_part = torch.full_like(by_row, -1)
    return [
        Group(
            "head",
            name,
            producers,
            heads,
            _inner_slices(name, by_head, by_head),
            weights,
            lanes=1,
            multiple=1,
            after_removal=update_heads,
        ),
        Group(
            "head_width",
            name,
            producers,
            width,
            # First the lanes of queries and keys, then those of values.
            (
                *_inner_slices(name, by_row, no_part)[:4],
                *_inner_slices(name, no_part, by_row + heads * width)[4:],
            ),
            weights,
            lanes=2 * heads,
            after_removal=rescale_queries,
        ),
    ]


def _inner_slices(name: str, scores: Tensor, values: Tensor) -> tuple[Slice, ...]:
    """Return the slices of the rows of query, key and value, and of the columns of the output.

    Args:
        name: The layer's name.
        scores: The part that each row of query and key belongs to.
        values: The part that each row of value, and each column of the output, belongs to.
    """
    rows = [("query", scores), ("key", scores), ("value", values)]
    slices = [
        Slice(f"{name}.{layer}.{tensor}", 0, owner)
        for layer, owner in rows
        for tensor in ("weight", "bias")
    ]
    return (*slices, Slice(f"{name}.output.weight", 1, values))


def _attention(model: nn.Module, name: str) -> SelfAttention:
    layer = model.get_submodule(name)
    assert isinstance(layer, SelfAttention)
    return layer
