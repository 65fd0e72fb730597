"""Attention heads, and their width.

A head goes with its rows of query, key and value, and its columns of the output layer. A dimension
of a head goes with one row of query and of key, and one row of value with one column of the output:
the two are chosen apart, in every head for itself, but equally many of each, so that all heads of a
layer stay equally wide.

The scores are divided by the root of the width. Where heads have become narrower, the queries are
scaled so that the scores of what is left stay what they were.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from edgeecg.models._attention import SelfAttention
from edgeecg.pruning.groups import Group, Slice, matrices_of

INNER = ("query", "key", "value")


def reads(layer: SelfAttention) -> int:
    """Return the channels of the input."""
    return layer.query.in_features


def writes(layer: SelfAttention) -> int:
    """Return the channels of the output."""
    return layer.output.out_features


def read(name: str, owner: Tensor) -> list[Slice]:
    """Return where the input's channels lie: columns of query, key and value."""
    return [Slice(f"{name}.{inner}.weight", 1, owner) for inner in INNER]


def written(name: str, owner: Tensor) -> list[Slice]:
    """Return where the output's channels lie: rows of the output layer."""
    return [Slice(f"{name}.output.{own}", 0, owner) for own in ("weight", "bias")]


def find(model: nn.Module, name: str, layer: SelfAttention) -> list[Group]:
    """Return the heads of an attention layer as one group, and their dimensions as another.

    Args:
        model: The model.
        name: The layer's name in it.
        layer: The layer.
    """
    heads = layer.heads
    width = layer.query.out_features // heads
    inner = tuple(f"{name}.{each}" for each in INNER)
    # Both groups cut the same rows: each is given half of the weights.
    weights = matrices_of(model, inner) // 2
    producers = (*inner, name)

    def fewer(cut: nn.Module, parts: Tensor) -> None:
        _attention(cut, name).heads -= len(parts)

    def narrower(cut: nn.Module, parts: Tensor) -> None:
        query = _attention(cut, name).query
        left = 1 - len(parts) / (2 * heads * width)
        with torch.no_grad():
            query.weight.mul_(math.sqrt(left))
            query.bias.mul_(math.sqrt(left))

    whole = torch.arange(heads).repeat_interleave(width)
    single = torch.arange(heads * width)
    none = torch.full_like(single, -1)
    return [
        Group("head", name, producers, heads, _slices(name, whole, whole), weights, 1, 1, fewer),
        Group(
            "head_width",
            name,
            producers,
            width,
            # First the lanes of queries and keys, then those of values.
            (
                *_slices(name, single, none)[:4],
                *_slices(name, none, single + heads * width)[4:],
            ),
            weights,
            2 * heads,
            None,
            narrower,
        ),
    ]


def _slices(name: str, scores: Tensor, values: Tensor) -> tuple[Slice, ...]:
    """Return rows of query and key; rows of value and columns of the output."""
    rows = [("query", scores), ("key", scores), ("value", values)]
    found = [Slice(f"{name}.{own}.{kind}", 0, o) for own, o in rows for kind in ("weight", "bias")]
    return (*found, Slice(f"{name}.output.weight", 1, values))


def _attention(model: nn.Module, name: str) -> SelfAttention:
    layer = model.get_submodule(name)
    assert isinstance(layer, SelfAttention)
    return layer
