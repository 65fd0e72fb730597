"""Reading ONNX files without the package ``onnx``; the package itself is the reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings, strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx_models import external, graph_model, qdq_convolution, recurrent

from edgeecg.costs import number_types, onnx_file
from edgeecg.costs.input_shapes import Input
from edgeecg.costs.number_types import NumberTypes
from edgeecg.errors import ArtifactError

FLOATS = np.ones((6, 2, 5), np.float32)


def convolution() -> onnx.ModelProto:
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    return graph_model([node], [1, 2, 9], None, {"w": FLOATS})


def written(folder: Path, model: onnx.ModelProto) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("model", [qdq_convolution(), recurrent()])
def test_nodes_and_constants_are_those_that_the_onnx_package_reads(
    model: onnx.ModelProto, tmp_path: Path
) -> None:
    graph = onnx_file.read(written(tmp_path, model))
    assert [(node.op, node.inputs, node.outputs) for node in graph.nodes] == [
        (node.op_type, tuple(node.input), tuple(node.output)) for node in model.graph.node
    ]
    assert {name: (each.shape, each.type) for name, each in graph.constants.items()} == {
        each.name: (tuple(each.dims), each.data_type) for each in model.graph.initializer
    }


def test_inputs_have_lengths_and_names_of_free_axes(tmp_path: Path) -> None:
    assert onnx_file.read(written(tmp_path, recurrent())).inputs == (
        Input("x", ("batch", 3, "time")),
    )
    unnamed = recurrent()
    unnamed.graph.input[0].type.tensor_type.shape.dim[2].Clear()
    (found,) = onnx_file.read(written(tmp_path, unnamed)).inputs
    assert (found.shape, found.text) == (("batch", 3, ""), "batchx3x?")


def test_constants_that_are_also_inputs_are_no_inputs(tmp_path: Path) -> None:
    model = convolution()
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [6, 2, 5]))
    assert [each.name for each in onnx_file.read(written(tmp_path, model)).inputs] == ["x"]


def test_external_data_is_found_in_the_graph_and_in_attributes(tmp_path: Path) -> None:
    model = convolution()
    path = external(tmp_path, model)
    graph = onnx_file.read(path)
    (data,) = onnx_file.data_files(path, graph)
    assert data == tmp_path / "model.onnx.data"
    assert data.stat().st_size == FLOATS.nbytes
    # A Constant node, in a branch of an If.
    tensor = numpy_helper.from_array(FLOATS, "c")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="other.data")
    branch = helper.make_graph([helper.make_node("Constant", [], ["y"], value=tensor)], "b", [], [])
    node = helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)
    nested = onnx_file.read(written(tmp_path, graph_model([node], [1], None, {})))
    assert nested.locations == {"other.data"}


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("gone.data", "does not exist"),
        ("../w.data", "outside of its folder"),
        ("/tmp/w", "outside of its folder"),
    ],
)
def test_data_files_that_cannot_be_used_are_named(location: str, why: str, tmp_path: Path) -> None:
    graph = onnx_file.Graph(locations={location})
    with pytest.raises(ArtifactError) as caught:
        onnx_file.data_files(tmp_path / "model.onnx", graph)
    assert location in caught.value.why
    assert why in caught.value.why


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x80\x00\x00\x00TFL3", b"\xff" * 40])
def test_foreign_bytes_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="not a sound ONNX file"):
        onnx_file.read(path)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=9))
def test_mutated_bytes_never_crash_the_reader(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]]
) -> None:
    content = bytearray(qdq_convolution().SerializeToString())
    for place, value in changes:
        content[place % len(content)] = value
    path = tmp_path_factory.mktemp("mutated") / "model.onnx"
    path.write_bytes(content)
    try:
        found = str(number_types.of_onnx(onnx_file.read(path)))
    except ArtifactError as error:
        found = error.what
    assert "NumberTypes" in found or "model.onnx" in found


def integer_matmul() -> onnx.ModelProto:
    """Dynamic quantisation: the input is quantised with a scale that is computed at run time."""
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        helper.make_node("MatMulInteger", ["q", "w", "z"], ["i"]),
        helper.make_node("Cast", ["i"], ["y"], to=TensorProto.FLOAT),
    ]
    return graph_model(nodes, [2, 8], [2, 4], {"w": np.ones((8, 4), np.int8)})


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (qdq_convolution(), NumberTypes("int8", "int8")),
        (qdq_convolution(activations=False), NumberTypes("int8", "float32")),
        (integer_matmul(), NumberTypes("int8", "float32")),
        (recurrent(), NumberTypes("float32", "float32")),
        (
            graph_model([helper.make_node("Relu", ["x"], ["y"])], [1, 4], [1, 4], {}),
            NumberTypes("float32", None),
        ),
    ],
)
def test_the_types_of_weights_and_activations(
    model: onnx.ModelProto, expected: NumberTypes, tmp_path: Path
) -> None:
    assert number_types.of_onnx(onnx_file.read(written(tmp_path, model))) == expected


def test_most_weights_decide(tmp_path: Path) -> None:
    # 60 int8 weights of the convolution, then 32 x 32 float32 weights.
    model = qdq_convolution()
    model.graph.node[-1].output[0] = "features"
    model.graph.node.append(helper.make_node("MatMul", ["features", "v"], ["y"]))
    model.graph.initializer.append(numpy_helper.from_array(np.ones((32, 32), np.float32), "v"))
    graph = onnx_file.read(written(tmp_path, model))
    assert number_types.of_onnx(graph) == NumberTypes("float32", "float32")
