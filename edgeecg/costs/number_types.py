"""The types in which a file stores its weights and takes its activations."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from edgeecg.costs import onnx_file, tflite_file
from edgeecg.schema import ActivationDType, DType

_ONNX_INT8 = frozenset({2, 3})
_ONNX_FLOAT16 = 10
_TFLITE_INT8 = frozenset({"INT8", "UINT8", "INT4"})

# The places of the weights among the inputs of the ONNX operations that multiply with weights.
_WEIGHTS = {
    **{"Conv": (1,), "ConvTranspose": (1,), "ConvInteger": (1,), "QLinearConv": (3,)},
    **{"Gemm": (1,), "MatMul": (0, 1), "MatMulInteger": (0, 1), "QLinearMatMul": (0, 3)},
    **{"LSTM": (1, 2), "GRU": (1, 2), "RNN": (1, 2)},
}


@dataclass(frozen=True)
class NumberTypes:
    """Types of most weights, and of the activations that are multiplied with them.

    A runtime that takes float activations may still quantise them itself (dynamic-range
    quantisation), or convert int8 weights to float.

    Attributes:
        weights: Type of most weights.
        activations: Type of the activations, or None when no operation has weights.
    """

    weights: DType
    activations: ActivationDType | None


def of_onnx(graph: onnx_file.Graph) -> NumberTypes:
    """Return the types of a ``.onnx`` file.

    Weights that the graph dequantises (QDQ format) are int8. Activations are int8 where the graph
    itself quantises them.

    Args:
        graph: The graph of the file.
    """
    made_by = {name: node for node in graph.nodes for name in node.outputs}
    found: Counter[tuple[DType, ActivationDType]] = Counter()
    for node in graph.nodes:
        for place in _WEIGHTS.get(node.op, ()):
            name = node.inputs[place] if place < len(node.inputs) else ""
            source = made_by.get(name)
            if source is not None and source.op in ("DequantizeLinear", "Cast") and source.inputs:
                name = source.inputs[0]
            weights = graph.constants.get(name)
            if weights is not None:
                activations = _onnx_activations(node, graph, made_by)
                found[_onnx_type(weights.type), activations] += math.prod(weights.shape)
    return _most(found)


def _onnx_type(code: int) -> DType:
    if code == _ONNX_FLOAT16:
        return "float16"
    return "int8" if code in _ONNX_INT8 else "float32"


def _onnx_activations(
    node: onnx_file.Node, graph: onnx_file.Graph, made_by: dict[str, onnx_file.Node]
) -> DType:
    if node.op in ("QLinearConv", "QLinearMatMul"):
        return "int8"
    # ConvInteger and MatMulInteger quantise their input at run time, with scales that are not in
    # the file: they take float activations.
    for name in node.inputs:
        source = made_by.get(name)
        if source is None or source.op != "DequantizeLinear" or not source.inputs:
            continue
        # A dequantised constant is a weight.
        if source.inputs[0] not in graph.constants:
            return "int8"
    return "float32"


def of_tflite(graph: tflite_file.Graph) -> NumberTypes:
    """Return the types of a ``.tflite`` file.

    Args:
        graph: The graph of the file.
    """
    found: Counter[tuple[DType, ActivationDType]] = Counter()
    stored = {
        id(operator.outputs[0]): operator.inputs[0]
        for operator in graph.operators
        if tflite_file.unpacks(operator)
    }
    for operator in graph.operators:
        if id(operator.outputs[0] if operator.outputs else None) in stored:
            continue
        present = [tensor for tensor in operator.inputs if tensor is not None]
        present = [stored.get(id(tensor)) or tensor for tensor in present]
        moving = [tensor for tensor in present if not tensor.constant]
        for weights in present:
            if weights.constant and len(weights.shape) > 1 and moving:
                taken: ActivationDType = (
                    "int16" if moving[0].type == "INT16" else _tflite_type(moving[0])
                )
                types = (_tflite_type(weights), taken)
                found[types] += math.prod(weights.shape)
    return _most(found)


def _tflite_type(tensor: tflite_file.Tensor) -> DType:
    if tensor.type == "FLOAT16":
        return "float16"
    return "int8" if tensor.type in _TFLITE_INT8 else "float32"


def _most(found: Counter[tuple[DType, ActivationDType]]) -> NumberTypes:
    """Return the type of most weights, and the type of the activations of most such weights."""
    if not found:
        return NumberTypes("float32", None)
    stored: Counter[DType] = Counter()
    for (weights, _), size in found.items():
        stored[weights] += size
    weights = stored.most_common(1)[0][0]
    taken: Counter[ActivationDType] = Counter()
    for (kind, activations), size in found.items():
        if kind == weights:
            taken[activations] += size
    return NumberTypes(weights, taken.most_common(1)[0][0])
