"""Small TFLite files for the latency breakdown and for calibration, built with LiteRT's schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

_SIZE = 256
# Rows, inputs and outputs of fully connected layers; samples, channels, length of the kernel and
# number of layers of convolutions: the sizes that occur in models for ECG windows.
_DENSE = ((1, 64, 64), (1, 256, 256), (1, 1024, 256), (16, 256, 256), (64, 256, 256))
_CONVOLUTIONS = (
    (256, 8, 7, 1),
    (256, 16, 5, 1),
    (128, 32, 5, 1),
    (64, 64, 3, 1),
    (32, 128, 3, 1),
    (256, 16, 5, 4),
    (64, 64, 3, 4),
)


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
    """Yield graphs of increasing size with their names: layers x sizes x dtypes."""
    for quantised in (False, True):
        dtype = "int8" if quantised else "float32"
        for rows, inputs, outputs in _DENSE:
            name = f"dense {rows}x{inputs}x{outputs} {dtype}"
            yield name, _dense(rows, inputs, outputs, quantised)
        for samples, channels, kernel, layers in _CONVOLUTIONS:
            name = f"convolution {samples}x{channels} kernel {kernel} x{layers} {dtype}"
            yield name, _convolutions(samples, channels, kernel, layers, quantised)


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

    def _operator(self, kind: str, options_kind: str, options: Any, x: list[int], y: int) -> None:
        code = self._schema.OperatorCodeT()
        code.builtinCode = getattr(self._schema.BuiltinOperator, kind)
        code.deprecatedBuiltinCode = code.builtinCode
        # int8 weights came with version 4 of fully connected layers, 3 of convolutions.
        code.version = 4 if kind == "FULLY_CONNECTED" else 3
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
