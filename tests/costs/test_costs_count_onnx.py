from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import example, given, settings, strategies as st
from onnx import helper, numpy_helper
from onnx_models import graph_model, qdq_convolution, recurrent

from edgeecg.costs.counting import count, formats
from edgeecg.costs.layers import UncountableError
from edgeecg.errors import ArtifactError, EdgeECGError, UsageError
from edgeecg.schema import LayerCost


def model(
    nodes: list[Any],
    x: list[int | str],
    y: list[int],
    weights: dict[str, np.ndarray[Any, np.dtype[Any]]],
) -> bytes:
    return graph_model(nodes, x, [*y], weights).SerializeToString()


def ones(*shape: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.ones(shape, np.float32)


def counted(folder: Path, content: bytes) -> tuple[LayerCost, ...]:
    path = folder / "model.onnx"
    path.write_bytes(content)
    return count(path)


def test_a_strided_convolution_worked_out_by_hand(tmp_path: Path) -> None:
    weights = ones(6, 2, 5)
    weights[:3] = 0.0
    node = helper.make_node("Conv", ["x", "w", "b"], ["y"], strides=[2], pads=[2, 2], name="stem")
    content = model([node], ["batch", 2, 32], [1, 6, 16], {"w": weights, "b": ones(6)})
    (layer,) = counted(tmp_path, content)
    assert layer == LayerCost(
        name="stem",
        op="Conv",
        dtype="float32",
        macs=16 * 6 * 2 * 5,
        nonzero_fraction=0.5,
        weight_bytes=(6 * 2 * 5 + 6) * 4,
        activation_bytes=(2 * 32 + 6 * 16) * 4,
    )


@pytest.mark.parametrize(
    ("node", "x", "y", "weights", "macs"),
    [
        (helper.make_node("Gemm", ["x", "w"], ["y"], transB=1), [2, 7], [2, 3],
         {"w": ones(3, 7)}, 42),
        (helper.make_node("Gemm", ["x", "w"], ["y"], transA=1), [7, 2], [2, 3],
         {"w": ones(7, 3)}, 42),
        (helper.make_node("MatMul", ["x", "w"], ["y"]), [4, 5, 6], [4, 5, 7],
         {"w": ones(6, 7)}, 840),
        # Grouped: each output channel sees 2 of 4 input channels.
        (helper.make_node("Conv", ["x", "w"], ["y"], group=2), [1, 4, 10], [1, 6, 8],
         {"w": ones(6, 2, 3)}, 288),
        (helper.make_node("ConvTranspose", ["x", "w"], ["y"]), [1, 2, 5], [1, 3, 8],
         {"w": ones(2, 3, 4)}, 120),
        # 10 steps; W is 32x3 and R 32x8, four gates of 8 units in each.
        (helper.make_node("LSTM", ["x", "w", "r"], ["y"], hidden_size=8), [10, 1, 3],
         [10, 1, 1, 8], {"w": ones(1, 32, 3), "r": ones(1, 32, 8)}, 3520),
        (helper.make_node("Relu", ["x"], ["y"]), [1, 9], [1, 9], {}, 0),
    ],
)  # fmt: skip
def test_macs_of_each_operation(
    tmp_path: Path,
    node: Any,
    x: list[int | str],
    y: list[int],
    weights: dict[str, np.ndarray[Any, np.dtype[Any]]],
    macs: int,
) -> None:
    (layer,) = counted(tmp_path, model([node], x, y, weights))
    assert layer.macs == macs


def test_bias_and_first_states_of_an_lstm_are_no_matrices(tmp_path: Path) -> None:
    w, r, zeros = ones(2, 32, 3), ones(2, 32, 8), np.zeros((2, 1, 8), np.float32)
    r[1] = 0.0
    inputs = ["x", "w", "r", "b", "", "h", "c"]
    node = helper.make_node("LSTM", inputs, ["y"], hidden_size=8, direction="bidirectional")
    weights = {"w": w, "r": r, "b": np.zeros((2, 64), np.float32), "h": zeros, "c": zeros}
    (layer,) = counted(tmp_path, model([node], [10, 1, 3], [10, 2, 1, 8], weights))
    assert layer.macs == 2 * 3520
    # Only the backward state's 32 x 8 of all 2 x 32 x 11 weights are zero.
    assert layer.nonzero_fraction == pytest.approx(1 - 256 / 704)
    assert layer.weight_bytes == (704 + 2 * 64) * 4


def test_shapes_inside_the_graph_are_inferred_and_constants_are_no_layers(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(ones(8, 4), "w")),
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("Relu", ["h"], ["y"]),
    ]
    layers = counted(tmp_path, model(nodes, [1, 8], [1, 4], {}))
    assert [layer.op for layer in layers] == ["MatMul", "Relu"]
    assert layers[0].weight_bytes == 128
    assert layers[1].activation_bytes == 32


def test_shapes_that_the_graph_computes_are_followed(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(recurrent().SerializeToString())
    layers = {layer.op: layer for layer in count(path, {"x": (2, 3, 10)})}
    # 10 steps of 2 rows; W is 32 x 3 and R is 32 x 8.
    assert layers["LSTM"].macs == 10 * 2 * (32 * 3 + 32 * 8)
    # The flattened output (10, 2, 8) times (8, 4).
    assert layers["MatMul"].macs == 10 * 2 * 8 * 4
    assert layers["Reshape"].activation_bytes == 2 * (10 * 2 * 8 * 4) + 3 * 8


def test_a_free_axis_that_is_not_the_batch_is_never_taken_as_1(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(recurrent().SerializeToString())
    with pytest.raises(UncountableError, match=r"batchx3xtime: the length of axis 3 is free"):
        count(path)


def test_functions_of_the_file_are_inlined(tmp_path: Path) -> None:
    product = helper.make_node("MatMul", ["a", "w"], ["b"])
    function = helper.make_function(
        "local", "Dense", ["a", "w"], ["b"], [product], [helper.make_opsetid("", 17)]
    )
    node = helper.make_node("Dense", ["x", "w"], ["y"], domain="local")
    made = graph_model([node], [3, 6], [3, 7], {"w": ones(6, 7)}, domain="local")
    made.functions.append(function)
    (layer,) = counted(tmp_path, made.SerializeToString())
    assert (layer.op, layer.macs) == ("MatMul", 3 * 6 * 7)


def test_a_quantised_convolution_in_qdq_format_is_int8(tmp_path: Path) -> None:
    layers = counted(tmp_path, qdq_convolution().SerializeToString())
    stem = layers[-1]
    assert stem == LayerCost(
        name="stem",
        op="Conv",
        dtype="int8",
        macs=32 * 6 * 2 * 5,
        nonzero_fraction=0.5,
        # 60 int8 weights, 6 int32 biases.
        weight_bytes=6 * 2 * 5 + 6 * 4,
        activation_bytes=(2 * 32 + 6 * 32) * 4,
    )
    # What dequantises weights moves nothing at run time.
    dequantised = [layer for layer in layers if layer.op == "DequantizeLinear"]
    assert [layer.weight_bytes for layer in dequantised[1:]] == [0, 0]
    assert [layer.activation_bytes for layer in dequantised[1:]] == [0, 0]


def test_float_activations_are_multiplied_in_float32(tmp_path: Path) -> None:
    stem = counted(tmp_path, qdq_convolution(activations=False).SerializeToString())[-1]
    assert (stem.dtype, stem.macs, stem.nonzero_fraction) == ("float32", 1920, 0.5)


def test_integer_operations_are_counted_as_int8(tmp_path: Path) -> None:
    scale, zero = np.array(0.1, np.float32), np.array(2, np.int8)
    weights = np.full((6, 2, 5), 2, np.int8)
    weights[0] = 1
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node(
            "QLinearConv", ["q", "s", "z", "w", "s", "z", "s", "z", "b"], ["c"], pads=[2, 2]
        ),
        helper.make_node("DequantizeLinear", ["c", "s", "z"], ["y"]),
    ]
    held = {"s": scale, "z": zero, "w": weights, "b": np.zeros(6, np.int32)}
    layers = counted(tmp_path, graph_model(nodes, [1, 2, 32], [1, 6, 32], held).SerializeToString())
    assert (layers[1].dtype, layers[1].macs) == ("int8", 1920)
    # The zero point is 2: only one of six output channels is not zero.
    assert layers[1].nonzero_fraction == pytest.approx(1 / 6)


def test_a_custom_operation_cannot_be_counted(tmp_path: Path) -> None:
    node = helper.make_node("Magic", ["x"], ["y"], domain="house")
    made = onnx.load_from_string(model([node], [1, 4], [1, 4], {}))
    made.opset_import.append(helper.make_opsetid("house", 1))
    with pytest.raises(UncountableError, match="house"):
        counted(tmp_path, made.SerializeToString())


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x80\x00\x00\x00TFL3"])
def test_foreign_bytes_are_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ArtifactError, match="not a sound ONNX file"):
        counted(tmp_path, content)


@settings(max_examples=100, deadline=None)
@example([(541, 8)])
@example([(65537, 29)])
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=9))
def test_mutated_bytes_end_in_an_answer_or_an_explained_error(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]]
) -> None:
    node = helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)
    content = bytearray(model([node], [2, 7], [2, 3], {"w": ones(3, 7)}))
    for place, value in changes:
        content[place % len(content)] = value
    try:
        printed = str(counted(tmp_path_factory.mktemp("mutated"), bytes(content)))
    except EdgeECGError as error:
        printed = error.what
    assert "macs=" in printed or "model.onnx" in printed


def test_another_suffix_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    assert formats() == ["onnx", "tflite"]
    with pytest.raises(UsageError, match=r"\.onnx, \.tflite"):
        count(tmp_path / "model.h5")


@pytest.mark.parametrize("kind", [onnx.TensorProto.INT4, onnx.TensorProto.UINT4])
def test_weights_of_four_bits_have_the_bytes_that_the_file_stores(
    tmp_path: Path, kind: int
) -> None:
    held = helper.make_tensor("w", kind, (3, 5), [0, 1, 2, 3, 4] * 3)
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s"], ["w_f"]),
        helper.make_node("MatMul", ["x", "w_f"], ["y"], name="product"),
    ]
    made = graph_model(nodes, [2, 3], [2, 5], {"s": np.array(0.1, np.float32)})
    made.graph.initializer.append(held)
    del made.opset_import[:]
    made.opset_import.append(helper.make_opsetid("", 21))
    *_, product = counted(tmp_path, made.SerializeToString())
    # 15 numbers of four bits; as the reference implementation packs them.
    packed = numpy_helper.from_array(numpy_helper.to_array(held)).raw_data
    assert product.weight_bytes == len(packed) == 8
    assert product.nonzero_fraction == pytest.approx(12 / 15)
    assert product.macs == 2 * 3 * 5
