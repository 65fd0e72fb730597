"""Exported files and their manifests."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from edgeecg.schema.costs import CostTotals, LayerCost
from edgeecg.schema.data import Preprocessing
from edgeecg.schema.filters import FilterCoefficients
from edgeecg.schema.scores import Scores
from edgeecg.schema.value import (
    ClassMapName,
    Count,
    DType,
    Format,
    Fraction,
    Positive,
    Role,
    Sha256,
    Source,
    Task,
    Value,
)


class Parity(Value):
    """Agreement of a file's outputs with the reference outputs of the PyTorch model.

    Attributes:
        n: Number of probe windows that were compared, or None when there was no probe set.
        max_abs_diff: Largest absolute difference of a logit, or None.
        label_agreement: Fraction of the windows with the same most likely class (records: with the
            same classes at a probability of 0.50), or None.
        reason: Why the outputs were not compared, or None.
    """

    n: Count | None
    max_abs_diff: Annotated[float, Field(ge=0.0)] | None
    label_agreement: Fraction | None
    reason: str | None = None


class ScoreDrop(Value):
    """What a file loses in the validation score.

    Attributes:
        metric: The score, ``"macro-F1"`` or ``"macro AUROC"``.
        reference: Score of the PyTorch model, or of the float32 file, on the same windows.
        file: Score of the file on the same windows.
    """

    metric: str
    reference: Fraction
    file: Fraction

    @property
    def drop(self) -> float:
        """By how much the file scores lower; negative where it scores higher."""
        return self.reference - self.file


class Speed(Value):
    """Time of a file beside the float32 file of the same model, on one thread of this machine.

    The two files are timed in turns, so that a change of the clock or another program affects both.

    Attributes:
        p50_s: Median time of an inference.
        float32_p50_s: The same for the float32 file.
        ratio: Median over the turns of the ratio of both.
        ratio_low: Lower quartile of that ratio.
        ratio_high: Upper quartile of that ratio.
        processor: Name of the processor, or None when unknown.
        extensions: Its vector extensions, or None when unknown.
    """

    p50_s: Positive
    float32_p50_s: Positive
    ratio: Positive
    ratio_low: Positive
    ratio_high: Positive
    processor: str | None = None
    extensions: tuple[str, ...] | None = None


class Rejection(Value):
    """``NAME.rejected``: why a file was not written.

    Attributes:
        name: Stem of the file that was not written.
        target: Export target.
        what: What failed.
        why: The limit that was missed, with its value.
        todo: What to do instead.
        differences: By layer, where they could be computed: the largest change of a logit when this
            layer alone is in int8; largest first.
    """

    version: ClassVar[str] = "edgeecg.rejection/1"

    name: str
    target: str
    what: str
    why: str
    todo: str
    differences: dict[str, float] = Field(default={})


class Baseline(Value):
    """The dense float32 file that the proxy of a file is relative to.

    Attributes:
        weights_sha256: Hash of the baseline's weights.
        costs: Costs counted from the baseline's exported float32 file of the same format.
    """

    weights_sha256: Sha256
    costs: CostTotals


class Artifact(Value):
    """The manifest of an exported file: embedded in the file, and beside it as ``STEM.json``.

    Attributes:
        name: Stem of the file, e.g. ``resnet1d_attn-compressed-tflite-int8``.
        role: Dense baseline or compressed model.
        format: File format.
        dtype: Type the weights are stored in; ``layers`` has the type they are multiplied in.
        target: Export target, one of ``export/``.
        model: Architecture.
        run: Name of the run folder it came from.
        parameters: Parameters of the module it was exported from.
        classes: Class names in the order of the outputs.
        input_shape: ``(batch, leads, samples)``, float32.
        preprocessing: How an ECG signal becomes an input.
        filters: Coefficients of its filters for common sampling rates of a device.
        data: Source of the records that the model was trained on.
        task: One class per input, or any number.
        class_map: From annotations to classes, as in ``DataSummary``.
        min_likelihood: PTB-XL only: likelihood in percent from which a diagnostic statement counted
            in training.
        weights_sha256: Hash of the weights it was exported from.
        layers: Costs counted from this file, layer by layer.
        costs: Sum of ``layers``.
        baseline: The file that the proxy is relative to, or None when unknown.
        verification: Agreement with PyTorch on the probe set, right after writing.
        validation: Its score on the validation split beside that of PyTorch, or None where the
            target has no limit for it.
        test: Scores of the file itself on the test records, or None when not computed.
        float_layers: Layers that stay float32 in a quantised file because of their accuracy or
            time.
        float_ops: Operations that stay float32 in a quantised file.
        float_reasons: Why operations are float32 that the target has in int8, by operation; the
            document has this key only where there are any.
        versions: Versions of the packages that it was made with.
        git_revision: Revision of the code, or None outside a checkout.
        file: File name; None in the embedded copy.
        sha256: Hash of the file; None in the embedded copy, which cannot hold its own hash.
        size_bytes: Size of the file; None in the embedded copy.
        speed: Its time on the machine that exported it; None in the embedded copy, so that the file
            is the same on every machine.
    """

    version: ClassVar[str] = "edgeecg.artifact/1"

    name: str
    role: Role
    format: Format
    dtype: DType
    target: str
    model: str
    run: str
    parameters: Count
    classes: tuple[str, ...]
    input_shape: tuple[int, int, int]
    preprocessing: Preprocessing
    filters: tuple[FilterCoefficients, ...] = ()
    data: Source
    task: Task = "beats"
    class_map: ClassMapName | Literal["superclasses"] = "aami"
    min_likelihood: Annotated[float, Field(ge=0.0, le=100.0)] = 0.0
    weights_sha256: Sha256
    layers: tuple[LayerCost, ...]
    costs: CostTotals
    baseline: Baseline | None
    verification: Parity
    validation: ScoreDrop | None = None
    test: Scores | None
    float_layers: tuple[str, ...] = ()
    float_ops: tuple[str, ...] = ()
    float_reasons: dict[str, str] = Field(default={})
    versions: dict[str, str]
    git_revision: str | None
    file: str | None = None
    sha256: Sha256 | None = None
    size_bytes: Count | None = None
    speed: Speed | None = None

    def is_dense_file_of(self, other: Artifact) -> bool:
        """Return whether this is the dense float32 file that another file is compared with.

        It has the same model and format, and the weights that the other file names as those of its
        dense model. A file that names none is compared with any dense file of its model.

        Args:
            other: The manifest of the other file, which may be this one.
        """
        return (
            (self.role, self.dtype) == ("baseline", "float32")
            and (self.model, self.format) == (other.model, other.format)
            and (other.baseline is None or other.baseline.weights_sha256 == self.weights_sha256)
        )

    @model_serializer(mode="wrap")
    def _without_default(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = serialize(self)
        if not self.float_reasons:
            document.pop("float_reasons", None)
        return document
