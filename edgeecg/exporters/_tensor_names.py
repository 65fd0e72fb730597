"""Short names for the tensors of a TFLite file, which reports use for its layers."""

from __future__ import annotations

import re
from typing import Any

from ai_edge_litert import schema_py_generated as schema

_WEIGHTED = frozenset(
    {
        schema.BuiltinOperator.CONV_2D,
        schema.BuiltinOperator.DEPTHWISE_CONV_2D,
        schema.BuiltinOperator.FULLY_CONNECTED,
    }
)
_COUNTER = re.compile(r";\d*$")


def shorten(model: Any) -> None:
    """Rename the tensors of a model after the modules they come from.

    The converter joins the class paths of all modules that it fused, up to a kilobyte for one
    tensor: ``...Sequential_0/edgeecg...ResidualBlock_1/torch...Conv1d_conv1;`` becomes
    ``0.1.conv1``. The output of a layer with weights has the plain name, other tensors of that
    module are numbered.

    Args:
        model: A ``ModelT``, changed in place; inputs and outputs of the graph keep their names.
    """
    for graph in model.subgraphs:
        weighted: list[int] = []
        others: list[int] = []
        for operator in graph.operators:
            code = model.operatorCodes[operator.opcodeIndex]
            kind = max(code.builtinCode, code.deprecatedBuiltinCode)
            (weighted if kind in _WEIGHTED else others).extend(operator.outputs)
        constants = sorted(set(range(len(graph.tensors))) - {*weighted, *others})
        used: dict[str, int] = {}
        for index in (*weighted, *others, *constants):
            tensor = graph.tensors[index]
            # Of the fused modules, the last one has the weights, the first is the outermost.
            plain = _short(tensor.name.decode(), last=index not in others)
            used[plain] = used.get(plain, 0) + 1
            tensor.name = (plain if used[plain] == 1 else f"{plain}:{used[plain]}").encode()


def _short(name: str, last: bool) -> str:
    if ";" not in name:
        return name
    fused = [part for part in _COUNTER.sub("", name).split(";;") if "<locals>" not in part]
    if not fused:
        return "graph"
    path = _COUNTER.sub("", fused[-1 if last else 0])
    # "package.module.Class_name": the class may start with an underscore, the rest is the name.
    steps = (part.rpartition(".")[2] for part in path.split("/"))
    return ".".join(step[1:].partition("_")[2] or step for step in steps)
