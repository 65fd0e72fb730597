"""Augmentation: random changes of a window that do not change its class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from edgeecg.schema import Augmentation, Preprocessing
from edgeecg.signal import windows
from edgeecg.signal.rhythm import CLIP

_WARP_POINTS = 6

_FIBRILLATION = (0.1, 0.3)
"""Lowest and highest deviation of ln(RR) in atrial fibrillation."""

Augment = Callable[[Tensor, torch.Generator], Tensor]
"""(windows ``(batch, leads, samples)``, source of randomness) -> augmented windows."""


@dataclass(frozen=True)
class Augmenter:
    """Augments training windows.

    Attributes:
        sizes: Size of each change.
        preprocessing: Where the R peak and the rhythm strip are, and how windows are normalised.
        recorded: Recorded noise in standard deviations, ``(leads of the noise, samples)``, or None.
    """

    sizes: Augmentation
    preprocessing: Preprocessing
    recorded: NDArray[np.float32] | None = None

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Return new windows of the same shape, each changed at random.

        Args:
            x: Normalised windows, ``(batch, leads, samples)``, float32.
            generator: Source of randomness.
        """
        sizes, strip = self.sizes, self.preprocessing.signal_start
        signal = self._signal(x[:, :, strip:], generator)
        if sizes.lead_dropout:
            signal = signal * _keep(sizes.lead_dropout, (*x.shape[:2], 1), generator)
        if sizes.signal_dropout:
            kept = _keep(sizes.signal_dropout, (len(x), 1, 1), generator)
            part = self.preprocessing.signal_samples
            signal = torch.cat([signal[:, :, :part] * kept, signal[:, :, part:]], dim=2)
        if not strip:
            return signal
        return torch.cat([self._rhythm(x[:, :, :strip], generator), signal], dim=2)

    def irregular(self, x: Tensor, normal: Tensor, generator: torch.Generator) -> Tensor:
        """Return windows of which some normal beats have the RR intervals of atrial fibrillation.

        Those are independent of each other, as ln(RR) is nearly in fibrillation.

        Args:
            x: Windows ``(batch, leads, samples)``.
            normal: Whether each is a normal beat, ``(batch,)``.
            generator: Source of randomness.
        """
        probability, rhythm = self.sizes.irregular_rhythm, self.preprocessing.rhythm
        if not probability or rhythm is None:
            return x
        low, high = _FIBRILLATION
        batch, leads, strip = len(x), x.shape[1], rhythm.samples
        deviation = low + (high - low) * _uniform((batch, 1, 1), generator)
        beats = rhythm.gain * deviation * _normal((batch, 1, rhythm.beats), generator)
        drawn = beats.clamp(-CLIP, CLIP).repeat_interleave(rhythm.hold, dim=2)
        chosen = (_uniform((batch,), generator) < probability) & normal
        held = drawn.expand(batch, leads, -1)
        changed = torch.where(chosen[:, None, None], held, x[:, :, :strip])
        return torch.cat([changed, x[:, :, strip:]], dim=2)

    def _signal(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Return the augmented signal and, if there is one, its difference from the mean beat.

        Signal and mean beat come from one electrode and amplifier, so both are distorted alike.
        Only the signal gets noise, because a mean over many beats has next to none.
        """
        leads = x.shape[1]
        if self.preprocessing.reference is None:
            x = self._noisy(self._distorted(x, generator), generator)
            return self._normalised(x, x)
        signal, difference = x.chunk(2, dim=2)
        both = self._distorted(torch.cat([signal, signal - difference], dim=1), generator)
        signal, mean_beat = self._noisy(both[:, :leads], generator), both[:, leads:]
        normalised = self._normalised(signal, signal)
        return torch.cat([normalised, normalised - self._normalised(mean_beat, signal)], dim=2)

    def _distorted(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Return the signal shifted, stretched, filtered and scaled, all leads alike."""
        sizes, (batch, _, samples) = self.sizes, x.shape
        x = self._shifted(x, generator)
        if sizes.colour:
            taps = sizes.colour * _normal((batch, 2, 1), generator)
            x = (
                x
                + taps[:, :1] * F.pad(x, (1, 0))[:, :, :-1]
                + taps[:, 1:] * F.pad(x, (0, 1))[:, :, 1:]
            )
        if sizes.warp:
            points = _normal((batch, 1, _WARP_POINTS), generator)
            curve = F.interpolate(points, size=samples, mode="linear", align_corners=True)
            x = x * torch.exp(sizes.warp * curve)
        if sizes.gain:
            x = x * torch.exp(sizes.gain * _normal((batch, 1, 1), generator))
        return x

    def _noisy(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Return the signal with baseline wander and noise added."""
        sizes, (batch, leads, samples) = self.sizes, x.shape
        if sizes.wander:
            cycles = (0.2 + 0.8 * _uniform((batch, 1, 1), generator)) * samples / 256
            turn = cycles * torch.linspace(0, 1, samples) + _uniform((batch, leads, 1), generator)
            size = sizes.wander * _uniform((batch, leads, 1), generator)
            x = x + size * torch.sin(2 * torch.pi * turn)
        if sizes.noise:
            size = sizes.noise * _uniform((batch, 1, 1), generator)
            x = x + size * _normal(x.shape, generator)
        if sizes.recorded_noise and self.recorded is not None:
            x = x + sizes.recorded_noise * self._recorded(x, self.recorded, generator)
        return x

    def _shifted(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Return windows stretched about the R peak (or the middle), and shifted."""
        batch, leads, samples = x.shape
        sizes, r_index = self.sizes, self.preprocessing.r_index
        if not sizes.shift and not sizes.stretch:
            return x
        start = self.preprocessing.signal_start
        centre = samples / 2 if r_index is None else r_index - start
        scale = 1 + sizes.stretch * (2 * _uniform((batch, 1, 1), generator) - 1)
        shift = sizes.shift * (2 * _uniform((batch, 1, 1), generator) - 1)
        if not sizes.stretch:
            shift = shift.round()
        position = (torch.arange(samples) - centre) * scale + centre + shift
        position = position.clamp(0, samples - 1)
        left = position.floor().clamp(max=samples - 2)
        share = position - left
        index = left.long().expand(batch, leads, samples)
        return torch.gather(x, 2, index) * (1 - share) + torch.gather(x, 2, index + 1) * share

    def _recorded(
        self, x: Tensor, recorded: NDArray[np.float32], generator: torch.Generator
    ) -> Tensor:
        """Return a segment of recorded noise for each window and lead, of random size up to 1."""
        batch, leads, samples = x.shape
        kinds, length = recorded.shape
        start = torch.randint(length - samples, (batch, leads, 1), generator=generator)
        kind = torch.randint(kinds, (batch, leads, 1), generator=generator)
        flat = torch.from_numpy(recorded).reshape(-1)
        noise = flat[kind * length + start + torch.arange(samples)]
        return noise * _uniform((batch, 1, 1), generator)

    def _normalised(self, x: Tensor, scale: Tensor) -> Tensor:
        """Return windows z-scored by the deviation of ``scale``, where preprocessing does so."""
        if self.preprocessing.normalisation != "window-zscore":
            return x
        deviation = scale.std(dim=2, keepdim=True, unbiased=False) + windows.FLAT_MV
        return (x - x.mean(dim=2, keepdim=True)) / deviation

    def _rhythm(self, strip: Tensor, generator: torch.Generator) -> Tensor:
        """Return rhythm strips with other RR intervals, the same on every lead."""
        sizes, rhythm = self.sizes, self.preprocessing.rhythm
        assert rhythm is not None, "only called where there is a strip"
        batch, leads, _ = strip.shape
        beats = strip[:, :1, :: rhythm.hold]
        beats = beats * torch.exp(sizes.rhythm_gain * _normal((batch, 1, 1), generator))
        beats = beats + sizes.rhythm_jitter * _normal(beats.shape, generator)
        beats = beats * _keep(sizes.rhythm_dropout, (batch, 1, 1), generator)
        held = beats.clamp(-CLIP, CLIP).repeat_interleave(rhythm.hold, dim=2)
        return held.expand(batch, leads, -1)


def _uniform(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=generator)


def _normal(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator)


def _keep(dropout: float, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return (_uniform(shape, generator) >= dropout).float()
