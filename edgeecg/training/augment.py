"""Small changes a beat survives: another electrode, another amplifier, another moment."""

from __future__ import annotations

import torch
from torch import Tensor

_SHIFT = 4
_NOISE = 0.05
_WANDER = 0.15


def augment(x: Tensor, generator: torch.Generator) -> Tensor:
    """Shift, disturb and rescale windows, each in its own way.

    A shift of up to 4 samples (a detector never hits the R peak exactly), white noise, a slow sine
    of random phase (baseline wander), then the window's own z-score again, as on the device.

    Args:
        x: Normalised windows, ``(batch, leads, samples)``, float32.
        generator: Source of randomness.

    Returns:
        New windows of the same shape.
    """
    batch, _, samples = x.shape
    shift = torch.randint(-_SHIFT, _SHIFT + 1, (batch, 1, 1), generator=generator)
    position = (torch.arange(samples) + shift).clamp(0, samples - 1).expand(x.shape)
    moved = torch.gather(x, 2, position)
    cycles = 0.2 + 0.8 * torch.rand(batch, 1, 1, generator=generator)
    phase = torch.rand(batch, 1, 1, generator=generator)
    turn = 2 * torch.pi * (cycles * torch.linspace(0, 1, samples) + phase)
    size = _WANDER * torch.rand(batch, 1, 1, generator=generator)
    noise = _NOISE * torch.randn(x.shape, generator=generator)
    disturbed = moved + size * torch.sin(turn) + noise
    mean = disturbed.mean(dim=2, keepdim=True)
    return (disturbed - mean) / (disturbed.std(dim=2, keepdim=True, unbiased=False) + 1e-6)
