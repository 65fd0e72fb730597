"""ONNX files with float16 weights, and in int8."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import Tensor, nn

from edgeecg import resources, runtimes
from edgeecg.costs import number_types, onnx_file
from edgeecg.costs.counting import count
from edgeecg.costs.inspection import inspect_file
from edgeecg.errors import ExportError, SchemaError
from edgeecg.exporters import _onnx_weights, exporter, quiet

SHAPE = (3, 32)
INT8 = resources.load_target("onnx-int8")


class Small(nn.Module):
    """A convolution, an LSTM and a head."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv1d(3, 8, 5)
        self.lstm = nn.LSTM(8, 4, batch_first=True)
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        steps, _ = self.lstm(torch.relu(self.stem(x)).transpose(1, 2))
        return self.head(steps.mean(dim=1))


class Tied(nn.Module):
    """A head whose weights are multiplied with the features of another window, too."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.Linear(32, 3)

    def forward(self, x: Tensor) -> Tensor:
        products = x[:, :1] * self.head.weight
        return self.head(x[:, 1]) + products.amax(dim=2)


class CalledTwice(nn.Module):
    """One convolution that is called twice, and another one."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.shared = nn.Conv1d(3, 3, 5, padding=2)
        self.last = nn.Conv1d(3, 2, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.relu(self.shared(torch.relu(self.shared(x))))).mean(dim=2)


def windows(count: int, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(count, *SHAPE)).astype(np.float32)


@pytest.fixture(scope="module")
def converted() -> object:
    with quiet():
        return exporter("onnx").to_float32(Small().eval(), SHAPE)


def written(converted: object, target: str, folder: Path) -> Path:
    with quiet():
        content = exporter("onnx").write(converted, resources.load_target(target), windows(16, 0))
    path = folder / f"{target}.onnx"
    path.write_bytes(content)
    return path


def outputs(path: Path, x: NDArray[np.float32]) -> NDArray[np.float32]:
    session = runtimes.for_file(path).load(path)
    return np.concatenate([session.run(window[np.newaxis]) for window in x])


def test_float16_file_stores_every_matrix_in_half_and_counts_like_float32(
    converted: object, tmp_path: Path
) -> None:
    half, plain = (written(converted, name, tmp_path) for name in ("onnx-fp16", "onnx"))
    stored = onnx.load(half).graph.initializer
    halves = sum(np.prod(t.dims) for t in stored if t.data_type == onnx.TensorProto.FLOAT16)
    # Convolution, input and state of the four gates, head.
    assert halves == 8 * 3 * 5 + 16 * 8 + 16 * 4 + 2 * 4
    types = number_types.of_onnx(onnx_file.read(half))
    assert (types.weights, types.activations) == ("float16", "float32")
    for found, expected in (
        (sum(layer.macs for layer in count(each)) for each in (half, plain)),
        (inspect_file(each).weight_bytes for each in (half, plain)),
        (inspect_file(each).activation_bytes for each in (half, plain)),
        (inspect_file(each).arena_bytes for each in (half, plain)),
    ):
        assert found == expected
    x = windows(4, 1)
    np.testing.assert_allclose(outputs(half, x), outputs(plain, x), atol=1e-3)
    assert not np.array_equal(outputs(half, x), outputs(plain, x))


def test_float16_weights_may_be_read_by_any_other_operation(tmp_path: Path) -> None:
    with quiet():
        tied = exporter("onnx").to_float32(Tied().eval(), SHAPE)
    half, plain = (written(tied, name, tmp_path) for name in ("onnx-fp16", "onnx"))
    readers = [
        node.op_type
        for node in onnx.load(half).graph.node
        if any(name.endswith(".float32") for name in node.input)
    ]
    assert sorted(readers) == ["Gemm", "Mul"]
    x = windows(4, 1)
    np.testing.assert_allclose(outputs(half, x), outputs(plain, x), atol=1e-3)


def test_int8_file_has_a_scale_for_each_output_channel(converted: object, tmp_path: Path) -> None:
    path = written(converted, "onnx-int8", tmp_path)
    graph = onnx.load(path).graph
    constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    scales = {
        constants[node.input[0]].shape: constants[node.input[1]].size
        for node in graph.node
        if node.op_type == "DequantizeLinear"
        and node.input[0] in constants
        and constants[node.input[0]].dtype == np.int8
    }
    assert scales[8, 3, 5] == 8
    assert scales[2, 4] == 2
    types = {layer.op: layer.dtype for layer in count(path) if layer.macs}
    assert types == {"Conv": "int8", "LSTM": "float32", "Gemm": "int8"}
    with torch.no_grad():
        expected = Small().eval()(torch.from_numpy(windows(4, 1))).numpy()
    np.testing.assert_allclose(outputs(path, windows(4, 1)), expected, atol=0.02)


def test_float_layers_and_float_ops_stay_float32(converted: object, tmp_path: Path) -> None:
    for changes in ({"float_layers": ("stem",)}, {"float_ops": ("Conv",)}):
        with quiet():
            content = exporter("onnx").write(
                converted, INT8.model_copy(update=changes), windows(4, 0)
            )
        path = tmp_path / "kept.onnx"
        path.write_bytes(content)
        types = {layer.op: layer.dtype for layer in count(path) if layer.macs}
        assert types == {"Conv": "float32", "LSTM": "float32", "Gemm": "int8"}


def test_every_call_of_a_layer_stays_float32(tmp_path: Path) -> None:
    kept = INT8.model_copy(update={"float_layers": ("shared",)})
    with quiet():
        content = exporter("onnx").export(CalledTwice().eval(), kept, windows(4, 0), SHAPE)
    path = tmp_path / "kept.onnx"
    path.write_bytes(content)
    assert [layer.dtype for layer in count(path) if layer.macs] == ["float32", "float32", "int8"]


def test_classes_of_modules_are_refused(converted: object) -> None:
    classes = INT8.model_copy(update={"float_modules": ("Conv1d",)})
    with quiet(), pytest.raises(SchemaError, match=r"has float_modules.* float_ops in export/onnx"):
        exporter("onnx").write(converted, classes, windows(4, 0))


def test_unknown_layers_and_operations_are_named(converted: object) -> None:
    missing = INT8.model_copy(update={"float_layers": ("stam",)})
    with quiet(), pytest.raises(ExportError, match="'stam' cannot be kept in float32"):
        exporter("onnx").write(converted, missing, windows(4, 0))
    unknown = INT8.model_copy(update={"float_ops": ("Konv",)})
    with quiet(), pytest.raises(SchemaError, match=r"Konv; known are .*Conv.*onnx-int8\.toml"):
        exporter("onnx").write(converted, unknown, windows(4, 0))


def test_writing_one_target_does_not_change_the_next(converted: object, tmp_path: Path) -> None:
    first = written(converted, "onnx", tmp_path).read_bytes()
    for target in ("onnx-fp16", "onnx-int8"):
        written(converted, target, tmp_path)
    assert written(converted, "onnx", tmp_path).read_bytes() == first


def test_names_of_operations_are_unique(converted: object, tmp_path: Path) -> None:
    names = Counter(
        node.name for node in onnx.load(written(converted, "onnx-fp16", tmp_path)).graph.node
    )
    assert max(names.values()) == 1


def test_weights_of_operations_without_names_are_halved_one_by_one() -> None:
    weights = [
        numpy_helper.from_array(np.eye(4, dtype=np.float32) * scale, name)
        for name, scale in (("a", 2.0), ("b", 3.0))
    ]
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "a"], ["h"]),
            helper.make_node("MatMul", ["h", "b"], ["y"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 4])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    _onnx_weights.to_float16(model)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (y,) = session.run(None, {"x": np.ones((1, 4), np.float32)})
    assert np.asarray(y).tolist() == [[6.0] * 4]
