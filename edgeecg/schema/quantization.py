"""What int8 did to a run's model."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from edgeecg.schema.artifacts import Parity, ScoreDrop, Speed
from edgeecg.schema.fidelity import Fidelity
from edgeecg.schema.scores import Scores
from edgeecg.schema.value import Count, Fraction, Sha256, Value

Quantize = Literal["none", "ptq", "qat"]
"""No int8; int8 after training; training with int8's rounding on."""


class QuantizationLog(Value):
    """``quantization.json``: how a run's model was made ready for int8.

    The weights beside it are float32 still; export rounds them, and leaves ``float_layers`` as they
    are.

    Attributes:
        mode: What was asked for.
        kept: What holds the guards: ``"qat"``, ``"ptq"``, or ``"none"``: the model stays float32.
        broken: By what was tried and undone: each guard it broke, and the score that broke it.
        target: The export target whose arithmetic was followed.
        calibration_windows: Training windows that the ranges were measured on.
        train_loss: Mean loss of each epoch with rounding on; empty unless ``kept`` is ``"qat"``.
        metric: What the scores below are.
        val_float32: Score of the float32 model on the validation windows looked at.
        val_int8: Score of the rounded model, its float layers left out, on the same windows.
        lost: By layer: what that score loses with this layer alone in int8; negative is a gain.
        threshold: A layer that loses more than this was a candidate for float32.
        most: How many layers were allowed to stay in float32.
        float_layers: Layers that export keeps in float32.
        val: Scores of the rounded model, its float layers left out, on all validation windows.
        fidelity: Agreement of that model with the dense one where guards of the fidelity are
            measured; None in logs of versions that did not measure it.
        ranges: Lowest and highest value of each int8 activation, by the layer or operation it comes
            out of.
    """

    version: ClassVar[str] = "edgeecg.quantization/2"

    mode: Quantize
    kept: Quantize
    broken: dict[Quantize, dict[str, Fraction]] = Field(default={})
    target: str
    calibration_windows: Count
    train_loss: tuple[float, ...]
    metric: str
    val_float32: float
    val_int8: float
    lost: dict[str, float]
    threshold: Annotated[float, Field(ge=0.0)]
    most: Count
    float_layers: tuple[str, ...]
    val: Scores
    fidelity: Fidelity | None = None
    ranges: dict[str, tuple[float, float]]

    @property
    def remark(self) -> str:
        """What came of it, in words."""
        undone = "; ".join(
            f"{_TRIED[mode]} breaks "
            + " and ".join(f"{guard} ({value:.3f})" for guard, value in guards.items())
            for mode, guards in self.broken.items()
        )
        if self.kept == "none":
            return f"{undone}: the model stays in float32. Export it to a float32 target."
        what, score = self.val.headline
        layers = ", ".join(self.float_layers)
        return (
            (f"{undone} and was undone. " if undone else "")
            + f"{_TRIED[self.kept]} has a {what} of {score:.3f} on the validation records"
            + (f", with {layers} left in float32." if layers else ".")
        )


_TRIED = {"qat": "Int8 with training", "ptq": "Int8 without training"}


class QuantizedFile(Value):
    """A file of another program that ``edgeecg quantize`` quantised.

    Attributes:
        file: The quantised file.
        source: The float32 file.
        source_sha256: Hash of the float32 file.
        target: Export target whose types and limits were used.
        sha256: Hash of the quantised file.
        size_bytes: Size of the quantised file.
        source_bytes: Size of the float32 file.
        calibration_windows: Windows that the ranges of the activations come from.
        agreement: Agreement with the float32 file on other windows.
        score: Macro-F1 on these windows, or None where their classes are not known.
        speed: Time beside the float32 file, on this machine.
    """

    version: ClassVar[str] = "edgeecg.quantized/1"

    file: str
    source: str
    source_sha256: Sha256
    target: str
    sha256: Sha256
    size_bytes: Count
    source_bytes: Count
    calibration_windows: Count
    agreement: Parity
    score: ScoreDrop | None
    speed: Speed
