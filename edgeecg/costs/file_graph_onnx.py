"""The graph of a ``.onnx`` file for ``edgeecg inspect``; the package ``onnx`` is not needed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeecg.costs import count_onnx, onnx_file, onnx_values
from edgeecg.costs._damaged import DamagedError
from edgeecg.costs._onnx_runtime_shapes import NoShapesError, shapes_of_run
from edgeecg.costs.file_graph import FileGraph, FileOperation
from edgeecg.costs.input_shapes import Shapes, concrete
from edgeecg.costs.layers import UncountableError
from edgeecg.errors import ArtifactError
from edgeecg.schema import InspectedTensor, LayerCost

_Array = NDArray[np.generic]
_Known = dict[str, tuple[str, tuple[int, ...]]]

_ITEM_BYTES = {
    name: np.dtype(dtype).itemsize if dtype else 2 if name == "bfloat16" else 0
    for name, dtype in onnx_values.TYPES.values()
}


@dataclass(frozen=True)
class _Node:
    """A node with the names that :class:`count_onnx.Node` asks for."""

    op_type: str
    name: str
    input: tuple[str, ...]
    output: tuple[str, ...]


def read(path: Path, shapes: Shapes) -> FileGraph:
    """Read the main graph of a ``.onnx`` file.

    Shapes are those in the file; if it lacks some, ONNX Runtime runs the file once.

    Args:
        path: The file.
        shapes: Shapes of its inputs that have free axes.

    Raises:
        ArtifactError: The file is damaged, or one of its data files is missing or elsewhere.
        UsageError: The shape of an input is unknown.
    """
    graph = onnx_file.read(path)
    onnx_file.data_files(path, graph)
    given = concrete(path, graph.inputs, shapes)
    known, no_shapes = _shapes(path, graph, given)
    nodes = [node for node in graph.nodes if node.op != "Constant"]
    constants = _values(path, graph)
    wrapped = [_wrapped(node) for node in nodes if node.inputs and node.outputs]
    constants |= count_onnx.unpacked_halves(wrapped, constants)
    names = dict.fromkeys(
        name
        for name in (
            *given,
            *(name for node in nodes for name in (*node.inputs, *node.outputs)),
            *graph.outputs,
        )
        if name
    )
    places = {name: place for place, name in enumerate(names)}
    counting = _facts(nodes, constants, known)
    return FileGraph(
        format="onnx",
        tensors=tuple(_tensors(names, graph, known, constants, nodes)),
        inputs=tuple(places[name] for name in given if name),
        outputs=tuple(places[name] for name in graph.outputs if name),
        operations=tuple(
            _operation(path, index, node, places, counting) for index, node in enumerate(nodes)
        ),
        no_shapes=no_shapes,
    )


def _values(path: Path, graph: onnx_file.Graph) -> dict[str, _Array]:
    found: dict[str, _Array] = {}
    for name, constant in graph.constants.items():
        try:
            values = onnx_values.values(constant, path.parent)
        except DamagedError as error:
            raise onnx_file.not_onnx(path, error) from error
        except OSError as error:
            raise ArtifactError(
                f"The weights of {path} cannot be read.",
                f"The system reports: {error.strerror or error}.",
                "Check the permissions of its data files, or copy them again.",
            ) from error
        if values is not None:
            found[name] = values
    return found


def _shapes(
    path: Path, graph: onnx_file.Graph, given: Mapping[str, tuple[int, ...]]
) -> tuple[_Known, str | None]:
    """Return type and shape of the tensors, and why some are missing."""
    known: _Known = {}
    free = any(each.free for each in graph.inputs)
    for name, (code, shape) in graph.described.items():
        fixed = tuple(size for size in shape if isinstance(size, int))
        if len(fixed) == len(shape) and code in onnx_values.TYPES:
            known[name] = (onnx_values.TYPES[code][0], fixed)
    for name, shape in given.items():
        code = graph.described.get(name, (1, ()))[0]
        known[name] = (onnx_values.TYPES.get(code, ("float32", None))[0], shape)
    computed = [name for node in graph.nodes for name in node.outputs if name]
    missing = [name for name in computed if name not in known and name not in graph.constants]
    if not missing:
        return known, None
    try:
        # With free axes, what the file says of its other tensors may hold for other lengths.
        found = shapes_of_run(path, given, computed if free else missing)
    except NoShapesError as error:
        return known, f"The shapes of its tensors are not known: {error}."
    return {**known, **found}, None


def _facts(
    nodes: list[onnx_file.Node], constants: Mapping[str, _Array], known: _Known
) -> count_onnx.Facts:
    shapes = {name: shape for name, (_, shape) in known.items()}
    item_bytes = {name: _ITEM_BYTES.get(kind, 0) for name, (kind, _) in known.items()}
    wrapped = [_wrapped(node) for node in nodes if node.inputs and node.outputs]
    return count_onnx.Facts(
        shapes={**shapes, **{name: values.shape for name, values in constants.items()}},
        item_bytes={**item_bytes, **{name: each.itemsize for name, each in constants.items()}},
        constants=constants,
        dequantised=count_onnx.dequantised(wrapped, constants),
    )


def _wrapped(node: onnx_file.Node) -> _Node:
    return _Node(node.op, node.name, node.inputs, node.outputs)


def _operation(
    path: Path,
    index: int,
    node: onnx_file.Node,
    places: Mapping[str, int],
    facts: count_onnx.Facts,
) -> FileOperation:
    cost: LayerCost | None = None
    reason: str | None = None
    if node.domain not in ("", "ai.onnx"):
        reason = f"{node.op} is not part of ONNX, but of '{node.domain}'."
    else:
        try:
            cost = count_onnx.cost(path, index, _wrapped(node), facts)
        except UncountableError as error:
            reason = error.why
        except KeyError as error:
            reason = f"The shape of the tensor {error} is not known."
        except (IndexError, TypeError, ValueError, ZeroDivisionError):
            reason = f"A tensor does not have the shape that {node.op} needs."
    return FileOperation(
        op=node.op,
        name=node.name or next(iter(node.outputs), "") or f"operation {index}",
        inputs=tuple(places[name] for name in node.inputs if name),
        outputs=tuple(places[name] for name in node.outputs if name),
        cost=cost,
        reason=reason,
    )


def _tensors(
    names: Mapping[str, None],
    graph: onnx_file.Graph,
    known: _Known,
    constants: Mapping[str, _Array],
    nodes: list[onnx_file.Node],
) -> list[InspectedTensor]:
    scales = _scales(nodes, constants)
    found: list[InspectedTensor] = []
    for name in names:
        constant = graph.constants.get(name)
        kind, shape = known.get(name, ("unknown", None))
        if constant is not None:
            kind, shape = onnx_values.TYPES.get(constant.type, ("unknown", None))[0], constant.shape
        size = _ITEM_BYTES.get(kind, 0)
        scale, zero = scales.get(name, ((), ()))
        found.append(
            InspectedTensor(
                name=name,
                dtype=kind,
                shape=shape,
                nbytes=math.prod(shape) * size if shape is not None and size else None,
                constant=constant is not None or name in constants,
                scales=scale,
                zero_points=zero,
            )
        )
    return found


def _scales(
    nodes: list[onnx_file.Node], constants: Mapping[str, _Array]
) -> dict[str, tuple[tuple[float, ...], tuple[int, ...]]]:
    """Return scales and zero points of the integer tensors that the graph quantises.

    A damaged file may hold anything there: numbers that are not finite, and zero points that are no
    integers, are left out.
    """
    found: dict[str, tuple[tuple[float, ...], tuple[int, ...]]] = {}
    for node in nodes:
        if node.op not in ("QuantizeLinear", "DequantizeLinear") or len(node.inputs) < 2:
            continue
        quantised = node.outputs[:1] if node.op == "QuantizeLinear" else node.inputs[:1]
        scale = constants.get(node.inputs[1])
        zero = constants.get(node.inputs[2]) if len(node.inputs) > 2 else None
        if scale is not None and quantised:
            finite = scale[np.isfinite(scale)].astype(np.float64)
            integers = zero if zero is not None and zero.dtype.kind in "iu" else np.empty(0, int)
            zeros = tuple(int(each) for each in integers.ravel())
            found[quantised[0]] = (tuple(finite.tolist()), zeros)
    return found
