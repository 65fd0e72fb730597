"""Stores the weights of an ONNX file in float16; a Cast before each use makes them float32."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

from edgeecg.costs.count_onnx import MULTIPLYING

_RECURRENT = ("LSTM", "GRU", "RNN")


def to_float16(model: onnx.ModelProto) -> None:
    """Store the weights of convolutions, matrix products and recurrent layers in float16, in place.

    ONNX Runtime computes such a Cast once, when it loads the file. Biases stay float32.

    Args:
        model: A model in float32.
    """
    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    chosen = {
        name
        for node in graph.node
        for name in _weights(node)
        if name in stored and _is_matrix(stored[name])
    }
    nodes: list[onnx.NodeProto] = []
    unpacked: dict[str, str] = {}
    for node in graph.node:
        # Any operation may read the weights too, and needs them in float32.
        for place, name in enumerate(node.input):
            if name not in chosen:
                continue
            if name not in unpacked:
                unpacked[name] = f"{name}.float32"
                # Names of operations are optional in ONNX; those of weights are unique.
                called = f"{node.name or name}/Cast" + (f":{place}" if place > 1 else "")
                cast = helper.make_node(
                    "Cast", [name], [unpacked[name]], called, to=onnx.TensorProto.FLOAT
                )
                nodes.append(cast)
                halves = numpy_helper.to_array(stored[name]).astype(np.float16)
                stored[name].CopyFrom(numpy_helper.from_array(halves, name))
            node.input[place] = unpacked[name]
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    for value in [each for each in graph.value_info if each.name in unpacked]:
        graph.value_info.remove(value)


def _weights(node: onnx.NodeProto) -> list[str]:
    """Return the inputs of an operation that may be weights."""
    if node.op_type not in MULTIPLYING:
        return []
    # A convolution has its weights second, a matrix product may have them first; a recurrent layer
    # has those of input and state.
    first = 1 if node.op_type in _RECURRENT else 0
    return list(node.input[first : first + 2])


def _is_matrix(tensor: onnx.TensorProto) -> bool:
    return tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) > 1
