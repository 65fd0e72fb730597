"""What ``edgeecg train`` was asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from edgeecg.schema.data import Preprocessing
from edgeecg.schema.options import OrNone, setting
from edgeecg.schema.value import ClassMapName, Count, Fraction, Value

_Size = Annotated[float, Field(ge=0.0)]


def lead_pairs(texts: Iterable[str]) -> dict[str, str]:
    """Return ``{"MLII": "II"}`` for ``["MLII=II"]``.

    Raises:
        ValueError: A text is not of the form MODEL=RECORDS.
    """
    pairs: dict[str, str] = {}
    for text in texts:
        ours, sign, theirs = text.partition("=")
        if not (ours and sign and theirs):
            raise ValueError(
                f"'{text}' is not the model's name of a lead, an equals sign, and its name in the "
                "records, for example MLII=II"
            )
        pairs[ours] = theirs
    return pairs


def _leads(value: object) -> object:
    if isinstance(value, (list, tuple)):
        return lead_pairs(str(text) for text in value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return value


class Augmentation(Value):
    """How training windows are changed at random, each in its own way. 0 switches a part off.

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
        irregular_rhythm: Probability that the RR intervals of a normal beat become those of atrial
            fibrillation, in which an early beat is no premature one.
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
    irregular_rhythm: Fraction = 0.0


class TrainingConfig(Value):
    """Everything that decides what training does; the same configuration gives the same weights.

    Each field carries its description, from which the options of ``edgeecg train`` are made.
    """

    version: ClassVar[str] = "edgeecg.training/1"

    model: Annotated[str, setting("Architecture to train (see 'edgeecg models').")] = (
        "resnet1d_attn"
    )
    data: Annotated[
        str | None,
        setting(
            "Records: name of a database, or path of a folder of WFDB records. Left out: the "
            "model's own database if it is found, else synthetic records.",
            option="--data",
        ),
    ] = None
    leads: Annotated[
        dict[str, str],
        BeforeValidator(_leads),
        setting(
            "For a folder: MODEL'S LEAD=ITS NAME IN THE RECORDS; repeatable.", option="--leads"
        ),
    ] = Field(default={})
    class_map: Annotated[
        ClassMapName,
        setting("Mapping from beat symbols to classes.", option="--class-map"),
    ] = "aami"
    min_likelihood: Annotated[
        float,
        setting(
            "PTB-XL: likelihood in percent from which a diagnostic statement counts.",
            option="--min-likelihood",
            ge=0.0,
            le=100.0,
        ),
    ] = 0.0
    strict: Annotated[
        bool,
        setting(
            "Refuse a folder with a record that cannot be used, instead of leaving it out.",
            option="--strict",
        ),
    ] = False
    preprocessing: Annotated[
        Preprocessing | None,
        setting("How leads become windows; left out: the default of the model's data."),
    ] = None
    epochs: Annotated[
        int, setting("Epochs of training of the dense model.", option="--epochs", ge=1)
    ] = 8
    epoch_windows: Annotated[
        int | None,
        Field(ge=64),
        setting(
            "Windows drawn per epoch, balanced over classes and records (beats only); none: every "
            "window once.",
            option="--epoch-windows",
        ),
        OrNone,
    ] = 8000
    batch_size: Annotated[int, setting("Windows per optimisation step.", ge=1)] = 128
    learning_rate: Annotated[
        float, setting("Peak learning rate.", option="--learning-rate", gt=0.0, le=10.0)
    ] = 2e-3
    weight_decay: Annotated[float, setting("Weight decay of AdamW.", ge=0.0)] = 1e-2
    clip_norm: Annotated[float, setting("Largest norm of the gradient.", gt=0.0)] = 1.0
    average: Annotated[
        float,
        setting(
            "Weight of the past in the running mean of the weights, which is the model that is "
            "scored and kept; 0 keeps the last weights.",
            ge=0.0,
            lt=1.0,
        ),
    ] = 0.99
    mixup: Annotated[
        float,
        setting(
            "Both parameters of the beta distribution by which pairs of windows are mixed (Zhang "
            "et al. 2018, arXiv:1710.09412); 0 for no mixing.",
            ge=0.0,
        ),
    ] = 0.0
    label_smoothing: Annotated[
        float, setting("Share of the target that is spread over all classes.", ge=0.0, le=1.0)
    ] = 0.0
    soft_targets: Annotated[
        float,
        setting(
            "Share of each label that comes from a teacher: a linear head on random convolutions, "
            "fitted to other patients; for several labels per record only.",
            ge=0.0,
            le=1.0,
        ),
    ] = 0.0
    teachers: Annotated[
        tuple[str, ...],
        setting(
            "Model of the package, or run, whose probabilities are learned beside the labels; of "
            "several teachers (the option is repeatable) the mean.",
            option="--teacher",
        ),
    ] = ()
    teacher_weight: Annotated[
        float,
        setting("Share of the teachers in the loss.", option="--teacher-weight", ge=0.0, le=1.0),
    ] = 0.5
    teacher_temperature: Annotated[
        float, setting("Temperature of the teachers' probabilities.", gt=0.0)
    ] = 2.0
    teacher_windows: Annotated[
        Literal["training", "wide"],
        setting(
            "Windows on which teachers are learned from. training: changed at random as without "
            "teachers; wide: changed more and mixed in pairs, and no dropout, so that the model "
            "also decides as the teachers do on beats that no training patient has.",
            option="--teacher-windows",
        ),
    ] = "training"
    augmentation: Annotated[
        Augmentation, setting("How training windows are changed at random.")
    ] = Augmentation()
    # The samplers of a search take seeds of 32 bits.
    seed: Annotated[int, setting("Seed of everything random.", option="--seed", ge=0, lt=2**32)] = 0
    threads: Annotated[
        int,
        setting(
            "Threads of torch; with 1, a run repeats bit for bit.", option="--threads", ge=1, le=256
        ),
    ] = 1
