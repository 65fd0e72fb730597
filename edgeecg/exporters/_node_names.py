"""Names the nodes of an ONNX file after the modules they come from."""

from __future__ import annotations

import ast

import onnx

from edgeecg.costs.count_onnx import MULTIPLYING

_SCOPES = "pkg.torch.onnx.name_scopes"


def name_nodes(model: onnx.ModelProto) -> None:
    """Name every node after its module, as recorded by the exporter, in place.

    A node that multiplies has the name of its module (``blocks.0.conv1``). Any other has its
    operation after a slash (``blocks.0/Relu``), as has a product that the outermost module computes
    itself (``/MatMul``). Names that occur again are numbered (``blocks.0.attention:2``).
    :func:`edgeecg.costs.attribution.module_of` parses such names.

    Args:
        model: The exporter's model, with its metadata; changed in place.
    """
    used: dict[str, int] = {}
    for node in model.graph.node:
        module = _module(node)
        plain = bool(module) and node.op_type in MULTIPLYING
        name = module if plain else f"{module}/{node.op_type}"
        used[name] = used.get(name, 0) + 1
        node.name = name if used[name] == 1 else f"{name}:{used[name]}"


def _module(node: onnx.NodeProto) -> str:
    """Return the innermost module that a node comes from; "" for the outermost, or if unknown."""
    metadata = {entry.key: entry.value for entry in node.metadata_props}
    # The modules from the outermost to the innermost, then the name of the operation.
    scopes: list[str] = ast.literal_eval(metadata.get(_SCOPES, "[]"))
    return scopes[-2] if len(scopes) > 1 else ""
