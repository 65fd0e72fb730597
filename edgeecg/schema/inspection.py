"""What ``edgeecg inspect`` finds in a model file."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from edgeecg.schema.value import ActivationDType, Count, DType, Format, Fraction, Sha256, Value

SlowKind = Literal[
    "float_island",
    "requantization",
    "transpose",
    "outside_xnnpack",
    "recurrent_loop",
    "no_dot_product",
    "float16_on_cpu",
    "custom_operation",
]


class InspectedTensor(Value):
    """One tensor of a file.

    Attributes:
        name: Its name; tensors of TFLite files may share a name.
        dtype: Type of its elements, e.g. ``"float32"`` or ``"int8"``.
        shape: Sizes of its axes, or None when unknown.
        nbytes: Its size, or None when unknown.
        constant: Whether its values are stored in the file.
        scales: Quantisation scales: none, one, or one for each channel.
        zero_points: Quantisation zero points.
    """

    name: str
    dtype: str
    shape: tuple[int, ...] | None
    nbytes: Count | None
    constant: bool
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()


class InspectedOperation(Value):
    """One operation of a file.

    Attributes:
        index: Its place in the order of execution.
        name: Its name, or that of its first output.
        op: The operation, as its format calls it.
        dtype: Type the multiplications run in, or None when it could not be counted.
        macs: Multiply-accumulates, or None.
        weight_bytes: Bytes of weights and biases, or None.
        activation_bytes: Bytes of activations read and written, or None.
        nonzero_fraction: Fraction of its weights that is not exactly zero, or None.
        proxy_share: Its share of the executed energy proxy of the whole file, or None when an
            operation of the file could not be counted.
        reason: Why something above is None, or None.
    """

    index: Count
    name: str
    op: str
    dtype: DType | None
    macs: Count | None
    weight_bytes: Count | None
    activation_bytes: Count | None
    nonzero_fraction: Fraction | None = None
    proxy_share: Fraction | None = None
    reason: str | None = None


class QuantizationSummary(Value):
    """How many tensors of a file are quantised, and how.

    Attributes:
        per_tensor: Tensors with one scale.
        per_channel: Tensors with a scale for each channel.
        unquantized: Tensors without a scale.
        by_dtype: Number of tensors of each type.
    """

    per_tensor: Count
    per_channel: Count
    unquantized: Count
    by_dtype: dict[str, Count]


class SlowOperations(Value):
    """Operations that cost more time than their multiplications suggest.

    Attributes:
        kind: What it is.
        runtime: The runtime that is slow there; ``"all"`` when it is not specific to one.
        ops: Indices of the operations.
        why: What is slow and why, one or two sentences.
    """

    kind: SlowKind
    runtime: str
    ops: tuple[int, ...]
    why: str


class Inspection(Value):
    """Content and costs of one ``.tflite`` or ``.onnx`` file.

    Attributes:
        file: The file.
        sha256: Hash of the file.
        size_bytes: Size of the file, with its data files.
        format: File format.
        dtype: Type of most weights.
        activation_dtype: Type of the activations they are multiplied with, or None without weights.
        inputs: Inputs of the file.
        outputs: Outputs of the file.
        classes: Names of the outputs' classes, or None for a foreign file.
        model: Architecture of a file that edgeecg exported, or None.
        target: Export target of such a file, or None.
        ops: Operations in the order of execution.
        macs: Sum over the operations, or None.
        weight_bytes: Bytes of weights and biases that the operations use, or None.
        activation_bytes: Bytes of activations read and written, or None.
        arena_bytes: Estimate of the largest memory of activations at one time, from the tensors
            that are needed by later operations; without alignment and scratch buffers. Or None.
        proxy_executed: Executed proxy relative to the float32 baseline of the file, or None.
        reasons: Why totals are None, by the names of the attributes.
        quantization: Summary over all tensors.
        tensors: All tensors.
        slow: What is slow, and on which runtime.
    """

    version: ClassVar[str] = "edgeecg.inspection/1"

    file: str
    sha256: Sha256
    size_bytes: Count
    format: Format
    dtype: DType
    activation_dtype: ActivationDType | None
    inputs: tuple[InspectedTensor, ...]
    outputs: tuple[InspectedTensor, ...]
    classes: tuple[str, ...] | None
    model: str | None
    target: str | None
    ops: tuple[InspectedOperation, ...]
    macs: Count | None
    weight_bytes: Count | None
    activation_bytes: Count | None
    arena_bytes: Count | None
    proxy_executed: Annotated[float, Field(ge=0.0)] | None
    reasons: dict[str, str]
    quantization: QuantizationSummary
    tensors: tuple[InspectedTensor, ...]
    slow: tuple[SlowOperations, ...]
