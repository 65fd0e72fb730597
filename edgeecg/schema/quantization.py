"""What int8 did to a run's model."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from edgeecg.schema.scores import Scores
from edgeecg.schema.value import Count, Fraction, Value

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
