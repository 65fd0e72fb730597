"""Transpositions and reshapes that are left out of TFLite files, and the outputs that stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils
from numpy.typing import NDArray

from edgeecg.exporters import _tflite_simplify, quiet
from edgeecg.exporters._tflite_packing import packed
from edgeecg.exporters._tflite_simplify import outputs, simplified

SHAPE = (3, 5)
WINDOWS = np.random.default_rng(0).normal(size=(4, *SHAPE)).astype(np.float32)


class File:
    """A TFLite file, written operation by operation; its input is ``(1, 3, 5)``."""

    def __init__(self) -> None:
        self.model: Any = schema.ModelT()
        self.graph: Any = schema.SubGraphT()
        self.model.version, self.model.subgraphs = 3, [self.graph]
        self.model.buffers, self.model.operatorCodes = [schema.BufferT()], []
        self.graph.tensors, self.graph.operators = [], []
        self.x = self.tensor((1, *SHAPE))
        self.graph.inputs = [self.x]

    def tensor(self, shape: tuple[int, ...]) -> int:
        made: Any = schema.TensorT()
        made.name, made.shape = f"module_t;{len(self.graph.tensors)}".encode(), list(shape)
        made.type = schema.TensorType.FLOAT32
        self.graph.tensors.append(made)
        return len(self.graph.tensors) - 1

    def constant(self, values: NDArray[np.generic]) -> int:
        index = self.tensor(values.shape)
        if values.dtype == np.int32:
            self.graph.tensors[index].type = schema.TensorType.INT32
        buffer: Any = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self.graph.tensors[index].buffer = len(self.model.buffers)
        self.model.buffers.append(buffer)
        return index

    def add(self, kind: str, inputs: list[int], shape: tuple[int, ...], options: str = "") -> int:
        code: Any = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, kind)
        code.version = 1
        made: Any = schema.OperatorT()
        made.opcodeIndex, made.inputs = len(self.model.operatorCodes), inputs
        made.outputs = [self.tensor(shape)]
        if options:
            made.builtinOptions = getattr(schema, f"{options}OptionsT")()
            made.builtinOptionsType = getattr(schema.BuiltinOptions, f"{options}Options")
        self.model.operatorCodes.append(code)
        self.graph.operators.append(made)
        return made.outputs[0]

    def transpose(self, x: int, *order: int) -> int:
        shape = tuple(self.graph.tensors[x].shape[axis] for axis in order)
        return self.add(
            "TRANSPOSE", [x, self.constant(np.array(order, np.int32))], shape, "Transpose"
        )

    def reshape(self, x: int, *shape: int) -> int:
        y = self.add("RESHAPE", [x, self.constant(np.array(shape, np.int32))], shape, "Reshape")
        self.graph.operators[-1].builtinOptions.newShape = list(shape)
        return y

    def reduce(self, kind: str, x: int, axes: list[int], *shape: int) -> int:
        return self.add(kind, [x, self.constant(np.array(axes, np.int32))], shape, "Reducer")

    def content(self, y: int) -> bytes:
        self.graph.outputs = [y]
        return packed(self.model)


def operations(content: bytes) -> Counter[str | None]:
    model: Any = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    return Counter(
        flatbuffer_utils.opcode_to_name(model, each.opcodeIndex)
        for each in model.subgraphs[0].operators
    )


def back_and_forth(file: File) -> int:
    y = file.add("TANH", [file.transpose(file.x, 0, 2, 1)], (1, 5, 3))
    return file.add("LOGISTIC", [file.transpose(y, 0, 2, 1)], (1, 3, 5))


def sum_over_positions(file: File) -> int:
    weighted = file.add(
        "EXP", [file.reshape(file.transpose(file.x, 0, 2, 1), 1, 1, 5, 3)], (1, 1, 5, 3), "Exp"
    )
    total = file.reduce("SUM", weighted, [2], 1, 1, 3)
    return file.add("TANH", [file.reshape(total, 1, 3)], (1, 3))


def constant_per_channel(file: File) -> int:
    values = file.constant(np.array([[[1.0, -2.0, 3.0]]], np.float32))
    y = file.add("MUL", [file.transpose(file.x, 0, 2, 1), values], (1, 5, 3), "Mul")
    return file.add("TANH", [file.transpose(y, 0, 2, 1)], (1, 3, 5))


def gate_per_channel(file: File) -> int:
    mean = file.reduce("MEAN", file.x, [2], 1, 3)
    gate = file.reshape(file.add("LOGISTIC", [mean], (1, 3)), 1, 1, 3)
    y = file.add("MUL", [file.transpose(file.x, 0, 2, 1), gate], (1, 5, 3), "Mul")
    return file.add("TANH", [file.transpose(y, 0, 2, 1)], (1, 3, 5))


def flattened_row(file: File) -> int:
    row = file.reshape(file.transpose(file.x, 0, 2, 1), 1, 15)
    weights = np.random.default_rng(1).normal(size=(4, 15)).astype(np.float32)
    given = [row, file.constant(weights), file.constant(np.zeros(4, np.float32))]
    return file.add("FULLY_CONNECTED", given, (1, 4), "FullyConnected")


def layer_norm(file: File) -> int:
    mean = file.reduce("MEAN", file.x, [0, 2], 3)
    centred = file.add("SUB", [file.x, file.reshape(mean, 1, 3, 1)], (1, 3, 5), "Sub")
    return file.add("TANH", [centred], (1, 3, 5))


def reversed_before_a_maximum(file: File) -> int:
    y = file.add(
        "REVERSE_V2", [file.x, file.constant(np.array([2], np.int32))], (1, 3, 5), "ReverseV2"
    )
    joined = file.add("CONCATENATION", [file.x, y], (1, 6, 5), "Concatenation")
    file.graph.operators[-1].builtinOptions.axis = 1
    return file.add("TANH", [file.reduce("REDUCE_MAX", joined, [2], 1, 6)], (1, 6))


@pytest.mark.parametrize(
    ("make", "left"),
    [
        (back_and_forth, {"TANH": 1, "LOGISTIC": 1}),
        (sum_over_positions, {"EXP": 1, "SUM": 1, "TANH": 1}),
        (constant_per_channel, {"MUL": 1, "TANH": 1}),
        (gate_per_channel, {"MEAN": 1, "LOGISTIC": 1, "MUL": 1, "TANH": 1}),
        (flattened_row, {"RESHAPE": 1, "FULLY_CONNECTED": 1}),
        (layer_norm, {"MEAN": 1, "SUB": 1, "TANH": 1}),
        (reversed_before_a_maximum, {"CONCATENATION": 1, "REDUCE_MAX": 1, "TANH": 1}),
    ],
)
def test_what_is_left_of_a_file_and_that_its_outputs_stay(
    make: Callable[[File], int], left: dict[str, int]
) -> None:
    file = File()
    content = file.content(make(file))
    with quiet():
        made = simplified(content, SHAPE)
        np.testing.assert_allclose(outputs(made, WINDOWS), outputs(content, WINDOWS), atol=1e-6)
    assert operations(made) == left
    assert len(made) < len(content)


def needed_by_the_output(file: File) -> int:
    return file.transpose(file.add("TANH", [file.x], (1, 3, 5)), 0, 2, 1)


def needed_by_a_matrix_product(file: File) -> int:
    factor = file.transpose(file.x, 0, 2, 1)
    return file.add("BATCH_MATMUL", [file.x, factor], (1, 3, 3), "BatchMatMul")


def reversed_where_order_counts(file: File) -> int:
    y = file.add(
        "REVERSE_V2", [file.x, file.constant(np.array([2], np.int32))], (1, 3, 5), "ReverseV2"
    )
    return file.add("MUL", [file.x, y], (1, 3, 5), "Mul")


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (needed_by_the_output, "TRANSPOSE"),
        (needed_by_a_matrix_product, "TRANSPOSE"),
        (reversed_where_order_counts, "REVERSE_V2"),
    ],
)
def test_an_operation_that_is_needed_stays(make: Callable[[File], int], kind: str) -> None:
    file = File()
    content = file.content(make(file))
    with quiet():
        made = simplified(content, SHAPE)
        np.testing.assert_array_equal(outputs(made, WINDOWS), outputs(content, WINDOWS))
    assert operations(made)[kind] == 1


def test_a_file_whose_outputs_would_differ_is_returned_unchanged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = File()
    content = file.content(back_and_forth(file))

    def wrong(graph: Any) -> None:
        graph.nodes[-1].inputs[0] = graph.plain(file.x)

    monkeypatch.setattr(_tflite_simplify, "simplify", wrong)
    with quiet():
        assert simplified(content, SHAPE) == content
