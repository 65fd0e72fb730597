from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from tiny_tflite import Op, T, build

from edgeecg.costs import tflite_file
from edgeecg.costs.counting import count
from edgeecg.costs.layers import UncountableError
from edgeecg.errors import ArtifactError
from edgeecg.schema import LayerCost


def floats(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.ones(shape, np.float32)


def counted(folder: Path, tensors: list[T], operators: list[Op]) -> tuple[LayerCost, ...]:
    path = folder / "model.tflite"
    path.write_bytes(build(tensors, operators))
    return count(path)


def convolution() -> tuple[list[T], list[Op]]:
    weights = floats(4, 3, 3, 3)
    weights[0] = 0.0
    tensors = [
        T((1, 8, 8, 3)),
        T((4, 3, 3, 3), values=weights),
        T((4,), values=floats(4)),
        T((1, 6, 6, 4), name="features"),
    ]
    return tensors, [Op("CONV_2D", [0, 1, 2], [3])]


def test_a_convolution_has_the_macs_bytes_and_zeros_worked_out_by_hand(tmp_path: Path) -> None:
    (layer,) = counted(tmp_path, *convolution())
    assert layer == LayerCost(
        name="features",
        op="CONV_2D",
        dtype="float32",
        macs=6 * 6 * 4 * 3 * 3 * 3,  # 3888
        nonzero_fraction=0.75,  # one of four output channels is all zeros
        weight_bytes=(4 * 27 + 4) * 4,
        activation_bytes=(8 * 8 * 3 + 6 * 6 * 4) * 4,
    )


@pytest.mark.parametrize(
    ("op", "tensors", "inputs", "macs"),
    [
        # Output 6x6x5, kernel 3x3, one input channel each.
        ("DEPTHWISE_CONV_2D", [T((1, 8, 8, 5)), T((1, 3, 3, 5), values=floats(1, 3, 3, 5)),
                               T((1, 6, 6, 5))], [0, 1], 1620),
        # 2 rows, 7 features, 3 units.
        ("FULLY_CONNECTED", [T((2, 7)), T((3, 7), values=floats(3, 7)), T((2, 3))], [0, 1], 42),
        # 4 batches of (5, 6) by (6, 7).
        ("BATCH_MATMUL", [T((4, 5, 6)), T((4, 6, 7)), T((4, 5, 7))], [0, 1], 840),
        # The same with the left operand stored transposed.
        ("BATCH_MATMUL", [T((4, 6, 5)), T((4, 6, 7)), T((4, 5, 7))], [0, 1], 840),
        # Input 3x3x2 scattered by 2x2 kernels to 4 channels.
        ("TRANSPOSE_CONV", [T((1, 3, 3, 2)), T((4, 2, 2, 2), values=floats(4, 2, 2, 2)),
                            T((4,), "INT32", np.array([1, 6, 6, 4], np.int32)), T((1, 6, 6, 4))],
         [2, 1, 0], 288),
        # 10 steps; a gate's two matrices are 8x3 and 8x8.
        ("UNIDIRECTIONAL_SEQUENCE_LSTM", [T((1, 10, 3)), T((8, 3), values=floats(8, 3)),
                                          T((8, 8), values=floats(8, 8)), T((1, 10, 8))],
         [0, -1, 1, 2], 880),
        ("MEAN", [T((1, 4, 4, 2)), T((2,), "INT32", np.array([1, 2], np.int32)), T((1, 2))],
         [0, 1], 0),
        ("MUL", [T((1, 4)), T((1, 4)), T((1, 4))], [0, 1], 0),
    ],
)  # fmt: skip
def test_macs_of_each_operation(
    tmp_path: Path, op: str, tensors: list[T], inputs: list[int], macs: int
) -> None:
    (layer,) = counted(tmp_path, tensors, [Op(op, inputs, [len(tensors) - 1])])
    assert layer.macs == macs
    assert layer.op == op


def test_int8_weights_count_as_int8_and_their_zero_point_as_zero(tmp_path: Path) -> None:
    stored = np.array([[5, 5, 0, 1], [5, 2, 3, 4]], np.int8)
    tensors = [
        T((1, 4), "INT8", zero_point=0),
        T((2, 4), "INT8", stored, zero_point=5),
        T((2,), "INT32", np.zeros(2, np.int32)),
        T((1, 2), "INT8", zero_point=0),
    ]
    (layer,) = counted(tmp_path, tensors, [Op("FULLY_CONNECTED", [0, 1, 2], [3])])
    assert layer.dtype == "int8"
    assert layer.nonzero_fraction == 5 / 8
    assert layer.weight_bytes == 8 + 2 * 4
    assert layer.activation_bytes == 4 + 2


def test_axes_and_shapes_are_no_weights(tmp_path: Path) -> None:
    tensors = [T((2, 2)), T((1,), "INT32", np.array([4], np.int32)), T((4,))]
    (layer,) = counted(tmp_path, tensors, [Op("RESHAPE", [0, 1], [2])])
    assert (layer.weight_bytes, layer.activation_bytes) == (0, 32)


@pytest.mark.parametrize("op", ["CUSTOM", "WHILE", "STABLEHLO_DOT_GENERAL"])
def test_what_cannot_be_counted_is_said_and_not_taken_for_nothing(tmp_path: Path, op: str) -> None:
    with pytest.raises(UncountableError, match="cannot be counted"):
        counted(tmp_path, [T((1,)), T((1,))], [Op(op, [0], [1])])


def test_a_tensor_whose_bytes_do_not_fit_its_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="holds 12 bytes"):
        counted(
            tmp_path,
            [T((1, 4)), T((2, 4), values=floats(3)), T((1, 2))],
            [Op("FULLY_CONNECTED", [0, 1], [2])],
        )


def test_metadata_comes_back_and_a_foreign_name_is_none(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(build(*convolution(), metadata={"key": '{"µ": 1}'.encode() + b"\0\0"}))
    assert tflite_file.metadata(path, "key") == '{"µ": 1}'
    assert tflite_file.metadata(path, "other") is None


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x80\x00\x00\x00TFL3", b"PK\x03\x04" * 9])
def test_foreign_bytes_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="not a sound TFLite file"):
        count(path)


def test_every_truncation_is_refused_or_still_the_same_model(tmp_path: Path) -> None:
    content = build(*convolution())
    path = tmp_path / "model.tflite"
    refused = 0
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        try:
            count(path)
        except ArtifactError:
            refused += 1
    assert refused > 0.9 * len(content) / 7


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=20))
def test_mutated_bytes_never_crash_the_counter(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]]
) -> None:
    content = bytearray(build(*convolution(), metadata={"key": b"value"}))
    for place, value in changes:
        content[place % len(content)] = value
    path = tmp_path_factory.mktemp("mutated") / "model.tflite"
    path.write_bytes(content)
    try:
        printed = f"{count(path)} {tflite_file.metadata(path, 'key')}"
    except ArtifactError as error:
        printed = error.what
    assert printed.startswith("(") or "model.tflite" in printed


@pytest.mark.parametrize(
    ("op", "tensors", "inputs", "outputs"),
    [
        ("RELU", [T((1, 4), "INT16"), T((1, 4), "INT16")], [0], [1]),
        (
            "SPLIT",
            [T((), "INT32", np.array(1, np.int32)), T((1, 4), "INT8"), *[T((1, 2), "INT8")] * 2],
            [0, 1],
            [2, 3],
        ),
    ],
)
def test_an_operation_on_integers_without_weights_counts_as_int8(
    op: str, tensors: list[T], inputs: list[int], outputs: list[int], tmp_path: Path
) -> None:
    (layer,) = counted(tmp_path, tensors, [Op(op, inputs, outputs)])
    assert layer.dtype == "int8"


def test_biases_of_64_bits_are_weights_and_the_shape_of_an_output_is_none(tmp_path: Path) -> None:
    dense = [
        T((1, 4), "INT16"),
        T((2, 4), "INT8", np.ones((2, 4), np.int8)),
        T((2,), "INT64", np.zeros(2, np.int64)),
        T((1, 2), "INT16"),
    ]
    (layer,) = counted(tmp_path, dense, [Op("FULLY_CONNECTED", [0, 1, 2], [3])])
    assert layer.weight_bytes == 8 + 2 * 8
    transposed = [
        T((4,), "INT32", np.array([1, 1, 8, 1], np.int32)),
        T((1, 1, 3, 1), values=floats(1, 1, 3, 1)),
        T((1, 1, 8, 1)),
        T((1, 1, 8, 1)),
    ]
    (layer,) = counted(tmp_path, transposed, [Op("TRANSPOSE_CONV", [0, 1, 2], [3])])
    assert layer.weight_bytes == 3 * 4
