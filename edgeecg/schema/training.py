"""What ``edgeecg train`` was asked for."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from edgeecg.schema.data import Preprocessing
from edgeecg.schema.value import ClassMapName, Count, Fraction, Positive, Value

_Size = Annotated[float, Field(ge=0.0)]


class Augmentation(Value):
    """How training windows are disturbed, each in its own way. 0 switches a part off.

    Sizes are relative to the window as the model sees it, whose deviation is about 1.

    Attributes:
        shift: Largest shift in samples: a detector never hits the R peak exactly.
        stretch: Largest relative change of the time scale about the R peak.
        gain: Deviation of the logarithm of a factor on the window, one per window; without effect
            on windows that are z-scored by themselves.
        warp: Deviation of the logarithm of a slow factor along the window.
        colour: Deviation of the taps of a random three-tap filter: another amplifier.
        wander: Largest amplitude of a slow sine, a lead each.
        noise: Largest deviation of white noise.
        recorded_noise: Largest deviation of real baseline wander and muscle artefact from the
            training half of the noise records; needs ``nstdb``.
        lead_dropout: Probability of a lead to be flat.
        signal_dropout: Probability of the signal itself to be flat, so that the other parts of the
            window (rhythm strip, difference from the mean beat) have to be read.
        rhythm_jitter: Deviation of noise on the values of the rhythm strip.
        rhythm_gain: Deviation of the logarithm of a factor on the rhythm strip.
        rhythm_dropout: Probability of the rhythm strip to be 0.
    """

    shift: Count = 4
    stretch: Fraction = 0.0
    gain: _Size = 0.0
    warp: _Size = 0.0
    colour: _Size = 0.0
    wander: _Size = 0.15
    noise: _Size = 0.05
    recorded_noise: _Size = 0.0
    lead_dropout: Fraction = 0.0
    signal_dropout: Fraction = 0.0
    rhythm_jitter: _Size = 0.0
    rhythm_gain: _Size = 0.0
    rhythm_dropout: Fraction = 0.0


class TrainingConfig(Value):
    """Everything that decides what training does; the same config, the same weights.

    Attributes:
        model: Architecture to train.
        data: ``"mitdb"``, ``"ptbxl"``, ``"synthetic"``, or the path of a folder; None for the
            model's own database if it is found, else synthetic records.
        leads: For a folder: what the model's leads are called there.
        class_map: From beat symbols to classes.
        min_likelihood: For PTB-XL: likelihood in percent from which a statement counts.
        preprocessing: How leads become windows; None for the default of the model's data.
        epochs: Epochs the learning-rate curve spans.
        epoch_windows: Windows drawn per epoch, balanced over classes and records; None for each
            window once.
        batch_size: Windows per optimisation step.
        learning_rate: Peak learning rate.
        weight_decay: AdamW weight decay.
        clip_norm: Largest norm of the gradient.
        average: Weight of the past in the running mean of the weights, which is the model that is
            scored and kept; 0 keeps the last weights themselves.
        mixup: Both parameters of the beta distribution that pairs of windows are mixed by (Zhang et
            al. 2018, arXiv:1710.09412); 0 for no mixing.
        label_smoothing: Share of the target that is spread over all classes.
        soft_targets: Share of each label that a teacher gives, a linear head on random convolutions
            fitted to other patients; for several labels per record only. See
            :mod:`edgeecg.training.random_encoder`.
        augmentation: How windows are disturbed.
        seed: Seed of everything random.
        threads: Threads of torch; another number may change the last bits of the weights.
    """

    version: ClassVar[str] = "edgeecg.training/1"

    model: str = "resnet1d_attn"
    data: str | None = None
    leads: dict[str, str] = Field(default={})
    class_map: ClassMapName = "aami"
    min_likelihood: Annotated[float, Field(ge=0.0, le=100.0)] = 0.0
    preprocessing: Preprocessing | None = None
    epochs: Annotated[int, Field(ge=1)] = 8
    epoch_windows: Annotated[int, Field(ge=64)] | None = 8000
    batch_size: Annotated[int, Field(ge=1)] = 128
    learning_rate: Positive = 2e-3
    weight_decay: _Size = 1e-2
    clip_norm: Positive = 1.0
    average: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.99
    mixup: _Size = 0.0
    label_smoothing: Fraction = 0.0
    soft_targets: Fraction = 0.0
    augmentation: Augmentation = Augmentation()
    seed: int = 0
    threads: Annotated[int, Field(ge=1)] = 1
