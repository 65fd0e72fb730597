"""The nodes of a .onnx file are named after the modules they come from."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch
from onnx import helper
from torch import nn

from edgeecg import resources
from edgeecg.energy.count import count
from edgeecg.energy.measured import module_of
from edgeecg.export import exporter
from edgeecg.export.quiet import quiet
from edgeecg.models import architecture, build, names
from edgeecg.models.costs import layer_costs
from edgeecg.schema import LayerCost


def exported(model: nn.Module, shape: tuple[int, int], folder: Path) -> tuple[LayerCost, ...]:
    with quiet():
        content = exporter("onnx").export(
            model.eval(), resources.load_target("onnx"), torch.zeros(0).numpy(), shape
        )
    path = folder / "model.onnx"
    path.write_bytes(content)
    return count(path)


def macs_by_module(layers: tuple[LayerCost, ...]) -> dict[str, int]:
    found: dict[str, int] = {}
    for layer in layers:
        if layer.macs:
            module = module_of(layer.name)
            found[module] = found.get(module, 0) + layer.macs
    return found


@pytest.mark.parametrize("name", names())
def test_every_multiplication_of_the_file_is_in_the_layer_it_is_named_after(
    name: str, tmp_path: Path
) -> None:
    model, shape = build(name), architecture(name).INPUT_SHAPE
    layers = exported(model, shape, tmp_path)
    assert macs_by_module(layers) == {layer.name: layer.macs for layer in layer_costs(model, shape)}
    written = [layer.name for layer in layers]
    assert len(set(written)) == len(written)
    assert not any(word.startswith("node_") for word in written)


class Twice(nn.Module):
    """A layer that is used twice, and a product that is in no layer."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(8, 8), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = self.inner(x)
        return torch.tanh((self.inner(first) @ first.transpose(1, 2)).mean(2))


def test_names_stay_apart_where_a_layer_is_used_twice(tmp_path: Path) -> None:
    found = [layer.name for layer in exported(Twice(), (3, 8), tmp_path) if layer.macs]
    assert found == ["inner.0", "inner.0:2", "/MatMul"]
    others = [layer.name for layer in exported(Twice(), (3, 8), tmp_path) if not layer.macs]
    assert {"inner.1/Relu", "inner.1/Relu:2", "/Tanh"} <= set(others)


def test_a_node_without_a_note_belongs_to_no_module() -> None:
    from edgeecg.export.onnx_names import name_nodes

    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("MatMul", ["y", "w"], ["z"])]
    model = helper.make_model(helper.make_graph(nodes, "g", [], []))
    name_nodes(model)
    assert [node.name for node in model.graph.node] == ["/Relu", "/MatMul"]


def test_the_file_keeps_no_notes_of_the_exporter(tmp_path: Path) -> None:
    exported(Twice(), (3, 8), tmp_path)
    model = onnx.load(tmp_path / "model.onnx")
    assert not any(node.metadata_props for node in model.graph.node)
