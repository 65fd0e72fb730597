"""What ``inspect`` reads of a file, against figures worked out by hand and the package onnx."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings, strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx_models import external, graph_model, qdq, qdq_convolution, recurrent
from tiny_tflite import Op, T, build

from edgeecg.costs import file_graph_onnx, onnx_values
from edgeecg.costs._onnx_runtime_shapes import NoShapesError
from edgeecg.costs.counting import count
from edgeecg.costs.inspection import inspect_file
from edgeecg.costs.onnx_file import Constant
from edgeecg.errors import ArtifactError, EdgeECGError, UsageError
from edgeecg.schema import Inspection


def floats(*shape: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.ones(shape, np.float32)


def inspected(folder: Path, tensors: list[T], operators: list[Op]) -> Inspection:
    path = folder / "model.tflite"
    path.write_bytes(build(tensors, operators))
    return inspect_file(path, int8_dot_product=True)


def inspected_onnx(folder: Path, model: onnx.ModelProto, **options: Any) -> Inspection:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return inspect_file(path, **options)


def residual() -> tuple[list[T], list[Op]]:
    """Return the sum of the input and a rectified convolution of it."""
    tensors = [
        T((1, 8, 8, 4), name="x"),
        T((4, 1, 1, 4), values=floats(4, 1, 1, 4)),
        T((4,), values=floats(4)),
        T((1, 8, 8, 4), name="features"),
        T((1, 8, 8, 4), name="positive"),
        T((1, 8, 8, 4), name="y"),
    ]
    return tensors, [
        Op("CONV_2D", [0, 1, 2], [3]),
        Op("RELU", [3], [4]),
        Op("ADD", [4, 0], [5]),
    ]


def test_a_residual_block_worked_out_by_hand(tmp_path: Path) -> None:
    found = inspected(tmp_path, *residual())
    assert [(each.index, each.op, each.macs) for each in found.ops] == [
        (0, "CONV_2D", 8 * 8 * 4 * 4),
        (1, "RELU", 0),
        (2, "ADD", 0),
    ]
    assert found.weight_bytes == (4 * 4 + 4) * 4
    tensor = 8 * 8 * 4 * 4
    assert found.activation_bytes == (2 + 2 + 3) * tensor
    # The input is needed until the addition: with it, two other tensors are there at a time.
    assert found.arena_bytes == 3 * tensor
    assert found.proxy_executed is None
    assert "baseline" in found.reasons["proxy_executed"]
    assert sum(each.proxy_share or 0 for each in found.ops) == pytest.approx(1)
    assert (found.dtype, found.activation_dtype) == ("float32", "float32")
    assert found.classes is None


def test_a_chain_needs_two_tensors_at_a_time(tmp_path: Path) -> None:
    tensors = [T((100,)), T((50,)), T((10,)), T((5,))]
    operators = [Op("RELU", [k], [k + 1]) for k in range(3)]
    assert inspected(tmp_path, tensors, operators).arena_bytes == (100 + 50) * 4


def test_a_state_is_kept_all_the_time(tmp_path: Path) -> None:
    # Tensor 1 is no input of the file, and nothing computes it.
    tensors = [T((100,)), T((30,), name="state"), T((50,)), T((50,)), T((1,))]
    operators = [Op("RELU", [0], [2]), Op("RELU", [2], [3]), Op("ADD", [3, 1], [4])]
    assert inspected(tmp_path, tensors, operators).arena_bytes == (100 + 30 + 50) * 4


def int8(*shape: int, name: str = "") -> T:
    return T(shape, "INT8", zero_point=0, name=name)


def test_a_float_island_and_int8_operations_outside_xnnpack(tmp_path: Path) -> None:
    tensors = [
        int8(1, 4, name="x"),
        T((1, 4)),
        T((1, 4)),
        int8(1, 4),
        int8(1, 4),
        T((1, 4), name="y"),
    ]
    operators = [
        Op("DEQUANTIZE", [0], [1]),
        Op("SOFTMAX", [1], [2]),
        Op("QUANTIZE", [2], [3]),
        Op("SUM", [3], [4]),
        Op("DEQUANTIZE", [4], [5]),
    ]
    found = {each.kind: each.ops for each in inspected(tmp_path, tensors, operators).slow}
    assert found == {"float_island": (1,), "outside_xnnpack": (3,)}


def test_a_requantisation_and_a_transpose(tmp_path: Path) -> None:
    tensors = [int8(1, 4), T((1, 4)), int8(1, 4), int8(4, 1)]
    operators = [
        Op("DEQUANTIZE", [0], [1]),
        Op("QUANTIZE", [1], [2]),
        Op("TRANSPOSE", [2], [3]),
    ]
    found = inspected(tmp_path, tensors, operators)
    assert {each.kind: each.ops for each in found.slow} == {
        "requantization": (0, 1),
        "transpose": (2,),
    }
    assert found.quantization.per_tensor == 3
    assert found.quantization.unquantized == 1


def test_float_operations_at_the_ends_of_an_int8_graph_are_no_island(tmp_path: Path) -> None:
    tensors = [T((1, 4)), T((1, 4)), int8(1, 4), T((1, 4)), T((1, 4))]
    operators = [
        Op("RELU", [0], [1]),
        Op("QUANTIZE", [1], [2]),
        Op("DEQUANTIZE", [2], [3]),
        Op("SOFTMAX", [3], [4]),
    ]
    assert inspected(tmp_path, tensors, operators).slow == ()


def test_int8_products_are_slow_where_the_cpu_has_no_dot_products(tmp_path: Path) -> None:
    tensors = [
        int8(1, 4),
        T((2, 4), "INT8", values=np.ones((2, 4), np.int8), zero_point=0),
        int8(1, 2),
    ]
    path = tmp_path / "model.tflite"
    path.write_bytes(build(tensors, [Op("FULLY_CONNECTED", [0, 1], [2])]))
    assert inspect_file(path, int8_dot_product=True).slow == ()
    (without,) = inspect_file(path, int8_dot_product=False).slow
    assert (without.kind, without.ops) == ("no_dot_product", (0,))
    assert "This CPU has none" in without.why
    (unknown,) = inspect_file(path).slow
    assert "unknown" in unknown.why


def test_an_operation_that_cannot_be_counted_leaves_the_others(tmp_path: Path) -> None:
    tensors = [T((1, 4)), T((1, 4)), T((1, 4))]
    found = inspected(tmp_path, tensors, [Op("RELU", [0], [1]), Op("CUSTOM", [1], [2])])
    assert [each.macs for each in found.ops] == [0, None]
    assert found.macs is None
    assert "CUSTOM" in found.reasons["macs"]
    assert found.ops[0].proxy_share is None
    assert "custom_operation" in [each.kind for each in found.slow]


@pytest.mark.parametrize("activations", [True, False])
def test_a_quantised_convolution_is_counted_as_with_the_package_onnx(
    activations: bool, tmp_path: Path
) -> None:
    found = inspected_onnx(tmp_path, qdq_convolution(activations))
    counted = count(tmp_path / "model.onnx")
    assert [
        (each.name, each.op, each.dtype, each.macs, each.weight_bytes, each.activation_bytes)
        for each in found.ops
    ] == [
        (each.name, each.op, each.dtype, each.macs, each.weight_bytes, each.activation_bytes)
        for each in counted
    ]
    assert [each.nonzero_fraction for each in found.ops] == [
        each.nonzero_fraction for each in counted
    ]
    scaled = {each.name: (each.scales, each.zero_points) for each in found.tensors if each.scales}
    assert scaled["w"] == (pytest.approx((0.1,)), (3,))


def test_shapes_that_the_file_lacks_come_from_a_run(tmp_path: Path) -> None:
    shapes = {"x": (1, 3, 50)}
    found = inspected_onnx(tmp_path, recurrent(), shapes=shapes)
    counted = {each.name: each for each in count(tmp_path / "model.onnx", shapes)}
    assert found.macs == sum(each.macs for each in counted.values())
    assert {each.name: each.activation_bytes for each in found.ops} == {
        name: each.activation_bytes for name, each in counted.items()
    }
    assert "recurrent_loop" in [each.kind for each in found.slow]
    assert found.arena_bytes is not None


def test_without_a_runtime_the_unknown_shapes_have_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise NoShapesError("onnxruntime is not installed")

    monkeypatch.setattr(file_graph_onnx, "shapes_of_run", fail)
    found = inspected_onnx(tmp_path, recurrent(), shapes={"x": (1, 3, 50)})
    assert found.macs is None
    assert found.arena_bytes is None
    assert "onnxruntime is not installed" in found.reasons["macs"]
    assert len(found.ops) == 11


def test_an_operation_of_another_domain_is_named(tmp_path: Path) -> None:
    node = helper.make_node("Magic", ["x"], ["y"], domain="example.org")
    found = inspected_onnx(tmp_path, graph_model([node], [1, 4], [1, 4], {}, "example.org"))
    assert found.macs is None
    assert [each.kind for each in found.slow] == ["custom_operation"]


def test_an_input_without_a_name_is_left_out(tmp_path: Path) -> None:
    # A damaged file had one.
    model = graph_model([helper.make_node("Relu", ["x"], ["y"])], [1, 4], [1, 4], {})
    model.graph.input[0].name = ""
    found = inspected_onnx(tmp_path, model)
    assert found.inputs == ()
    assert [each.op for each in found.ops] == ["Relu"]


def test_a_float_island_of_an_onnx_file(tmp_path: Path) -> None:
    nodes = [*qdq("a", "x", "s", "z"), helper.make_node("Tanh", ["a"], ["t"])]
    nodes += [*qdq("b", "t", "s", "z"), helper.make_node("Relu", ["b"], ["y"])]
    weights: dict[str, Any] = {"s": np.array(0.1, np.float32), "z": np.array(0, np.int8)}
    found = inspected_onnx(tmp_path, graph_model(nodes, [1, 4], [1, 4], weights))
    assert {each.kind: each.ops for each in found.slow} == {"float_island": (2,)}


def test_weights_in_a_data_file_are_read_from_its_folder(tmp_path: Path) -> None:
    weights = floats(6, 2, 5)
    weights[:3] = 0
    node = helper.make_node("Conv", ["x", "w"], ["y"], pads=[2, 2])
    path = external(tmp_path, graph_model([node], [1, 2, 32], [1, 6, 32], {"w": weights}))
    found = inspect_file(path)
    assert found.weight_bytes == 6 * 2 * 5 * 4
    assert found.ops[0].nonzero_fraction == 0.5
    assert found.size_bytes == path.stat().st_size + 6 * 2 * 5 * 4
    # Cut short, it no longer has the weights.
    (tmp_path / "model.onnx.data").write_bytes(b"1234")
    with pytest.raises(ArtifactError, match="not a sound ONNX file"):
        inspect_file(path)


def test_a_data_file_outside_of_the_folder_is_refused(tmp_path: Path) -> None:
    tensor = numpy_helper.from_array(floats(4), "w")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret")
    model = graph_model([helper.make_node("Add", ["x", "w"], ["y"])], [4], [4], {})
    model.graph.initializer.append(tensor)
    with pytest.raises(ArtifactError) as caught:
        inspected_onnx(tmp_path, model)
    assert "outside of its folder" in caught.value.why


def test_no_data_file_is_opened_for_a_tensor_that_holds_its_values(tmp_path: Path) -> None:
    tensor = numpy_helper.from_array(floats(4), "w")
    # A location is left over, which means nothing without data_location.
    tensor.external_data.add(key="location", value="../secret")
    model = graph_model([helper.make_node("Add", ["x", "w"], ["y"])], [4], [4], {})
    model.graph.initializer.append(tensor)
    assert inspected_onnx(tmp_path, model).weight_bytes == 4 * 4


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(
        [
            *(TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.INT8),
            *(TensorProto.UINT8, TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL),
        ]
    ),
    st.booleans(),
    st.lists(st.integers(-100, 100), max_size=6),
)
def test_values_are_those_that_the_package_onnx_reads(
    kind: int, raw: bool, numbers: list[int]
) -> None:
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    wanted = np.array(numbers).astype(dtype)
    values = wanted.tobytes() if raw else wanted.tolist()
    made = helper.make_tensor("t", kind, [len(numbers)], values, raw=raw)
    message = memoryview(made.SerializeToString())
    found = onnx_values.values(Constant((len(numbers),), kind, message), Path())
    assert found is not None
    expected = numpy_helper.to_array(made)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", ["model.tflite", "model.onnx"])
@pytest.mark.parametrize("content", [b"", b"garbage", b"\xff" * 40])
def test_foreign_bytes_are_refused(content: bytes, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="is not a sound"):
        inspect_file(path)


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(b"x")
    with pytest.raises(UsageError, match="cannot be inspected"):
        inspect_file(path)


@settings(max_examples=300, deadline=None)
@given(
    st.booleans(),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=9),
)
def test_mutated_bytes_are_inspected_or_refused(
    tmp_path_factory: pytest.TempPathFactory, tflite: bool, changes: list[tuple[int, int]]
) -> None:
    whole = build(*residual()) if tflite else qdq_convolution().SerializeToString()
    content = bytearray(whole)
    for place, value in changes:
        content[place % len(content)] = value
    path = tmp_path_factory.mktemp("mutated") / ("model.tflite" if tflite else "model.onnx")
    path.write_bytes(content)

    def fail(*arguments: object) -> None:
        raise NoShapesError("not run in this test")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file_graph_onnx, "shapes_of_run", fail)
        try:
            printed = inspect_file(path).to_json()
        except EdgeECGError as error:
            printed = error.what
    assert "model." in printed


def test_a_file_that_the_runtime_refuses_is_described_without_shapes(tmp_path: Path) -> None:
    # A convolution of a matrix: the structure is sound, the operation is not.
    node = helper.make_node("Conv", ["x", "w"], ["h"])
    end = helper.make_node("Relu", ["h"], ["y"])
    found = inspected_onnx(tmp_path, graph_model([node, end], [4, 4], [4, 4], {"w": floats(2, 2)}))
    assert found.macs is None
    assert "ONNX Runtime does not run the file" in found.reasons["macs"]


def test_neither_torch_nor_onnx_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(qdq_convolution().SerializeToString())
    script = (
        "import sys\n"
        "class Blocker:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('torch', 'onnx', 'google', 'matplotlib'):\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Blocker())\n"
        "from edgeecg.cli import run\n"
        f"sys.exit(run(['inspect', {str(path)!r}]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Peak arena (estimate)" in done.stdout


def test_a_constant_with_more_axes_than_numpy_has_is_refused(tmp_path: Path) -> None:
    model = graph_model([helper.make_node("Relu", ["x"], ["y"])], [1], [1], {"w": floats(1)})
    model.graph.initializer[0].dims.extend([1] * 99)
    with pytest.raises(ArtifactError, match="not a sound ONNX file"):
        inspected_onnx(tmp_path, model)
    path = tmp_path / "model.tflite"
    path.write_bytes(build([T((1,)), T((1,) * 100, values=floats(1)), T((1,))], []))
    with pytest.raises(ArtifactError, match="not a sound TFLite file"):
        inspect_file(path)


def test_damaged_scales_and_zero_points_are_left_out(tmp_path: Path) -> None:
    # A signalling NaN, which NumPy warns of when it is converted.
    damaged = np.array([0x7F800001], np.uint32).view(np.float32)
    constants = {
        "w": np.ones((1, 2), np.int8),
        "s": np.concatenate([damaged, np.full(1, 0.5, np.float32)]),
        "z": np.full(1, np.nan, np.float32),
    }
    nodes = [helper.make_node("DequantizeLinear", ["w", "s", "z"], ["y"])]
    path = tmp_path / "damaged.onnx"
    path.write_bytes(graph_model(nodes, [1, 2], [1, 2], constants).SerializeToString())
    (tensor,) = (each for each in inspect_file(path).tensors if each.name == "w")
    assert (tensor.scales, tensor.zero_points) == ((0.5,), ())
