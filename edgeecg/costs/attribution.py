"""Which layer of the PyTorch model each node of its exported file belongs to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edgeecg.schema import Format, LayerCost

_NUMBER = re.compile(r":\d+$")
_DIRECTION = re.compile(r"\.(forward|backward)$")
_RECURRENT = ("_LSTM", "_RNN")
_ADDED = 1.125


@dataclass
class Attribution:
    """The layer of every node that multiplies.

    Attributes:
        layers: Names of layers, by the names of nodes.
        macs: MACs of every layer, counted in the file, by its name.
    """

    layers: dict[str, str] = field(default_factory=dict[str, str])
    macs: dict[str, int] = field(default_factory=dict[str, int])

    def add(self, node: LayerCost, layer: str) -> None:
        """Give a node to a layer."""
        self.layers[node.name] = layer
        self.macs[layer] = self.macs.get(layer, 0) + node.macs


def attribute(nodes: Sequence[LayerCost], dense: Sequence[LayerCost], kind: Format) -> Attribution:
    """Return the layer of every node that multiplies, as far as it is known.

    Args:
        nodes: The nodes of a file of the model that edgeecg exported, in the order of execution.
        dense: Every layer of the model.
        kind: The format of the file.
    """
    multiplying = [node for node in nodes if node.macs]
    return _by_module(multiplying) if kind == "onnx" else _in_tflite(multiplying, dense)


def module_of(node: str) -> str:
    """Return the module that a node of an ONNX file is named after, or an empty string.

    Args:
        node: Name of the node, in a file that edgeecg exported.
    """
    return _NUMBER.sub("", node).partition("/")[0]


def _by_module(nodes: Sequence[LayerCost]) -> Attribution:
    found = Attribution()
    for node in nodes:
        found.add(node, module_of(node.name))
    return found


def _in_tflite(nodes: Sequence[LayerCost], dense: Sequence[LayerCost]) -> Attribution:
    """Attribute the nodes of a TFLite file by their names, and where these fail by their MACs.

    The converter loses the names of some containers (``0.conv1`` for ``stages.0.conv1``), names the
    last layer after the output, and may name a layer after its neighbour. Nodes whose name fits no
    layer are therefore given, in the order of execution, to layers with as many MACs.
    """
    found = Attribution()
    remaining = {layer.name: layer.macs for layer in dense}
    unnamed: list[LayerCost] = []
    for node in nodes:
        layer = _named(node, dense, remaining)
        if layer is None:
            unnamed.append(node)
        else:
            found.add(node, layer.name)
            remaining[layer.name] -= node.macs
    for node in unnamed:
        equal = (layer for layer in dense if remaining[layer.name] == node.macs)
        layer = next(equal, None)
        if layer is not None:
            found.add(node, layer.name)
            remaining[layer.name] -= node.macs
    recurrent = {found.layers.get(node.name) for node in nodes if node.op.endswith(_RECURRENT)}
    for layer in dense:
        # The exporter adds a step and an input to a recurrent layer, to clear its state.
        counted = found.macs.get(layer.name, 0)
        if layer.name in recurrent and layer.macs < counted <= _ADDED * layer.macs:
            found.macs[layer.name] = layer.macs
    return found


def _named(
    node: LayerCost, dense: Sequence[LayerCost], remaining: Mapping[str, int]
) -> LayerCost | None:
    """Return the layer that a node is named after and that lacks its MACs, or None."""
    name = _NUMBER.sub("", node.name)
    if node.op.endswith(_RECURRENT):
        name = _DIRECTION.sub("", name)
        return next((layer for layer in dense if _fits(name, layer.name)), None)
    fitting = [layer for layer in dense if _fits(name, layer.name)]
    exact = [layer for layer in fitting if layer.name == name]
    for layer in (*exact, *fitting):
        if node.macs <= remaining[layer.name]:
            return layer
    return None


def _fits(node: str, layer: str) -> bool:
    """Whether a node has the name of a layer, or that name without some containers."""
    steps, path = node.split("."), layer.split(".")
    if steps[-1] != path[-1]:
        return False
    rest = iter(path)
    return all(step in rest for step in steps)
