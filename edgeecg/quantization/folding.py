"""Which batch normalisations of a traced model can be folded into the layer before them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import fx, nn

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_LAYERS: dict[type[nn.Module], tuple[type[nn.Module], ...]] = {
    nn.BatchNorm1d: (nn.Conv1d, nn.Linear),
    nn.BatchNorm2d: (nn.Conv2d,),
    nn.BatchNorm3d: (nn.Conv3d,),
}


def foldable_layer(
    node: fx.Node, modules: Mapping[str, nn.Module], calls: Sequence[str]
) -> fx.Node | None:
    """Return the layer that a batch normalisation can be folded into.

    Args:
        node: A node of the graph, with the shapes that ``ShapeProp`` found.
        modules: The modules of the model by name.
        calls: Names of all modules that the graph calls, in order.

    Returns:
        The node of the layer; None when the node is no batch normalisation with running
        statistics, or when folding it would change another output: the layer or the normalisation
        is called again, something else uses the layer's output, or the normalisation is over
        another dimension than the outputs of the layer, as behind a linear layer on
        ``(batch, channels, features)``.
    """
    norm = modules.get(str(node.target)) if node.op == "call_module" else None
    if not isinstance(norm, _NORMS) or not norm.track_running_stats:
        return None
    before = node.args[0] if node.args else None
    if not isinstance(before, fx.Node) or before.op != "call_module" or len(before.users) > 1:
        return None
    layer = modules[str(before.target)]
    once = calls.count(str(node.target)) == calls.count(str(before.target)) == 1
    if not once or type(layer) not in _LAYERS.get(type(norm), ()):
        return None
    meta: Any = before.meta["tensor_meta"]
    rows = not isinstance(layer, nn.Linear) or len(meta.shape) == 2
    return before if rows else None
