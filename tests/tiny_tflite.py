"""Tiny ``.tflite`` files for the tests, built with the schema classes of LiteRT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated
from numpy.typing import NDArray

schema = cast(Any, schema_py_generated)


@dataclass(frozen=True)
class T:
    """A tensor: computed when it has no values; -1 in its signature is a free axis."""

    shape: tuple[int, ...]
    dtype: str = "FLOAT32"
    values: NDArray[Any] | None = None
    zero_point: int | None = None
    name: str = ""
    signature: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Op:
    """An operation on tensors by index."""

    name: str
    inputs: list[int]
    outputs: list[int]


def build(tensors: list[T], operators: list[Op], metadata: dict[str, bytes] | None = None) -> bytes:
    """Return a file whose graph takes tensor 0 and gives the last one."""
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.buffers, model.subgraphs = 3, [schema.BufferT()], [graph]
    graph.tensors = [_tensor(model, tensor) for tensor in tensors]
    graph.inputs, graph.outputs = [0], [len(tensors) - 1]
    model.operatorCodes, graph.operators = [], []
    for index, op in enumerate(operators):
        code, made = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode = getattr(schema.BuiltinOperator, op.name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        model.operatorCodes.append(code)
        made.opcodeIndex, made.inputs, made.outputs = index, op.inputs, op.outputs
        graph.operators.append(made)
    model.metadata = []
    for name, content in (metadata or {}).items():
        entry = schema.MetadataT()
        entry.name, entry.buffer = name, _buffer(model, content)
        model.metadata.append(entry)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _buffer(model: Any, content: bytes) -> int:
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(content, np.uint8)
    model.buffers.append(buffer)
    return len(model.buffers) - 1


def _tensor(model: Any, tensor: T) -> Any:
    made = schema.TensorT()
    made.shape, made.name = list(tensor.shape), tensor.name
    made.type = getattr(schema.TensorType, tensor.dtype)
    if tensor.signature is not None:
        made.shapeSignature = list(tensor.signature)
    if tensor.values is not None:
        made.buffer = _buffer(model, tensor.values.tobytes())
    if tensor.zero_point is not None:
        made.quantization = schema.QuantizationParametersT()
        made.quantization.scale, made.quantization.zeroPoint = [0.1], [tensor.zero_point]
    return made
