"""Stores the weights of the LSTM operations of a TFLite file in float16 or int8.

The quantiser leaves LSTM operations as they are. In float16, a DEQUANTIZE operation turns each
weight matrix into float32; the runtime does this once. In int8, weights have one scale for each
matrix and activations stay float32, which LiteRT's hybrid kernel expects: it quantises the input
and the state of each step itself.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

StoredType = Literal["float16", "int8"]

_FIRST_STATE_MATRIX = 5
_MATRICES = range(1, 9)
_CELL_GATE = 3
_CLOSED_GATE = 1e4
_INT8_LIMIT = 127
_HYBRID_VERSION = 2
_SMALLEST = 1e-12


def store(model: Any, kind: StoredType) -> None:
    """Change the type in which the matrices of all LSTM operations are stored.

    Args:
        model: A ``ModelT`` with the operations of :mod:`edgeecg.exporters._tflite_lstm`; changed in
            place.
        kind: The type.
    """
    graph = model.subgraphs[0]
    operators: list[Any] = []
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        if code.builtinCode == schema.BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM:
            if kind == "int8":
                _to_int8(model, operator)
                code.version = max(code.version, _HYBRID_VERSION)
            else:
                operators += _to_float16(model, operator)
        operators.append(operator)
    graph.operators = operators
    _empty_unused(model)


def _to_float16(model: Any, operator: Any) -> list[Any]:
    """Store the matrices of one operation in float16; return the operations that unpack them."""
    graph = model.subgraphs[0]
    made: list[Any] = []
    for place in _MATRICES:
        index = operator.inputs[place]
        tensor = graph.tensors[index]
        unpacked: Any = schema.TensorT()
        unpacked.name, unpacked.shape = tensor.name + b".unpacked", list(tensor.shape)
        unpacked.type = schema.TensorType.FLOAT32
        _fill(model, tensor, _values(model, tensor).astype(np.float16))
        tensor.type = schema.TensorType.FLOAT16
        graph.tensors.append(unpacked)
        operator.inputs[place] = len(graph.tensors) - 1
        unpacking: Any = schema.OperatorT()
        unpacking.opcodeIndex = _dequantize_code(model)
        unpacking.inputs, unpacking.outputs = [index], [operator.inputs[place]]
        made.append(unpacking)
    return made


def _to_int8(model: Any, operator: Any) -> None:
    """Store the matrices of one operation in int8, with one scale each.

    The input that clears the state has weights of -1e4, which would be the scale of everything.
    They become as large as the largest other weight of their gate, and the input on the first step
    as large as needed for the same product: the kernel has a scale for each step.
    """
    graph = model.subgraphs[0]
    tensors = [graph.tensors[operator.inputs[place]] for place in _MATRICES]
    matrices = [np.array(_values(model, tensor)) for tensor in tensors]
    of_input = matrices[: _FIRST_STATE_MATRIX - 1]
    largest = [max(float(np.abs(each[:, :-1]).max()), _SMALLEST) for each in of_input]
    closing = [size for gate, size in enumerate(largest, 1) if gate != _CELL_GATE]
    for gate, (matrix, size) in enumerate(zip(of_input, largest, strict=True), 1):
        matrix[:, -1] = 0.0 if gate == _CELL_GATE else -size
    clearing = _clearing(model, operator)
    _fill(model, clearing, _values(model, clearing) * np.float32(_CLOSED_GATE / min(closing)))
    for tensor, matrix in zip(tensors, matrices, strict=True):
        scale = max(float(np.abs(matrix).max()), _SMALLEST) / _INT8_LIMIT
        _fill(model, tensor, np.round(matrix / scale).astype(np.int8))
        tensor.type = schema.TensorType.INT8
        quantization: Any = schema.QuantizationParametersT()
        quantization.scale, quantization.zeroPoint = [scale], [0]
        tensor.quantization = quantization


def _clearing(model: Any, operator: Any) -> Any:
    """Return the constant input that clears the state: not 0 on the first step."""
    graph = model.subgraphs[0]
    (before,) = (each for each in graph.operators if each.outputs[0] == operator.inputs[0])
    return graph.tensors[before.inputs[1]]


def _values(model: Any, tensor: Any) -> NDArray[np.float32]:
    data = bytes(model.buffers[tensor.buffer].data)
    return np.frombuffer(data, np.float32).reshape(tensor.shape)


def _fill(model: Any, tensor: Any, values: NDArray[np.generic]) -> None:
    """Give a tensor a buffer of its own: equal constants may share one."""
    buffer: Any = schema.BufferT()
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    tensor.buffer = len(model.buffers)
    model.buffers.append(buffer)


def _empty_unused(model: Any) -> None:
    """Remove the content of buffers that no tensor has any more."""
    used = {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors}
    used |= {entry.buffer for entry in model.metadata or []}
    for index, buffer in enumerate(model.buffers):
        if index not in used:
            buffer.data = None


def _dequantize_code(model: Any) -> int:
    """Return the place of DEQUANTIZE for float16 among the operation codes; add it if needed."""
    for index, code in enumerate(model.operatorCodes):
        if code.builtinCode == schema.BuiltinOperator.DEQUANTIZE and code.version >= 3:
            return index
    code: Any = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.DEQUANTIZE
    code.version = 3
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1
