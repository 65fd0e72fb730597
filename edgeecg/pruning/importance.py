"""The energy-aware importance score, with both possible energy terms.

The reference study prints I = alpha |w| + (1 - alpha) E_l / max(E) and says that costly layers are
pruned more. The lowest scores are pruned first, so that the printed formula *protects* costly
layers. Both variants are available, named after their effect:

- ``prefer-costly`` (default): I = alpha m + (1 - alpha) (1 - E_l / max(E)); costly layers are
  pruned more.
- ``protect-costly``: I = alpha m + (1 - alpha) E_l / max(E), as printed; costly layers are pruned
  less.

m is the magnitude relative to the mean magnitude of the layer, so that 1 is average in every layer.
Without that, a layer with small weights would be pruned away regardless of what it contributes.

m is computed from one value for every single weight, squared so that values can be added up over
everything that is removed together: the weight itself (:func:`magnitude`), or the first-order
estimate of the change of the loss when the weight is removed (:func:`taylor`).
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

EnergyTerm = Literal["prefer-costly", "protect-costly"]
"""Whether costly layers are pruned more or less."""

WeightImportance = Callable[[nn.Module], Mapping[str, Tensor]]
"""Returns the squared importance of every single weight of a model, by parameter name."""


def magnitude(model: nn.Module) -> dict[str, Tensor]:
    """Return the square of every weight; biases are left out."""
    return {
        name: parameter.detach().square()
        for name, parameter in model.named_parameters()
        if parameter.ndim > 1 or "bias" not in name.rpartition(".")[2]
    }


def taylor(losses: Callable[[nn.Module], Iterable[Tensor]]) -> WeightImportance:
    """Return the function that computes (gradient x weight)^2, added up over batches.

    This is the first-order estimate of the squared change of the loss when the weight is removed
    (Molchanov et al. 2019, arXiv:1906.10771, eq. 8).

    Args:
        losses: Given the model, yields the loss of each of some batches of training windows. The
            next one is requested when the one before has been used.
    """

    def measure(model: nn.Module) -> dict[str, Tensor]:
        parameters = dict(model.named_parameters())
        importance = {name: torch.zeros_like(parameter) for name, parameter in parameters.items()}
        for loss in losses(model):
            gradients = torch.autograd.grad(loss, list(parameters.values()), materialize_grads=True)
            for (name, parameter), gradient in zip(parameters.items(), gradients, strict=True):
                importance[name] += (gradient * parameter.detach()).square()
        return importance

    return measure


def largest(importances: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Combine the importances of weights for several classes by their maximum.

    Each is divided by its sum over all weights first: the loss of a class that is classified well
    has small gradients, and its weights would count for nothing beside those of the others.

    Args:
        importances: For each class, the squared importance of every single weight, at least one.

    Returns:
        The maximum over the classes, by parameter name.
    """
    totals = [sum(float(values.sum()) for values in each.values()) for each in importances]
    return {
        name: torch.stack(
            [each[name] / (total + _TINY) for each, total in zip(importances, totals, strict=True)]
        ).amax(dim=0)
        for name in importances[0]
    }


def choose_measure(config: CompressionConfig, given: WeightImportance | None) -> WeightImportance:
    """Return the function that measures single weights: the given one, or their magnitude.

    Raises:
        EdgeECGError: The method is ``taylor``, which needs a given function.
    """
    if given is not None:
        return given
    if config.method == "taylor":
        raise EdgeECGError(
            "The method 'taylor' cannot score this model.",
            "It needs the gradients of a loss, and no training windows were given.",
            "Pass a function made by importance.taylor, or choose the method 'energy'.",
        )
    return magnitude


def part_importance(
    group: Group, weights: Mapping[str, Tensor], config: CompressionConfig
) -> Tensor:
    """Add up the importance of single weights over each part of a group.

    Magnitudes have no common unit. Each tensor is therefore divided by its own sum first, so that a
    part's importance is its share of all its tensors. Whole blocks contain whole tensors; their
    values are divided by the mean square over all blocks instead.

    Args:
        group: The group.
        weights: Squared importance of the single weights, by parameter name.
        config: ``method``; the values of ``taylor`` are in the unit of the loss and are added up
            as they are.

    Returns:
        Importance of shape ``(lanes, size)``; comparable between groups.
    """
    values = {each.tensor: weights[each.tensor] for each in group.slices if each.tensor in weights}
    if config.method != "taylor":
        means = {name: float(tensor.mean()) for name, tensor in values.items()}
        if group.kind == "block":
            means = dict.fromkeys(means, sum(means.values()) / len(means))
        values = {
            name: tensor / (means[name] * tensor.numel() + _TINY) for name, tensor in values.items()
        }
    return group.sums(values)


def energy_terms(energies: Sequence[float], energy_term: EnergyTerm) -> tuple[float, ...]:
    """Return each layer's energy term, 0..1.

    Args:
        energies: E_l of every layer, in any unit.
        energy_term: Which term is used.

    Returns:
        1 - E_l / max(E) for ``prefer-costly``, E_l / max(E) for ``protect-costly``.
    """
    largest = max(energies)
    relative = tuple(energy / largest if largest > 0 else 0.0 for energy in energies)
    if energy_term == "protect-costly":
        return relative
    return tuple(1 - share for share in relative)


def scores(
    magnitudes: Sequence[Tensor], energies: Sequence[float], config: CompressionConfig
) -> list[Tensor]:
    """Score every weight or unit of every layer; the lowest are pruned first.

    Args:
        magnitudes: Per layer, non-negative magnitudes of any shape.
        energies: E_l of every layer.
        config: ``method``, ``alpha`` and ``energy_term``. With ``l1`` the score is m alone; with
            ``random`` it is drawn uniformly from 0..1 with the training's seed.

    Returns:
        Per layer, scores of the same shape.
    """
    if config.method == "random":
        generator = torch.Generator().manual_seed(config.training.seed)
        return [torch.rand(values.shape, generator=generator) for values in magnitudes]
    relative = [values / (values.mean() + _TINY) for values in magnitudes]
    if config.method == "l1":
        return relative
    terms = energy_terms(energies, config.energy_term)
    return [
        config.alpha * values + (1 - config.alpha) * term
        for values, term in zip(relative, terms, strict=True)
    ]


def scores_per_cost(importance: Sequence[Tensor], saved: Sequence[float]) -> list[Tensor]:
    """Score units by their importance per share of the model's cost that they save.

    Removing the lowest first is the greedy solution of "least loss within a budget". The importance
    of a unit is taken relative to what remains of its group when all less important units have been
    removed. The score therefore rises without bound as a group empties, and one large step removes
    about the same units as several small ones.

    Args:
        importance: Per group, importance of its units in ascending order, comparable between
            groups.
        saved: Per group, the share of the model's cost that one of its units saves.

    Returns:
        Per group, scores of the same shape, in ascending order.
    """
    scored: list[Tensor] = []
    for values, cost in zip(importance, saved, strict=True):
        remaining = values.flip(0).cumsum(0).flip(0) / (values.sum() + _TINY)
        scored.append(values / (remaining * cost + _TINY))
    return scored


def select_lowest(score: Sequence[Tensor], limits: Sequence[int], count: int) -> list[Tensor]:
    """Select the lowest scores over all layers, at most ``limits[l]`` of them in layer l.

    Args:
        score: Per layer, scores of shape ``(n_l,)``.
        limits: Most that may be selected in each layer.
        count: Number to select in all; fewer are selected when the limits do not allow it.

    Returns:
        Per layer, the selected indices in ascending order.
    """
    candidates = [
        torch.argsort(values, stable=True)[:limit]
        for values, limit in zip(score, limits, strict=True)
    ]
    flat = torch.cat([values[chosen] for values, chosen in zip(score, candidates, strict=True)])
    layer = torch.cat([torch.full((len(chosen),), i) for i, chosen in enumerate(candidates)])
    winners = torch.argsort(flat, stable=True)[:count]
    counts = torch.bincount(layer[winners], minlength=len(score))
    return [
        chosen[: int(number)].sort().values
        for chosen, number in zip(candidates, counts, strict=True)
    ]
