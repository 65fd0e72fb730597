"""Names of the nodes of an ONNX file: the modules they come from."""

from __future__ import annotations

import ast

import onnx

from edgeecg.costs.count_onnx import MULTIPLYING

_SCOPES = "pkg.torch.onnx.name_scopes"


def name_nodes(model: onnx.ModelProto) -> None:
    """Name every node after its module, as the exporter noted it, in place.

    A node that multiplies is called as its module (``blocks.0.conv1``); any other has its operation
    behind a slash (``blocks.0/Relu``), and so has a product that the outermost module makes itself
    (``/MatMul``). Where a name comes again, a number tells them apart (``blocks.0.attention:2``).
    :func:`edgeecg.costs.measured.module_of` reads such names.

    Args:
        model: As the exporter made it, its notes still there; changed in place.
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
    notes = {note.key: note.value for note in node.metadata_props}
    # A list of modules from the outermost in, and the operation's own name.
    scopes: list[str] = ast.literal_eval(notes.get(_SCOPES, "[]"))
    return scopes[-2] if len(scopes) > 1 else ""
