"""The energy-aware importance score, in both readings of the seed's formula.

The seed prints I = alpha |w| + (1 - alpha) E_l / max(E) and says that costly layers are pruned
more. Lowest scores are pruned first, so the printed formula *protects* costly layers. Both readings
are here, named for what they do:

- ``target`` (default): I = alpha m + (1 - alpha) (1 - E_l / max(E)); costly layers are cut more.
- ``protect``: I = alpha m + (1 - alpha) E_l / max(E), as printed; costly layers are cut less.

m is the magnitude relative to its layer's mean magnitude, so that 1 is average in every layer;
without that a layer with small weights would vanish whatever it does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from edgeecg.schema import CompressionConfig

_TINY = 1e-12


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
        config: ``method``, ``alpha`` and ``reading``. With ``l1`` the score is m alone.

    Returns:
        Per layer, scores of the same shape.
    """
    relative = [magnitude / (magnitude.mean() + _TINY) for magnitude in magnitudes]
    if config.method == "l1":
        return relative
    terms = energy_terms(energies, config.reading)
    return [
        config.alpha * magnitude + (1 - config.alpha) * term
        for magnitude, term in zip(relative, terms, strict=True)
    ]


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
