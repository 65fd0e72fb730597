"""Layer costs counted from a ``.onnx`` file; needs the package ``onnx``.

MACs are counted for Conv, ConvTranspose, Gemm, MatMul, LSTM, GRU and RNN. Every other operation
counts 0 MACs and only the bytes it moves. Fusions that a runtime makes when it loads are not seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgeecg.costs.layers import UncountableError, nonzero_fraction
from edgeecg.errors import ArtifactError, MissingDependencyError
from edgeecg.schema import DType, LayerCost

if TYPE_CHECKING:
    import onnx

# Graphs inside graphs, and products whose operands are packed, quantised or named by an equation.
_UNCOUNTABLE = frozenset(
    {"If", "Loop", "Scan", "Einsum", "Attention", "DFT"}
    | {"QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"}
)
_RECURRENT = frozenset({"LSTM", "GRU", "RNN"})
_SHAPE_TYPES = frozenset({"int32", "int64", "bool", "uint64"})


@dataclass(frozen=True)
class _Facts:
    """What is known of the tensors: shapes, bytes per element, and the constants' values."""

    shapes: Mapping[str, tuple[int, ...]]
    item_bytes: Mapping[str, int]
    constants: Mapping[str, NDArray[np.generic]]

    def nbytes(self, name: str) -> int:
        return math.prod(self.shapes[name]) * self.item_bytes[name]


def count(path: Path) -> tuple[LayerCost, ...]:
    """Count every operation of a ``.onnx`` file.

    Args:
        path: The file. A named (symbolic) axis counts as 1: one window at a time.

    Returns:
        Costs in order of execution, named after the node or its first output.

    Raises:
        ArtifactError: The file is not a sound ONNX model.
        UncountableError: It holds an operation or a shape that cannot be counted.
        MissingDependencyError: The package ``onnx`` is not installed.
    """
    model = _load(path)
    foreign = sorted({node.domain for node in model.graph.node} - {"", "ai.onnx"})
    if foreign or model.functions:
        raise UncountableError(
            path.name, f"It uses operations outside ONNX: {', '.join(foreign) or 'functions'}."
        )
    layers = [node for node in model.graph.node if node.op_type != "Constant"]
    try:
        facts = _facts(model.graph)
        return tuple(_cost(path, index, node, facts) for index, node in enumerate(layers))
    except (KeyError, IndexError, TypeError, ValueError, ZeroDivisionError) as error:
        raise UncountableError(
            path.name, f"A tensor has no known shape, or not the one it needs ({error})."
        ) from error


def _load(path: Path) -> onnx.ModelProto:
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ModuleNotFoundError as error:
        raise MissingDependencyError("onnx", "export", "counting a .onnx file") from error
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
        return onnx.shape_inference.infer_shapes(model, data_prop=True)
    except (
        DecodeError,
        onnx.checker.ValidationError,
        onnx.shape_inference.InferenceError,
        OSError,
        ValueError,
    ) as error:
        raise ArtifactError(
            f"{path} is not a sound ONNX file.",
            f"The onnx package said: {' '.join(str(error).split())[:200]}.",
            "It is truncated, corrupt or of another kind; export or copy it again.",
        ) from error


def _facts(graph: onnx.GraphProto) -> _Facts:
    import onnx

    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            constants[node.output[0]] = onnx.numpy_helper.to_array(node.attribute[0].t)
    shapes = {name: values.shape for name, values in constants.items()}
    item_bytes = {name: values.itemsize for name, values in constants.items()}
    for value in [*graph.input, *graph.value_info, *graph.output]:
        kind = value.type.tensor_type
        if value.name in shapes or not kind.HasField("shape") or not kind.elem_type:
            continue
        shapes[value.name] = tuple(axis.dim_value or 1 for axis in kind.shape.dim)
        item_bytes[value.name] = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).itemsize
    return _Facts(shapes, item_bytes, constants)


def _cost(path: Path, index: int, node: onnx.NodeProto, facts: _Facts) -> LayerCost:
    if node.op_type in _UNCOUNTABLE:
        raise UncountableError(path.name, f"Operation {index} is {node.op_type}.")
    multiplies = node.op_type in _MACS
    inputs = [name for name in node.input if name]
    # A recurrent layer's fifth input and those after it are lengths and states, which are no
    # weights even where they are constant; its bias (directions, 2 * gates * hidden) is no matrix.
    recurrent = node.op_type in _RECURRENT
    held = [name for name in (node.input[:4] if recurrent else inputs) if name in facts.constants]
    constants = [facts.constants[name] for name in held]
    kernels = [values for values in constants if values.dtype.name not in _SHAPE_TYPES]
    axes = 2 if recurrent else 1
    weights = [values for values in kernels if values.ndim > axes] if multiplies else []
    moving = [name for name in inputs if name not in facts.constants]
    dtype: DType = "int8" if any(w.dtype.name in ("int8", "uint8") for w in weights) else "float32"
    return LayerCost(
        name=node.name or node.output[0],
        op=node.op_type,
        dtype=dtype,
        macs=_MACS[node.op_type](node, facts) if multiplies else 0,
        nonzero_fraction=nonzero_fraction((values, np.zeros(())) for values in weights),
        weight_bytes=sum(values.nbytes for values in kernels),
        activation_bytes=sum(facts.nbytes(n) for n in [*moving, *(o for o in node.output if o)]),
    )


def _convolution(node: onnx.NodeProto, facts: _Facts) -> int:
    # Weights (out channels, in channels per group, *kernel).
    return math.prod(facts.shapes[node.output[0]]) * math.prod(facts.shapes[node.input[1]][1:])


def _transposed(node: onnx.NodeProto, facts: _Facts) -> int:
    # Weights (in channels, out channels per group, *kernel).
    return math.prod(facts.shapes[node.input[0]]) * math.prod(facts.shapes[node.input[1]][1:])


def _gemm(node: onnx.NodeProto, facts: _Facts) -> int:
    # A (m, k) or its transpose, output (m, n).
    rows, columns = facts.shapes[node.output[0]]
    return math.prod(facts.shapes[node.input[0]]) * columns if rows else 0


def _matrix_product(node: onnx.NodeProto, facts: _Facts) -> int:
    return math.prod(facts.shapes[node.output[0]]) * facts.shapes[node.input[0]][-1]


def _recurrent(node: onnx.NodeProto, facts: _Facts) -> int:
    # X (steps, batch, in), W (directions, gates * hidden, in), R (directions, gates * hidden,
    # hidden): both matrices are applied once per step and batch row.
    steps, batch, _ = facts.shapes[node.input[0]]
    return steps * batch * sum(math.prod(facts.shapes[node.input[i]]) for i in (1, 2))


_MACS: dict[str, Callable[[onnx.NodeProto, _Facts], int]] = {
    "Conv": _convolution,
    "ConvTranspose": _transposed,
    "Gemm": _gemm,
    "MatMul": _matrix_product,
    **dict.fromkeys(_RECURRENT, _recurrent),
}

MULTIPLYING = frozenset(_MACS)
"""Operations whose MACs are counted."""
