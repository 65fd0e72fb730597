"""The two small TFLite files that the latency breakdown needs, built with LiteRT's schema."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

_SIZE = 256


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
    weights = np.random.default_rng(0).uniform(-1, 1, (_SIZE, _SIZE)).astype(np.float32)
    builder = _Builder()
    if quantised:
        stored = np.round(weights * 127).astype(np.int8)
        x = builder.tensor("x", (_SIZE, _SIZE), scale=1 / 127)
        w = builder.tensor("w", (_SIZE, _SIZE), stored, scale=1 / 127)
        y = builder.tensor("y", (_SIZE, _SIZE), scale=0.25)
    else:
        x = builder.tensor("x", (_SIZE, _SIZE))
        w = builder.tensor("w", (_SIZE, _SIZE), weights)
        y = builder.tensor("y", (_SIZE, _SIZE))
    builder.fully_connected(x, w, y)
    return builder.finish([x], [y]), _SIZE**3


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
        """Add a tensor, int8 when it has a scale, constant when it has values; return its index."""
        made = self._schema.TensorT()
        made.name, made.shape = name, list(shape)
        made.type = self._schema.TensorType.FLOAT32
        if scale is not None:
            made.type = self._schema.TensorType.INT8
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
        code = self._schema.OperatorCodeT()
        code.builtinCode = self._schema.BuiltinOperator.FULLY_CONNECTED
        code.deprecatedBuiltinCode = code.builtinCode
        # int8 weights came with version 4 of the operation.
        code.version = 4
        self._model.operatorCodes.append(code)
        made = self._schema.OperatorT()
        made.inputs, made.outputs = [x, weights, -1], [y]
        made.builtinOptionsType = self._schema.BuiltinOptions.FullyConnectedOptions
        made.builtinOptions = self._schema.FullyConnectedOptionsT()
        made.builtinOptions.keepNumDims = True
        self._graph.operators.append(made)

    def finish(self, inputs: list[int], outputs: list[int]) -> bytes:
        """Return the file's bytes."""
        import flatbuffers

        self._graph.inputs, self._graph.outputs = inputs, outputs
        builder = flatbuffers.Builder(1024)
        builder.Finish(self._model.Pack(builder), b"TFL3")
        return bytes(builder.Output())
