"""The energy-aware importance score, in both readings of the seed's formula.

The seed prints I = alpha |w| + (1 - alpha) E_l / max(E) and says that costly layers are pruned
more. Lowest scores are pruned first, so the printed formula *protects* costly layers. Both readings
are here, named for what they do:

- ``target`` (default): I = alpha m + (1 - alpha) (1 - E_l / max(E)); costly layers are cut more.
- ``protect``: I = alpha m + (1 - alpha) E_l / max(E), as printed; costly layers are cut less.

m is the magnitude relative to its layer's mean magnitude, so that 1 is average in every layer;
without that a layer with small weights would vanish whatever it does.

What stands behind m is a number for every single weight, squared so that numbers add up over all
that goes together: the weight itself (:func:`magnitude`), or what the loss would change by without
it, to first order (:func:`taylor`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from edgeecg.errors import EdgeECGError
from edgeecg.pruning.groups import Group
from edgeecg.schema import CompressionConfig

_TINY = 1e-12

WeightImportance = Callable[[nn.Module], Mapping[str, Tensor]]
"""Gives the squared importance of every single weight by parameter name, for a model as it is."""


def magnitude(model: nn.Module) -> dict[str, Tensor]:
    """Return every weight's square; biases say nothing."""
    return {
        name: parameter.detach().square()
        for name, parameter in model.named_parameters()
        if "bias" not in name.rpartition(".")[2]
    }


def taylor(losses: Callable[[nn.Module], Iterable[Tensor]]) -> WeightImportance:
    """Return the measure (gradient x weight)^2, added up over batches.

    It is the first-order estimate of the squared change of the loss when the weight is removed
    (Molchanov et al. 2019, arXiv:1906.10771, eq. 8).

    Args:
        losses: Gives the loss of each of some batches of training windows, given the model; each
            is asked for when the one before has been used.
    """

    def weight_importance(model: nn.Module) -> dict[str, Tensor]:
        parameters = dict(model.named_parameters())
        found = {name: torch.zeros_like(parameter) for name, parameter in parameters.items()}
        for loss in losses(model):
            gradients = torch.autograd.grad(loss, list(parameters.values()), materialize_grads=True)
            for (name, parameter), gradient in zip(parameters.items(), gradients, strict=True):
                found[name] += (gradient * parameter.detach()).square()
        return found

    return weight_importance


def measure(config: CompressionConfig, given: WeightImportance | None) -> WeightImportance:
    """Return what measures single weights: what was given, or their magnitude.

    Raises:
        EdgeECGError: The method is ``taylor``, and nothing was given to take gradients of.
    """
    if given is not None:
        return given
    if config.method == "taylor":
        raise EdgeECGError(
            "The method 'taylor' cannot score this model.",
            "It needs the gradients of a loss, and no training windows were given.",
            "Give a measure made by importance.taylor, or choose the method 'energy'.",
        )
    return magnitude


def parts(
    group: Group, weight_importance: Mapping[str, Tensor], config: CompressionConfig
) -> Tensor:
    """Add the single weights' importance up over all that goes with each part of a group.

    Magnitudes have no common unit: each tensor's are made shares of its own sum first, so that a
    part's importance is what part of all its tensors it is. For whole blocks, whose tensors go
    whole, they are relative to the mean square over all blocks instead.

    Args:
        group: What belongs together.
        weight_importance: Squared importance of the single weights.
        config: ``method``; ``taylor`` is in the loss's unit and is added up as it is.

    Returns:
        Importance of shape ``(lanes, size)``; comparable between groups.
    """
    mine = {
        each.tensor: weight_importance[each.tensor]
        for each in group.slices
        if each.tensor in weight_importance
    }
    if config.method != "taylor":
        means = {name: float(square.mean()) for name, square in mine.items()}
        if group.kind == "block":
            means = dict.fromkeys(means, sum(means.values()) / len(means))
        mine = {
            name: square / (means[name] * square.numel() + _TINY) for name, square in mine.items()
        }
    return group.sums(mine)


def energy_terms(
    energies: Sequence[float], reading: Literal["target", "protect"]
) -> tuple[float, ...]:
    """Return each layer's energy term, 0..1.

    Args:
        energies: E_l of every layer, in any unit.
        reading: Which reading of the formula.

    Returns:
        1 - E_l / max(E) for ``target``, E_l / max(E) for ``protect``.
    """
    most = max(energies)
    relative = tuple(energy / most if most > 0 else 0.0 for energy in energies)
    return relative if reading == "protect" else tuple(1 - share for share in relative)


def scores(
    magnitudes: Sequence[Tensor], energies: Sequence[float], config: CompressionConfig
) -> list[Tensor]:
    """Score every weight or channel of every layer; the lowest are pruned first.

    Args:
        magnitudes: Per layer, non-negative magnitudes of any shape.
        energies: E_l of every layer.
        config: ``method``, ``alpha`` and ``reading``. With ``l1`` the score is m alone; with
            ``random`` it is drawn evenly from 0..1, by the training's seed.

    Returns:
        Per layer, scores of the same shape.
    """
    if config.method == "random":
        draw = torch.Generator().manual_seed(config.training.seed)
        return [torch.rand(values.shape, generator=draw) for values in magnitudes]
    relative = [values / (values.mean() + _TINY) for values in magnitudes]
    if config.method == "l1":
        return relative
    terms = energy_terms(energies, config.reading)
    return [
        config.alpha * values + (1 - config.alpha) * term
        for values, term in zip(relative, terms, strict=True)
    ]


def per_cost(importance: Sequence[Tensor], saved: Sequence[float]) -> list[Tensor]:
    """Score units by what they matter for each part of the cost that goes with them.

    Cutting the lowest first is the greedy answer to "least loss within a budget". A unit matters
    in relation to what is left of its group when those below it have gone, so that the score rises
    without bound as a group empties, and one large step cuts about as several small ones do.

    Args:
        importance: Per group, importance of its units in rising order, comparable between groups.
        saved: Per group, the part of the model's cost that one unit of it saves.

    Returns:
        Per group, scores of the same shape, in rising order.
    """
    scored: list[Tensor] = []
    for values, cost in zip(importance, saved, strict=True):
        left = values.flip(0).cumsum(0).flip(0) / (values.sum() + _TINY)
        scored.append(values / (left * cost + _TINY))
    return scored


def lowest(score: Sequence[Tensor], limits: Sequence[int], count: int) -> list[Tensor]:
    """Choose the lowest scores over all layers, at most ``limits[l]`` of them in layer l.

    Args:
        score: Per layer, scores of shape ``(n_l,)``.
        limits: Most that may be chosen in each layer.
        count: Number to choose in all; fewer are chosen when the limits do not allow it.

    Returns:
        Per layer, the chosen indices in rising order.
    """
    candidates = [
        torch.argsort(values, stable=True)[:limit]
        for values, limit in zip(score, limits, strict=True)
    ]
    flat = torch.cat([values[chosen] for values, chosen in zip(score, candidates, strict=True)])
    layer = torch.cat([torch.full((len(chosen),), i) for i, chosen in enumerate(candidates)])
    winners = torch.argsort(flat, stable=True)[:count]
    taken = torch.bincount(layer[winners], minlength=len(score))
    return [
        chosen[: int(number)].sort().values
        for chosen, number in zip(candidates, taken, strict=True)
    ]
