"""Small ONNX models for the tests, built with the package ``onnx``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = np.ndarray[Any, np.dtype[Any]]


def graph_model(
    nodes: list[Any],
    x: list[int | str],
    y: list[int | str] | None,
    weights: dict[str, Array],
    domain: str = "",
) -> onnx.ModelProto:
    """Return a model from ``x`` to ``y``, both float32; ``y`` without a shape when None."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, y)],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    opsets = [helper.make_opsetid("", 17)]
    if domain:
        opsets.append(helper.make_opsetid(domain, 1))
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def qdq(name: str, source: str, scale: str, zero: str) -> list[Any]:
    """Return the nodes that quantise a tensor and dequantise it again as ``NAME``."""
    return [
        helper.make_node("QuantizeLinear", [source, scale, zero], [f"{name}_q"]),
        helper.make_node("DequantizeLinear", [f"{name}_q", scale, zero], [name]),
    ]


def qdq_convolution(activations: bool = True) -> onnx.ModelProto:
    """Return a convolution with int8 weights in QDQ format.

    Args:
        activations: Whether the input is quantised, too.
    """
    weights = np.ones((6, 2, 5), np.int8)
    # With the zero point 3, stored threes are zeros: half of the weights.
    weights[:3] = 3
    nodes = qdq("x_f", "x", "s", "z") if activations else []
    nodes += [
        helper.make_node("DequantizeLinear", ["w", "s", "wz"], ["w_f"]),
        helper.make_node("DequantizeLinear", ["b", "s"], ["b_f"]),
        helper.make_node(
            "Conv", ["x_f" if activations else "x", "w_f", "b_f"], ["y"], pads=[2, 2], name="stem"
        ),
    ]
    held: dict[str, Array] = {
        "w": weights,
        "b": np.zeros(6, np.int32),
        "s": np.array(0.1, np.float32),
        "z": np.array(0, np.int8),
        "wz": np.array(3, np.int8),
    }
    return graph_model(nodes, [1, 2, 32], [1, 6, 32], held)


def recurrent() -> onnx.ModelProto:
    """Return an LSTM whose output is flattened by shapes that the graph computes.

    Batch and time are free, and no intermediate shape is in the file, as PyTorch writes it.
    """
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[2, 0, 1]),
        helper.make_node("LSTM", ["t", "w", "r"], ["h"], hidden_size=8),
        helper.make_node("Transpose", ["h"], ["hb"], perm=[0, 2, 1, 3]),
        helper.make_node("Shape", ["hb"], ["shape"]),
        helper.make_node("Slice", ["shape", "zero", "two"], ["front"]),
        helper.make_node("Slice", ["shape", "two", "three"], ["directions"]),
        helper.make_node("Slice", ["shape", "three", "four"], ["hidden"]),
        helper.make_node("Mul", ["directions", "hidden"], ["features"]),
        helper.make_node("Concat", ["front", "features"], ["target"], axis=0),
        helper.make_node("Reshape", ["hb", "target"], ["flat"]),
        helper.make_node("MatMul", ["flat", "v"], ["y"]),
    ]
    weights: dict[str, Array] = {
        "w": np.ones((1, 32, 3), np.float32),
        "r": np.ones((1, 32, 8), np.float32),
        "v": np.ones((8, 4), np.float32),
        **{
            name: np.array([number], np.int64)
            for number, name in ((0, "zero"), (2, "two"), (3, "three"), (4, "four"))
        },
    }
    return graph_model(nodes, ["batch", 3, "time"], None, weights)


def external(folder: Path, model: onnx.ModelProto, name: str = "model.onnx") -> Path:
    """Write a model whose weights are in ``NAME.data``, and return its path."""
    path = folder / name
    onnx.save_model(
        model,
        str(path),
        save_as_external_data=True,
        location=f"{name}.data",
        size_threshold=0,
    )
    return path
