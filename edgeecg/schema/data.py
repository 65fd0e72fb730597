"""What the records are, and how a lead becomes a model input."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from edgeecg.schema.value import ClassMapName, Count, Positive, Sha256, Source, Value


class Rhythm(Value):
    """A strip of past RR intervals at the head of a beat's window.

    A beat is premature by comparison with the beats before it, and a window of two seconds does not
    see enough of them. So the first ``beats * hold`` samples of the window are no signal: they hold
    the last ``beats`` RR intervals, oldest first, each for ``hold`` samples, as
    ``gain * ln(RR / m)``, within -4..4, where m is a causal running mean of RR. The strip is a part
    of the one input: every model, every export target and every device carries it without knowing
    of it.

    Attributes:
        beats: RR intervals in the strip; the last one ends at the beat itself.
        hold: Samples per interval.
        reference_beats: Length of the running mean, in beats.
        gain: Factor on the logarithm.
        over_deviation: Divide by ``sqrt(d + 0.02)``, where d is a running mean of ``|ln(RR / m)|``:
            in an irregular rhythm an early beat says less.
    """

    beats: Annotated[int, Field(ge=1, le=64)] = 2
    hold: Annotated[int, Field(ge=1, le=64)] = 32
    reference_beats: Annotated[int, Field(ge=1)] = 128
    gain: Positive = 4.0
    over_deviation: bool = False

    @property
    def samples(self) -> int:
        """Length of the strip."""
        return self.beats * self.hold


class Reference(Value):
    """The patient's own mean beat, as a second stretch of the window.

    What is wide or tall for one patient is usual for the next: a bundle branch block makes every
    normal beat look ventricular. So behind the beat follows the beat minus the running mean of the
    beats before it, of the same length and in the same deviations: near 0 for a beat like the
    patient's others. Causal; the mean takes no notice of classes.

    Attributes:
        beats: Length of the exponential running mean, in beats.
    """

    beats: Annotated[int, Field(ge=1)] = 64


class Preprocessing(Value):
    """How raw leads become a model input; a device repeats it sample by sample.

    A causal high-pass at the record's own rate, causal polyphase resampling to ``fs_hz``, then
    either one window per beat, whose sample ``r_index`` is the R peak, or the record's first
    ``window`` samples as they are. With all its parts a window of a beat is: rhythm strip, signal,
    signal minus the patient's mean beat.

    Attributes:
        fs_hz: Sampling rate of the window in hertz.
        window: Samples in a window, all its parts included.
        r_index: Index of the R peak in the window, 0-based; None when a window is not about a beat.
        highpass_hz: Corner of the causal second-order Butterworth high-pass, in hertz, or None.
        normalisation: ``"window-zscore"``: minus the window's mean, over its deviation, each lead
            by itself, the rhythm strip left out. ``"global-zscore"``: minus ``mean_mv``, over
            ``deviation_mv``, which were taken from training records.
        mean_mv: Mean of the training records; only with ``"global-zscore"``.
        deviation_mv: Deviation of the training records; only with ``"global-zscore"``.
        leads: Names of the leads, in the order of the input's rows.
        rhythm: The strip of past RR intervals, or None for none.
        reference: The patient's mean beat to compare with, or None for none.
        recentre_peaks: Move annotated R peaks by the rule that detected ones are found by; see
            :func:`edgeecg.signal.r_peaks.recentre`. Written to JSON only where it is true, so that
            windows made before there was this key keep their hash.
    """

    fs_hz: Positive = 128.0
    window: Annotated[int, Field(ge=16)] = 256
    r_index: Count | None = 160
    highpass_hz: Positive | None = 0.5
    normalisation: Literal["window-zscore", "global-zscore"] = "window-zscore"
    mean_mv: float | None = None
    deviation_mv: Positive | None = None
    leads: Annotated[tuple[str, ...], Field(min_length=1)] = ("MLII",)
    rhythm: Rhythm | None = None
    reference: Reference | None = None
    recentre_peaks: bool = False

    @property
    def signal_start(self) -> int:
        """Index of the first sample of signal; before it lies the rhythm strip."""
        return self.rhythm.samples if self.rhythm else 0

    @property
    def signal_samples(self) -> int:
        """Samples of signal in a window."""
        rest = self.window - self.signal_start
        return rest // 2 if self.reference else rest

    @model_validator(mode="after")
    def _check(self) -> Self:
        start, stop = self.signal_start, self.signal_start + self.signal_samples
        if self.r_index is not None and not start <= self.r_index < stop:
            raise ValueError(
                f"r_index {self.r_index} lies outside the signal in a window of {self.window}, "
                f"which takes the samples from {start} to {stop - 1}"
            )
        if self.reference is not None and (self.window - start) % 2:
            raise ValueError("signal and reference need an even number of samples between them")
        if self.r_index is None and (self.rhythm or self.reference):
            raise ValueError(
                "a rhythm strip and a reference need windows about a beat: set r_index"
            )
        if self.highpass_hz is not None and self.highpass_hz >= self.fs_hz / 2:
            raise ValueError(f"highpass_hz {self.highpass_hz} is not below fs_hz / 2")
        given = {self.mean_mv is not None, self.deviation_mv is not None}
        if given != {self.normalisation == "global-zscore"}:
            raise ValueError(
                "mean_mv and deviation_mv belong to global-zscore, which needs both of them"
            )
        if self.recentre_peaks and self.r_index is None:
            raise ValueError("recentre_peaks needs windows about a beat: set r_index")
        return self

    @model_serializer(mode="wrap")
    def _without_default(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = serialize(self)
        if not self.recentre_peaks:
            document.pop("recentre_peaks", None)
        return document


class DataSummary(Value):
    """Which records, with which labels, were behind a model or a score.

    Attributes:
        source: Name of the database, such as ``"mitdb"`` or ``"ptbxl"``; ``"folder"`` for the
            user's own records, ``"synthetic"`` for generated ones.
        class_map: From annotations to classes: ``"aami"`` or ``"ec57"`` for beats,
            ``"superclasses"`` for PTB-XL.
        classes: Class names in the order of the model's outputs.
        train_records: Records that the weights were fitted to; for PTB-XL, its folds.
        val_records: Records that every decision (stopping, pruning, thresholds) was taken on.
        test_records: Records that were looked at once, for the final score.
        beats: Beats (PTB-XL: records) per class and split, e.g. ``{"train": {"N": 1, ...}, ...}``.
        skipped: Number of beats or records left out, by reason.
        left_out: Why a record could not be used, by its name.
        content_sha256: Hash of the record files and of the preprocessing.
        licence: Licence and citation of the records.
        notes: What a reader of any figure on these records has to know, a sentence each.
    """

    source: Source
    class_map: ClassMapName | Literal["superclasses"]
    classes: tuple[str, ...]
    train_records: tuple[str, ...]
    val_records: tuple[str, ...]
    test_records: tuple[str, ...]
    beats: dict[str, dict[str, Count]]
    skipped: dict[str, Count]
    left_out: dict[str, str] = Field(default={})
    content_sha256: Sha256
    licence: str
    notes: tuple[str, ...] = ()
