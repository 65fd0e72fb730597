"""Layer costs counted from a ``.onnx`` file; needs the package ``onnx``.

MACs are counted for Conv, ConvTranspose, Gemm, MatMul, LSTM, GRU and RNN, and for the integer
versions of Conv and MatMul. Every other operation counts 0 MACs and only the bytes it moves.
Weights that the graph dequantises (QDQ format) count as int8, and the multiplication as int8 where
its other operand is dequantised, too. Other fusions of a runtime are not taken into account.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from edgeecg.costs import _onnx_shapes
from edgeecg.costs.input_shapes import Shapes
from edgeecg.costs.layers import UncountableError, nonzero_fraction
from edgeecg.errors import ArtifactError, MissingDependencyError
from edgeecg.schema import DType, LayerCost

if TYPE_CHECKING:
    import onnx

# Operations with subgraphs, and products of packed or formula-defined operands.
_UNCOUNTABLE = frozenset({"If", "Loop", "Scan", "Einsum", "Attention", "DFT"})
_RECURRENT = frozenset({"LSTM", "GRU", "RNN"})
_SHAPE_TYPES = frozenset({"int32", "int64", "bool", "uint64"})
# Element types of which ONNX packs several into a byte, and their bits.
_PACKED_BITS = {"int4": 4, "uint4": 4, "float4_e2m1fn": 4, "int2": 2, "uint2": 2}
# Integer operations, and the place of the weights' zero point among their inputs.
_ZERO_POINTS = {"QLinearConv": 5, "QLinearMatMul": 5, "ConvInteger": 3, "MatMulInteger": 3}

_Array = NDArray[np.generic]


class Node(Protocol):
    """What is needed of an operation; ``onnx.NodeProto`` has it."""

    @property
    def op_type(self) -> str:
        """Kind of operation, e.g. ``"Conv"``."""
        ...

    @property
    def name(self) -> str:
        """Its name, which may be empty."""
        ...

    @property
    def input(self) -> Sequence[str]:
        """Names of its inputs; empty for an absent one."""
        ...

    @property
    def output(self) -> Sequence[str]:
        """Names of its outputs."""
        ...


@dataclass(frozen=True)
class Facts:
    """What is known of the tensors of a graph.

    Attributes:
        shapes: Shape of every tensor.
        item_bytes: Bytes per element of every tensor; 0.5 for four bits.
        constants: Values of the constants.
        dequantised: For the output of every DequantizeLinear: the constant that it dequantises and
            its zero point; None if it dequantises an activation.
    """

    shapes: Mapping[str, tuple[int, ...]]
    item_bytes: Mapping[str, float]
    constants: Mapping[str, _Array]
    dequantised: Mapping[str, tuple[_Array, _Array] | None]

    def nbytes(self, name: str) -> int:
        """Return the size of a tensor in bytes."""
        return math.ceil(math.prod(self.shapes[name]) * self.item_bytes[name])


def count(path: Path, shapes: Shapes | None = None) -> tuple[LayerCost, ...]:
    """Count every operation of a ``.onnx`` file.

    Args:
        path: The file.
        shapes: Shapes of its inputs; None when they are fixed except for the batch, which is 1.

    Returns:
        Costs in order of execution, named after the node or its first output.

    Raises:
        ArtifactError: The file is not a sound ONNX model.
        UncountableError: It has an operation or a shape that cannot be counted.
        MissingDependencyError: The package ``onnx`` is not installed.
    """
    model = _load(path, shapes)
    foreign = sorted({node.domain for node in model.graph.node} - {"", "ai.onnx"})
    if foreign:
        raise UncountableError(
            path.name, f"It has operations that are not part of ONNX: {', '.join(foreign)}."
        )
    layers = [node for node in model.graph.node if node.op_type != "Constant"]
    try:
        facts = _facts(model.graph)
        return tuple(cost(path, index, node, facts) for index, node in enumerate(layers))
    except (KeyError, IndexError, TypeError, ValueError, ZeroDivisionError) as error:
        raise UncountableError(
            path.name, f"A tensor has no known shape, or not the one it needs ({error})."
        ) from error


def _load(path: Path, shapes: Shapes | None) -> onnx.ModelProto:
    """Read a model whose tensors have the shapes that follow from those of its inputs."""
    try:
        import onnx
        from google.protobuf.message import DecodeError
        from onnx.inliner import inline_local_functions
    except ModuleNotFoundError as error:
        raise MissingDependencyError("onnx", "export", "counting a .onnx file") from error
    try:
        model = onnx.load(path)
        _onnx_shapes.check(model)
        if model.functions:
            model = inline_local_functions(model)
        _onnx_shapes.fix_inputs(path, model.graph, shapes or {})
        return _onnx_shapes.infer(model)
    except (
        DecodeError,
        onnx.checker.ValidationError,
        onnx.shape_inference.InferenceError,
        LookupError,  # An element type that the package does not know.
        OSError,
        TypeError,
        ValueError,
    ) as error:
        raise ArtifactError(
            f"{path} is not a sound ONNX file.",
            f"The package onnx reports: {' '.join(str(error).split())[:200]}.",
            "It is truncated, corrupt or of another format; export or copy it again.",
        ) from error


def _facts(graph: onnx.GraphProto) -> Facts:
    import onnx

    constants = _onnx_shapes.constants(graph)
    constants |= unpacked_halves(graph.node, constants)
    shapes = {**_onnx_shapes.known_shapes(graph), **{n: v.shape for n, v in constants.items()}}
    item_bytes = {name: _item_bytes(values.dtype) for name, values in constants.items()}
    for value in [*graph.input, *graph.value_info, *graph.output]:
        kind = value.type.tensor_type.elem_type
        if kind and value.name not in item_bytes:
            item_bytes[value.name] = _item_bytes(onnx.helper.tensor_dtype_to_np_dtype(kind))
    return Facts(shapes, item_bytes, constants, dequantised(graph.node, constants))


def _item_bytes(dtype: np.dtype[np.generic]) -> float:
    """Return the bytes that ONNX stores for an element; in memory, NumPy gives four bits a byte."""
    return _PACKED_BITS.get(dtype.name, 8 * dtype.itemsize) / 8


def _stored_bytes(values: _Array) -> int:
    return math.ceil(values.size * _item_bytes(values.dtype))


def dequantised(
    nodes: Iterable[Node], constants: Mapping[str, _Array]
) -> dict[str, tuple[_Array, _Array] | None]:
    """Return what every DequantizeLinear dequantises; see :attr:`Facts.dequantised`.

    Args:
        nodes: The operations of a graph.
        constants: Values of its constants.
    """
    return {
        node.output[0]: (constants[node.input[0]], _zero_point(node, 2, constants))
        if node.input[0] in constants
        else None
        for node in nodes
        if node.op_type == "DequantizeLinear"
    }


def unpacked_halves(
    nodes: Iterable[Node], constants: Mapping[str, _Array]
) -> dict[str, NDArray[np.float32]]:
    """Return the constants that a Cast makes from float16, as they are multiplied: in float32.

    A runtime computes them once, when it loads the file.

    Args:
        nodes: The operations of a graph.
        constants: Values of its constants.
    """
    return {
        node.output[0]: constants[node.input[0]].astype(np.float32)
        for node in nodes
        if node.op_type == "Cast"
        and node.input[0] in constants
        and constants[node.input[0]].dtype == np.float16
    }


def _zero_point(node: Node, place: int | None, constants: Mapping[str, _Array]) -> _Array:
    """Return the stored value that represents 0 (per-channel weights are symmetric: it is 0)."""
    name = node.input[place] if place is not None and place < len(node.input) else ""
    values = np.unique(constants[name]) if name in constants else np.zeros(1)
    return values[0] if values.size == 1 else np.zeros(())


def cost(path: Path, index: int, node: Node, facts: Facts) -> LayerCost:
    """Count one operation.

    Args:
        path: The file, for error messages.
        index: Place of the operation in the order of execution.
        node: The operation.
        facts: What is known of its tensors.

    Raises:
        UncountableError: Its MACs cannot be counted from the file.
        KeyError: The shape of one of its tensors is unknown.
        ValueError, IndexError, TypeError, ZeroDivisionError: A tensor does not have the shape that
            the operation needs.
    """
    if node.op_type in _UNCOUNTABLE:
        raise UncountableError(path.name, f"Operation {index} is {node.op_type}.")
    multiplies = node.op_type in _MACS
    # The bytes of a dequantised constant belong to the operations that use it.
    unpacked = _unpacks(node.output[0], facts) or node.output[0] in facts.constants
    constants = [] if unpacked else _constants(node, facts)
    kernels = [(v, zero) for v, zero in constants if v.dtype.name not in _SHAPE_TYPES]
    # The bias of a quantised operation is int32.
    biases = [v for v, _ in constants if multiplies and v.dtype == np.int32]
    axes = 2 if node.op_type in _RECURRENT else 1
    weights = [(v, zero) for v, zero in kernels if v.ndim > axes] if multiplies else []
    moving = [n for n in node.input if n and n not in facts.constants and not _unpacks(n, facts)]
    touched = [] if unpacked else [*moving, *(name for name in node.output if name)]
    return LayerCost(
        name=node.name or node.output[0],
        op=node.op_type,
        dtype=_dtype(node, moving, weights, facts),
        macs=_MACS[node.op_type](node, facts) if multiplies else 0,
        nonzero_fraction=nonzero_fraction(weights),
        weight_bytes=sum(map(_stored_bytes, [*(v for v, _ in kernels), *biases])),
        activation_bytes=sum(facts.nbytes(name) for name in touched),
    )


def _unpacks(name: str, facts: Facts) -> bool:
    """Return whether a tensor is a dequantised constant."""
    return facts.dequantised.get(name) is not None


def _constants(node: Node, facts: Facts) -> list[tuple[_Array, _Array]]:
    """Return the constant inputs of an operation as they are stored, with their zero points."""
    # The inputs of a recurrent layer from the fifth on are lengths and states, not weights, even
    # when they are constant; its bias (directions, 2 * gates * hidden) is not a matrix.
    names = node.input[:4] if node.op_type in _RECURRENT else node.input
    zero = _zero_point(node, _ZERO_POINTS.get(node.op_type), facts.constants)
    found: list[tuple[_Array, _Array]] = []
    for name in names:
        stored = facts.dequantised.get(name)
        if stored is not None:
            found.append(stored)
        elif name in facts.constants:
            found.append((facts.constants[name], zero))
    return found


def _dtype(
    node: Node, moving: list[str], weights: list[tuple[_Array, _Array]], facts: Facts
) -> DType:
    """Return the type in which an operation multiplies."""
    if node.op_type in _ZERO_POINTS:
        return "int8"
    stored_int8 = all(values.dtype.name in ("int8", "uint8") for values, _ in weights)
    taken_int8 = bool(moving) and all(name in facts.dequantised for name in moving)
    return "int8" if node.op_type in _MACS and stored_int8 and taken_int8 else "float32"


def _convolution(node: Node, facts: Facts) -> int:
    # Weights (out channels, in channels per group, *kernel).
    return math.prod(facts.shapes[node.output[0]]) * math.prod(facts.shapes[node.input[1]][1:])


def _quantised_convolution(node: Node, facts: Facts) -> int:
    # The weights are the fourth input.
    return math.prod(facts.shapes[node.output[0]]) * math.prod(facts.shapes[node.input[3]][1:])


def _transposed(node: Node, facts: Facts) -> int:
    # Weights (in channels, out channels per group, *kernel).
    return math.prod(facts.shapes[node.input[0]]) * math.prod(facts.shapes[node.input[1]][1:])


def _gemm(node: Node, facts: Facts) -> int:
    # A (m, k) or its transpose, output (m, n).
    rows, columns = facts.shapes[node.output[0]]
    return math.prod(facts.shapes[node.input[0]]) * columns if rows else 0


def _matrix_product(node: Node, facts: Facts) -> int:
    return math.prod(facts.shapes[node.output[0]]) * facts.shapes[node.input[0]][-1]


def _recurrent(node: Node, facts: Facts) -> int:
    # X (steps, batch, in), W (directions, gates * hidden, in), R (directions, gates * hidden,
    # hidden): both matrices are applied once per step and batch row.
    steps, batch, _ = facts.shapes[node.input[0]]
    return steps * batch * sum(math.prod(facts.shapes[node.input[i]]) for i in (1, 2))


_MACS: dict[str, Callable[[Node, Facts], int]] = {
    "Conv": _convolution,
    "ConvInteger": _convolution,
    "QLinearConv": _quantised_convolution,
    "ConvTranspose": _transposed,
    "Gemm": _gemm,
    "MatMul": _matrix_product,
    "MatMulInteger": _matrix_product,
    "QLinearMatMul": _matrix_product,
    **dict.fromkeys(_RECURRENT, _recurrent),
}

MULTIPLYING = frozenset(_MACS)
"""Operations whose MACs are counted."""
