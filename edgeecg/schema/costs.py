"""Layer costs, and the analytic energy proxy."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from edgeecg.schema.value import Count, DType, Fraction, Positive, Value


class LayerCost(Value):
    """Counted costs of one layer per inference.

    Attributes:
        name: The layer's name in its file or module tree.
        op: The operation, as its format calls it (``CONV_2D``, ``Conv``, ``Conv1d``).
        dtype: Type the multiplications run in.
        macs: Multiply-accumulates that the runtime executes.
        nonzero_fraction: Fraction of the layer's weights that is not exactly zero.
        weight_bytes: Bytes of weights and biases read.
        activation_bytes: Bytes of activations read and written.
    """

    name: str
    op: str
    dtype: DType
    macs: Count
    nonzero_fraction: Fraction
    weight_bytes: Count
    activation_bytes: Count


class CostTotals(Value):
    """Sum of layer costs, as needed for the ideal and the executed proxy.

    Attributes:
        macs: Executed MACs by dtype.
        nonzero_macs: MACs whose weight is not zero, by dtype.
        weight_bytes: Bytes of weights.
        nonzero_weight_bytes: Bytes of weights that are not zero.
        activation_bytes: Bytes of activations read and written.
    """

    macs: dict[DType, Count]
    nonzero_macs: dict[DType, Count]
    weight_bytes: Count
    nonzero_weight_bytes: Count
    activation_bytes: Count


class ProxyCoefficients(Value):
    """Cost of the elementary operations, in picojoules in a 45 nm process.

    Only ratios to a baseline are shown to users, because real processors spend thousands of times
    more energy.

    Attributes:
        mac_pj: One multiply and one add, by dtype.
        weight_byte_pj: Fetching one byte of weights.
        activation_byte_pj: Reading or writing one byte of activations.
        source: Where the figures come from.
    """

    # int8 multiplies accumulate in int32 (0.2 + 0.1); fp32 is 3.7 + 0.9, fp16 is 1.1 + 0.4.
    # Memory: 1 MB SRAM for the weights (100 pJ per 64 bit), 32 KB for the activations (20 pJ per
    # 64 bit).
    mac_pj: dict[DType, Positive] = Field(default={"float32": 4.6, "int8": 0.3, "float16": 1.5})
    weight_byte_pj: Positive = 12.5
    activation_byte_pj: Positive = 2.5
    source: str = "Horowitz, ISSCC 2014, 45 nm"


class Proxy(Value):
    """The energy proxy of one file.

    Attributes:
        ideal: The proxy relative to the baseline, as if zero weights cost nothing; None when the
            file cannot be counted or the baseline is unknown.
        executed: The proxy relative to the baseline, of everything the runtime multiplies; or None.
        macs: Executed MACs, or None when the file could not be counted.
        weight_bytes: Bytes of weights in the file, or None.
        reason: Why something above is None; None when nothing is.
    """

    ideal: Annotated[float, Field(ge=0.0)] | None
    executed: Annotated[float, Field(ge=0.0)] | None
    macs: Count | None
    weight_bytes: Count | None
    reason: str | None = None
