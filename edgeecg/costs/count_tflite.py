"""Layer costs counted from a ``.tflite`` file: multiplications, and bytes read and written.

MACs are counted for convolutions, fully connected layers, matrix products and sequence LSTM / RNN.
Every other operation (pooling, MEAN, SUM, MUL, softmax, ...) counts 0 MACs and only the bytes it
moves. Fusions that a delegate makes at run time are not taken into account.

LiteRT converts float16 weights to float32 when it loads the file, and multiplies in float32 (in
float16 only if the file asks for it and the processor can). Such weights count as float32, as they
are read in every inference; their conversion counts nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgeecg.costs import tflite_file
from edgeecg.costs.input_shapes import Shapes
from edgeecg.costs.layers import UncountableError, nonzero_fraction
from edgeecg.costs.tflite_file import Graph, Operator, Tensor
from edgeecg.schema import DType, LayerCost

# Their multiplications are in another graph, in custom code, or in options that are not read here.
_UNCOUNTABLE = frozenset(
    {"CALL", "CALL_ONCE", "CONV_3D_TRANSPOSE", "CUSTOM", "DELEGATE", "IF", "LSTM", "RFFT2D", "RNN"}
    | {"SVDF", "WHILE"}
)
_INTEGER_WEIGHTS = frozenset({"INT8", "UINT8", "INT4"})
_INTEGER_VALUES = _INTEGER_WEIGHTS | {"INT16"}
# With activations in INT16 they have 64 bits.
_BIASES = frozenset({"INT32", "INT64"})
# Types of shapes, axes and indices; as an operand of a multiplication INT32 is a bias.
_NOT_WEIGHTS = frozenset({"INT32", "INT64", "UINT32", "BOOL", "STRING"})


def _convolution(layer: Operator) -> int:
    # Filter (out channels, height, width, in channels per group).
    return math.prod(layer.outputs[0].shape) * math.prod(_input(layer, 1).shape[1:])


def _depthwise(layer: Operator) -> int:
    # Filter (1, height, width, channels).
    return math.prod(layer.outputs[0].shape) * math.prod(_input(layer, 1).shape[1:3])


def _convolution_3d(layer: Operator) -> int:
    # Filter (depth, height, width, in channels per group, out channels).
    return math.prod(layer.outputs[0].shape) * math.prod(_input(layer, 1).shape[:4])


def _transposed(layer: Operator) -> int:
    # Inputs: output shape, filter (out channels, height, width, in channels), input.
    return math.prod(_input(layer, 2).shape) * math.prod(_input(layer, 1).shape[:3])


def _fully_connected(layer: Operator) -> int:
    # Weights (units, features).
    return math.prod(layer.outputs[0].shape) * _input(layer, 1).shape[-1]


def _matrix_product(layer: Operator) -> int:
    # Left (..., m, k) or, adjoint, (..., k, m); output (..., m, n): k without reading the options.
    rows = layer.outputs[0].shape[-2]
    depth = math.prod(_input(layer, 0).shape[-2:]) // rows if rows else 0
    return math.prod(layer.outputs[0].shape) * depth


def _sequence(layer: Operator) -> int:
    # Every 2-D constant is the matrix of a gate or projection, used once per step and batch row.
    data = _input(layer, 0).shape
    steps = math.prod(data[:-1])
    return steps * sum(math.prod(t.shape) for t in _constants(layer) if len(t.shape) == 2)


_MACS: dict[str, Callable[[Operator], int]] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "CONV_3D": _convolution_3d,
    "TRANSPOSE_CONV": _transposed,
    "FULLY_CONNECTED": _fully_connected,
    "BATCH_MATMUL": _matrix_product,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _sequence,
    "BIDIRECTIONAL_SEQUENCE_LSTM": _sequence,
    "UNIDIRECTIONAL_SEQUENCE_RNN": _sequence,
    "BIDIRECTIONAL_SEQUENCE_RNN": _sequence,
}


def count(path: Path, shapes: Shapes | None = None) -> tuple[LayerCost, ...]:
    """Count every operation of a ``.tflite`` file.

    Args:
        path: The file.
        shapes: Shapes of its inputs; None for those in the file, where a free axis has length 1.

    Returns:
        Costs in order of execution, named after the operation's first output tensor. ``dtype`` is
        int8 where the weights are integers (hybrid kernels quantise the activations themselves).

    Raises:
        ArtifactError: The file is not a sound TFLite file.
        UncountableError: It has an operation whose MACs cannot be counted from the file.
    """
    graph = read(path)
    for tensor in graph.inputs:
        if (shapes or {}).get(tensor.name, tensor.shape) != tensor.shape:
            # The file has the shapes of all other tensors for this shape of the input only.
            raise UncountableError(path.name, f"Its input '{tensor.name}' has free axes.")
    return tuple(cost(path, index, layer) for index, layer in enumerate(graph.operators))


def read(path: Path) -> Graph:
    """Read the graph of a file as it is executed: stored float16 weights are float32 constants.

    Raises:
        ArtifactError: The file is not a sound TFLite file.
    """
    graph = tflite_file.read(path)
    unpacked: dict[int, Tensor] = {}
    for layer in graph.operators:
        source = layer.inputs[0] if layer.inputs else None
        if tflite_file.unpacks(layer) and source is not None and source.data is not None:
            made, data = layer.outputs[0], source.data.astype(np.float32)
            unpacked[id(made)] = replace(made, data=data, constant=True, nbytes=data.nbytes)
    if not unpacked:
        return graph
    operators = [
        Operator(
            layer.op,
            tuple(None if each is None else unpacked.get(id(each), each) for each in layer.inputs),
            tuple(unpacked.get(id(each), each) for each in layer.outputs),
        )
        for layer in graph.operators
    ]
    return Graph(graph.inputs, graph.outputs, tuple(operators))


def cost(path: Path, index: int, layer: Operator) -> LayerCost:
    """Count one operation.

    Args:
        path: The file, for error messages.
        index: Place of the operation in the order of execution.
        layer: The operation.

    Raises:
        UncountableError: Its MACs cannot be counted from the file.
    """
    if layer.op in _UNCOUNTABLE or layer.op.startswith("BUILTIN_"):
        raise UncountableError(path.name, f"Operation {index} is {layer.op}.")
    try:
        macs = _MACS[layer.op](layer) if layer.op in _MACS else 0
    except IndexError as error:
        raise UncountableError(
            path.name, f"The tensors of operation {index}, {layer.op}, do not have its shape."
        ) from error
    # Constants that are computed from constants, when the file is loaded.
    once = bool(layer.outputs) and all(tensor.constant for tensor in layer.outputs)
    constants = [] if once else _constants(layer)
    shape = layer.inputs[0] if layer.op == "TRANSPOSE_CONV" else None
    kernels = [t for t in constants if t.type not in _NOT_WEIGHTS]
    # A constant vector of a float layer is its bias; zeros in it save no multiplication.
    weights = [t for t in kernels if len(t.shape) > 1] if layer.op in _MACS else []
    operands = constants if layer.op in _MACS else []
    biases = [t for t in operands if t.type in _BIASES and t is not shape]
    moving = [t for t in layer.inputs if t is not None and not t.constant]
    return LayerCost(
        name=(layer.outputs[0].name if layer.outputs else "") or f"operation {index}",
        op=layer.op,
        dtype=_dtype(layer, weights),
        macs=macs,
        nonzero_fraction=nonzero_fraction(
            (t.data, _zero(t)) for t in weights if t.data is not None
        ),
        weight_bytes=sum(t.nbytes for t in kernels + biases),
        activation_bytes=0 if once else sum(t.nbytes for t in [*moving, *layer.outputs]),
    )


def _input(layer: Operator, index: int) -> Tensor:
    tensor = layer.inputs[index]
    if tensor is None:
        raise IndexError(index)
    return tensor


def _constants(layer: Operator) -> list[Tensor]:
    return [tensor for tensor in layer.inputs if tensor is not None and tensor.constant]


def _dtype(layer: Operator, weights: list[Tensor]) -> DType:
    if weights:
        return "int8" if weights[0].type in _INTEGER_WEIGHTS else "float32"
    values = [t for t in layer.inputs if t is not None and t.type not in _NOT_WEIGHTS]
    decisive = values or list(layer.outputs)
    return "int8" if decisive and decisive[0].type in _INTEGER_VALUES else "float32"


def _zero(tensor: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    """Return the stored value that means 0 (per-channel weights are symmetric: it is 0)."""
    return np.array(tensor.zero_points[0] if len(set(tensor.zero_points)) == 1 else 0)
