"""The nodes of a .onnx file are named after the modules they come from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper
from timed_layers import dense_layers, result, timed, written
from torch import nn

from edgeecg import resources, runtimes
from edgeecg.costs import attribution, measured
from edgeecg.costs.counting import count
from edgeecg.exporters import exporter, quiet
from edgeecg.models import architecture, build, names
from edgeecg.schema import LayerCost


def exported(model: nn.Module, shape: tuple[int, int], folder: Path) -> tuple[LayerCost, ...]:
    with quiet():
        content = exporter("onnx").export(
            model.eval(), resources.load_target("onnx"), np.zeros(0, np.float32), shape
        )
    path = folder / "model.onnx"
    path.write_bytes(content)
    return count(path)


def macs_by_module(layers: tuple[LayerCost, ...]) -> dict[str, int]:
    found: dict[str, int] = {}
    for layer in layers:
        if layer.macs:
            module = attribution.module_of(layer.name)
            found[module] = found.get(module, 0) + layer.macs
    return found


@pytest.fixture(
    scope="module",
    params=[
        # These two have every kind of layer that multiplies.
        pytest.param(
            name,
            marks=[] if name in ("cnn_lstm_attn", "conv_transformer") else pytest.mark.system,
        )
        for name in names()
    ],
)
def named(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """Every model's name, and a folder with its dense file."""
    name, folder = str(request.param), tmp_path_factory.mktemp("named")
    exported(build(name), architecture(name).INPUT_SHAPE, folder)
    return name, folder


def test_every_multiplication_of_the_file_is_in_the_layer_it_is_named_after(
    named: tuple[str, Path],
) -> None:
    name, folder = named
    layers = count(folder / "model.onnx")
    assert macs_by_module(layers) == {layer.name: layer.macs for layer in dense_layers(name)}
    written_names = [layer.name for layer in layers]
    assert len(set(written_names)) == len(written_names)
    assert not any(word.startswith("node_") for word in written_names)


def test_the_runtime_times_every_layer_of_every_model(
    named: tuple[str, Path], tmp_path: Path
) -> None:
    name, folder = named
    path, shape = folder / "model.onnx", architecture(name).INPUT_SHAPE
    x = np.ones((1, *shape), np.float32)
    profile = runtimes.get("onnxruntime").profile(path, x, threads=1, runs=3)
    operations = [(each.name, each.seconds + 1e-6) for each in profile.operations]
    bench = written(tmp_path, [result(name, nodes=count(path), **timed(*operations))])
    found = measured.read(bench, name, dense_layers(name))
    assert min(layer.own_s for layer in found.layers.values()) > 0
    whole = sum(each for _, each in operations)
    assert measured.seconds(dense_layers(name), found) == pytest.approx(whole)
    # Something always runs between the layers.
    assert sum(layer.after_s for layer in found.layers.values()) > 0


class Twice(nn.Module):
    """A layer that is used twice, and a product that is in no layer."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(8, 8), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = self.inner(x)
        return torch.tanh((self.inner(first) @ first.transpose(1, 2)).mean(2))


def test_a_layer_that_is_used_twice_has_numbered_names(tmp_path: Path) -> None:
    found = [layer.name for layer in exported(Twice(), (3, 8), tmp_path) if layer.macs]
    assert found == ["inner.0", "inner.0:2", "/MatMul"]
    others = [layer.name for layer in exported(Twice(), (3, 8), tmp_path) if not layer.macs]
    assert {"inner.1/Relu", "inner.1/Relu:2", "/Tanh"} <= set(others)


def test_a_node_without_metadata_belongs_to_no_module() -> None:
    from edgeecg.exporters._node_names import name_nodes

    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("MatMul", ["y", "w"], ["z"])]
    model = helper.make_model(helper.make_graph(nodes, "g", [], []))
    name_nodes(model)
    assert [node.name for node in model.graph.node] == ["/Relu", "/MatMul"]


def test_the_file_keeps_no_metadata_of_the_exporter(tmp_path: Path) -> None:
    exported(Twice(), (3, 8), tmp_path)
    model = onnx.load(tmp_path / "model.onnx")
    assert not any(node.metadata_props for node in model.graph.node)
