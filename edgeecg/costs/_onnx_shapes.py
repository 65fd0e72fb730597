"""Shapes of all tensors of an ONNX model, from the shapes of its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgeecg.costs.input_shapes import Input, Shapes, concrete
from edgeecg.costs.layers import UncountableError
from edgeecg.errors import UsageError

if TYPE_CHECKING:
    import onnx

# Operations that models compute shapes with. onnx.shape_inference follows the values of only some
# of them.
_ARITHMETIC = frozenset(
    {"Add", "Cast", "Concat", "Div", "Gather", "Max", "Min", "Mod", "Mul", "Neg", "ReduceProd"}
    | {"Reshape", "Slice", "Squeeze", "Sub", "Unsqueeze", "Where"}
)
_MAX_ELEMENTS = 64
_MAX_PASSES = 10

_Array = NDArray[np.generic]


def check(model: onnx.ModelProto) -> None:
    """Check a model, whose outputs may lack a shape: runtimes do not need it, but the checker does.

    Raises:
        onnx.checker.ValidationError: The model is not valid.
    """
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for value in copy.graph.output:
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.shape.SetInParent()
    onnx.checker.check_model(copy)


def fix_inputs(path: Path, graph: onnx.GraphProto, shapes: Shapes) -> None:
    """Set the shapes of the inputs, and remove those of other tensors that depend on free axes.

    Args:
        path: The file, for error messages.
        graph: The graph, which is changed.
        shapes: Shapes of the inputs with free axes.

    Raises:
        UncountableError: The shape of an input is unknown.
    """
    constants = {tensor.name for tensor in graph.initializer}
    for value in graph.input:
        if value.name in constants:
            continue
        axes = value.type.tensor_type.shape.dim
        found = Input(value.name, tuple(axis.dim_value or axis.dim_param for axis in axes))
        try:
            known = concrete(path, [found], shapes)[value.name]
        except UsageError as error:
            raise UncountableError(path.name, f"{error.what} {error.why}") from error
        for axis, size in zip(axes, known, strict=True):
            axis.dim_value = size
    for value in [*graph.value_info, *graph.output]:
        for axis in value.type.tensor_type.shape.dim:
            if not axis.HasField("dim_value"):
                axis.Clear()


def infer(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model with the shapes of all tensors that can be known.

    Args:
        model: A model with fixed input shapes.
    """
    import onnx

    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    values: dict[str, _Array] = {}
    for _ in range(_MAX_PASSES):
        found = _computed(inferred, known_shapes(inferred.graph))
        if found.keys() == values.keys():
            break
        # With the computed values as constants, more shapes can be inferred.
        values, copy = found, onnx.ModelProto()
        copy.CopyFrom(model)
        copy.graph.initializer.extend(
            onnx.numpy_helper.from_array(value, name) for name, value in values.items()
        )
        inferred = onnx.shape_inference.infer_shapes(copy, data_prop=True)
        del inferred.graph.initializer[len(model.graph.initializer) :]
        # Inference leaves out the shapes of constants.
        listed = {each.name for each in inferred.graph.value_info}
        inferred.graph.value_info.extend(
            onnx.helper.make_tensor_value_info(
                name, onnx.helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
            )
            for name, value in values.items()
            if name not in listed
        )
    return inferred


def known_shapes(graph: onnx.GraphProto) -> dict[str, tuple[int, ...]]:
    """Return the shape of every input, output and intermediate tensor with a known shape."""
    found: dict[str, tuple[int, ...]] = {}
    for value in [*graph.input, *graph.value_info, *graph.output]:
        kind = value.type.tensor_type
        axes = kind.shape.dim
        if kind.HasField("shape") and all(axis.HasField("dim_value") for axis in axes):
            found[value.name] = tuple(axis.dim_value for axis in axes)
    return found


def constants(graph: onnx.GraphProto) -> dict[str, _Array]:
    """Return the values of all constants: initializers, and outputs of Constant."""
    import onnx

    found: dict[str, Any] = {
        tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer
    }
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            found[node.output[0]] = onnx.numpy_helper.to_array(node.attribute[0].t)
    return found


def _computed(model: onnx.ModelProto, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, _Array]:
    """Return the values of the small integer tensors that follow from known shapes."""
    from onnx.reference import ReferenceEvaluator

    opsets = {each.domain: each.version for each in model.opset_import}
    known = {
        name: value
        for name, value in constants(model.graph).items()
        if value.size <= _MAX_ELEMENTS and np.issubdtype(value.dtype, np.integer)
    }
    found: dict[str, _Array] = {}
    for node in model.graph.node:
        inputs = [name for name in node.input if name]
        if node.op_type == "Shape" and inputs[0] in shapes:
            limits = {each.name: each.i for each in node.attribute}
            whole = np.array(shapes[inputs[0]], np.int64)
            value = whole[limits.get("start", 0) : limits.get("end")]
        elif node.op_type in _ARITHMETIC and all(name in known for name in inputs):
            feeds = {name: known[name] for name in inputs}
            try:
                computed: Any = ReferenceEvaluator(node, opsets=opsets).run(None, feeds)
            except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError):
                # The node is not valid; its output keeps an unknown value.
                continue
            value = np.asarray(computed[0])
        else:
            continue
        known[node.output[0]] = found[node.output[0]] = value
    return found
