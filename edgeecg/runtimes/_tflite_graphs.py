"""Small TFLite files for the latency breakdown and for calibration, built with LiteRT's schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from edgeecg.runtimes import _ladder

_SIZE = 256
# The versions of the operations that have int8 weights.
_VERSIONS = {"FULLY_CONNECTED": 4, "CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "MAX_POOL_2D": 2}


def empty() -> bytes:
    """Return a file whose one tensor is input and output, which costs only the call itself."""
    builder = _Builder()
    only = builder.tensor("x", (1,))
    return builder.finish([only], [only])


def fully_connected(quantised: bool) -> tuple[bytes, int]:
    """Return a fully connected layer of 256 x 256 on 256 rows, and its MACs (256 cubed).

    It is large enough to be bound by the multiplications, and small enough for a level-2 cache.

    Args:
        quantised: Whether the layer is int8 (per-tensor scales) instead of float32.
    """
    return _dense(_SIZE, _SIZE, _SIZE, quantised), _SIZE**3


def ladder() -> Iterator[tuple[str, bytes]]:
    """Yield graphs of increasing size with their names, in float32 and in int8."""
    yield from _ladder.graphs(_dense, _convolutions, _depthwise, _maxima)


def _dense(rows: int, inputs: int, outputs: int, quantised: bool) -> bytes:
    weights = np.random.default_rng(0).uniform(-1, 1, (outputs, inputs)).astype(np.float32)
    builder = _Builder()
    scale = 1 / 127 if quantised else None
    stored = np.round(weights * 127).astype(np.int8) if quantised else weights
    x = builder.tensor("x", (rows, inputs), scale=scale)
    w = builder.tensor("w", (outputs, inputs), stored, scale=scale)
    y = builder.tensor("y", (rows, outputs), scale=0.25 if quantised else None)
    builder.fully_connected(x, w, y)
    return builder.finish([x], [y])


def _convolutions(samples: int, channels: int, kernel: int, layers: int, quantised: bool) -> bytes:
    """Return convolutions over time, one after another, of equal numbers of channels."""
    random = np.random.default_rng(0)
    builder = _Builder()
    scale = 1 / 127 if quantised else None
    first = y = builder.tensor("x", (1, 1, samples, channels), scale=scale)
    for layer in range(layers):
        weights = random.uniform(-1, 1, (channels, 1, kernel, channels)).astype(np.float32)
        stored = np.round(weights * 127).astype(np.int8) if quantised else weights
        x, w = y, builder.tensor(f"w{layer}", weights.shape, stored, scale=scale)
        bias = np.zeros(channels, np.int32 if quantised else np.float32)
        b = builder.tensor(
            f"b{layer}", (channels,), bias, scale=scale * scale if scale is not None else None
        )
        y = builder.tensor(f"y{layer}", (1, 1, samples, channels), scale=scale)
        builder.convolution(x, w, b, y)
    return builder.finish([first], [y])


def _depthwise(samples: int, channels: int, kernel: int, quantised: bool) -> bytes:
    """Return a convolution of one lead with one kernel for each channel."""
    builder = _Builder()
    scale = 1 / 127 if quantised else None
    weights = np.random.default_rng(0).uniform(-1, 1, (1, 1, kernel, channels)).astype(np.float32)
    stored = np.round(weights * 127).astype(np.int8) if quantised else weights
    x = builder.tensor("x", (1, 1, samples, 1), scale=scale)
    w = builder.tensor("w", weights.shape, stored, scale=scale)
    bias = np.zeros(channels, np.int32 if quantised else np.float32)
    b = builder.tensor("b", (channels,), bias, scale=scale * scale if scale is not None else None)
    y = builder.tensor("y", (1, 1, samples, channels), scale=scale)
    builder.depthwise_convolution(x, w, b, y, channels)
    return builder.finish([x], [y])


def _maxima(samples: int, channels: int, kernel: int, quantised: bool) -> bytes:
    """Return the largest of every few samples."""
    builder = _Builder()
    scale = 1 / 127 if quantised else None
    x = builder.tensor("x", (1, 1, samples, channels), scale=scale)
    y = builder.tensor("y", (1, 1, samples // kernel, channels), scale=scale)
    builder.maximum(x, y, kernel)
    return builder.finish([x], [y])


class _Builder:
    """Builds a model of one graph with the object interface of the TFLite schema."""

    def __init__(self) -> None:
        from ai_edge_litert import schema_py_generated

        # The generated classes have no types.
        self._schema = cast(Any, schema_py_generated)
        self._model = self._schema.ModelT()
        self._graph = self._schema.SubGraphT()
        self._model.version = 3
        # Buffer 0 is empty by convention: tensors without values refer to it.
        self._model.buffers = [self._schema.BufferT()]
        self._model.operatorCodes = []
        self._model.subgraphs = [self._graph]
        self._graph.tensors = []
        self._graph.operators = []

    def tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        values: NDArray[np.generic] | None = None,
        scale: float | None = None,
    ) -> int:
        """Add a tensor and return its index.

        It is constant when it has values, and int8, or int32 as its values, when it has a scale.
        """
        made = self._schema.TensorT()
        made.name, made.shape = name, list(shape)
        made.type = self._schema.TensorType.FLOAT32
        if scale is not None:
            wide = values is not None and values.dtype == np.int32
            made.type = self._schema.TensorType.INT32 if wide else self._schema.TensorType.INT8
            made.quantization = self._schema.QuantizationParametersT()
            made.quantization.scale, made.quantization.zeroPoint = [scale], [0]
        if values is not None:
            buffer = self._schema.BufferT()
            buffer.data = np.frombuffer(values.tobytes(), np.uint8)
            self._model.buffers.append(buffer)
            made.buffer = len(self._model.buffers) - 1
        self._graph.tensors.append(made)
        return len(self._graph.tensors) - 1

    def fully_connected(self, x: int, weights: int, y: int) -> None:
        """Add y = x * weights transposed."""
        options = self._schema.FullyConnectedOptionsT()
        options.keepNumDims = True
        self._operator("FULLY_CONNECTED", "FullyConnectedOptions", options, [x, weights, -1], y)

    def convolution(self, x: int, weights: int, bias: int, y: int) -> None:
        """Add y = x convolved with weights, of equal length, plus a bias."""
        options = self._schema.Conv2DOptionsT()
        options.padding = self._schema.Padding.SAME
        options.strideH = options.strideW = 1
        options.dilationHFactor = options.dilationWFactor = 1
        self._operator("CONV_2D", "Conv2DOptions", options, [x, weights, bias], y)

    def depthwise_convolution(self, x: int, weights: int, bias: int, y: int, channels: int) -> None:
        """Add y = one lead x convolved with a kernel for each channel, of equal length."""
        options = self._schema.DepthwiseConv2DOptionsT()
        options.padding = self._schema.Padding.SAME
        options.strideH = options.strideW = 1
        options.dilationHFactor = options.dilationWFactor = 1
        options.depthMultiplier = channels
        self._operator(
            "DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions", options, [x, weights, bias], y
        )

    def maximum(self, x: int, y: int, kernel: int) -> None:
        """Add y = the largest of every ``kernel`` samples of x."""
        options = self._schema.Pool2DOptionsT()
        options.padding = self._schema.Padding.VALID
        options.strideH = options.filterHeight = 1
        options.strideW = options.filterWidth = kernel
        self._operator("MAX_POOL_2D", "Pool2DOptions", options, [x], y)

    def _operator(self, kind: str, options_kind: str, options: Any, x: list[int], y: int) -> None:
        code = self._schema.OperatorCodeT()
        code.builtinCode = getattr(self._schema.BuiltinOperator, kind)
        code.deprecatedBuiltinCode = code.builtinCode
        code.version = _VERSIONS[kind]
        self._model.operatorCodes.append(code)
        made = self._schema.OperatorT()
        made.opcodeIndex = len(self._model.operatorCodes) - 1
        made.inputs, made.outputs = x, [y]
        made.builtinOptionsType = getattr(self._schema.BuiltinOptions, options_kind)
        made.builtinOptions = options
        self._graph.operators.append(made)

    def finish(self, inputs: list[int], outputs: list[int]) -> bytes:
        """Return the file's bytes."""
        import flatbuffers

        self._graph.inputs, self._graph.outputs = inputs, outputs
        builder = flatbuffers.Builder(1024)
        builder.Finish(self._model.Pack(builder), b"TFL3")
        return bytes(builder.Output())
