"""The main graph of a TFLite file in which moving values is not an operation.

The converter puts transpositions and reshapes between the layout of PyTorch, ``(batch, channels,
positions)``, and that of TFLite's convolutions, ``(batch, 1, positions, channels)``. Here an
operation reads its input through a :class:`View` instead: the axes of a tensor in another order,
with axes of length 1 added or left out. :class:`Graph` collects the views of a file, and
:meth:`Graph.write` adds the few operations that are still needed at the end. In between,
:mod:`edgeecg.exporters._tflite_layouts` removes views.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edgeecg.exporters._tflite_compact import drop_unused

Axes = tuple[int | None, ...]

_NAMES: dict[int, str] = {
    value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)
}
_MOST_OLD_CODE = 127
_TYPES: dict[int, type[np.generic]] = {
    schema.TensorType.FLOAT32: np.float32,
    schema.TensorType.INT32: np.int32,
    schema.TensorType.INT64: np.int64,
}


@dataclass(frozen=True)
class View:
    """How an operation reads a tensor.

    Attributes:
        source: The tensor.
        axes: For each axis of the view, the axis of the tensor; None for an axis of length 1.
        shape: Shape of the view.
        name: Name of the tensor that the view replaces.
    """

    source: int
    axes: Axes
    shape: tuple[int, ...]
    name: bytes

    @property
    def order(self) -> list[int]:
        """The axes that are longer than 1."""
        return [axis for axis in self.axes if axis is not None]

    @property
    def moves(self) -> bool:
        """Whether values lie in another order than in the tensor."""
        return self.order != sorted(self.order)


@dataclass
class Node:
    """One operation.

    Attributes:
        operator: The ``OperatorT``.
        kind: ``"CONV_2D"``, for example.
        inputs: What it reads; None for an optional input that is absent.
    """

    operator: Any
    kind: str
    inputs: list[View | None]

    @property
    def output(self) -> int:
        """Its first output."""
        return int(self.operator.outputs[0])

    def view(self, place: int) -> View:
        """Return an input that is present."""
        found = self.inputs[place]
        assert found is not None
        return found


class Graph:
    """The main graph of a ``ModelT``: operations, and the views that they read.

    Attributes:
        nodes: The operations in order of execution, without those that only move values.
        outputs: Views that are the outputs of the graph, by their tensors.
    """

    def __init__(self, model: Any) -> None:
        """Read the first graph of a ``ModelT``, which :meth:`write` changes."""
        self._model = model
        self._graph = model.subgraphs[0]
        self.nodes: list[Node] = []
        views: dict[int, View] = {}
        for operator in self._graph.operators:
            kind = self._kind(operator)
            inputs = [self._seen(int(place), views) for place in operator.inputs]
            moved = self._moved(kind, inputs, operator)
            if moved is None:
                self.nodes.append(Node(operator, kind, inputs))
            else:
                views[int(operator.outputs[0])] = moved
        self.outputs = {
            int(place): views[int(place)] for place in self._graph.outputs if int(place) in views
        }
        self._made: dict[tuple[int, Axes, tuple[int, ...]], int] = {}
        self._names = {tensor.name for tensor in self._graph.tensors}

    def shape(self, tensor: int) -> tuple[int, ...]:
        """Return the shape of a tensor."""
        found: Any = self._graph.tensors[tensor].shape
        return () if found is None else tuple(int(size) for size in found)

    def constant(self, tensor: int) -> NDArray[np.generic] | None:
        """Return the values of a constant, or None."""
        found = self._graph.tensors[tensor]
        data: Any = self._model.buffers[found.buffer].data
        if data is None or not len(data) or found.type not in _TYPES:
            return None
        values: NDArray[np.generic] = np.frombuffer(bytes(data), _TYPES[found.type])
        return values.reshape(self.shape(tensor))

    def cost(self, view: View) -> int:
        """Return how much work it is to read a view: 0 for none, above 10 for moving values."""
        source = self.shape(view.source)
        if (view.shape == source and not view.moves) or self.constant(view.source) is not None:
            return 0
        return 1 if not view.moves else 10 + (len(view.shape) != len(source))

    def plain(self, tensor: int) -> View:
        """Return the view that is the tensor itself."""
        shape = self.shape(tensor)
        axes = tuple(axis if size > 1 else None for axis, size in enumerate(shape))
        return View(tensor, axes, shape, self._graph.tensors[tensor].name)

    def is_output(self, node: Node) -> bool:
        """Whether an output of the graph is the operation's, or a view of it."""
        given = {int(place) for place in self._graph.outputs}
        return node.output in given | {view.source for view in self.outputs.values()}

    def users(self, tensor: int) -> list[tuple[Node, int]]:
        """Return the operations that read a tensor, each with the place among its inputs."""
        return [
            (node, place)
            for node in self.nodes
            for place, view in enumerate(node.inputs)
            if view is not None and view.source == tensor
        ]

    def reshape_output(self, node: Node, shape: Sequence[int], axes: Axes) -> None:
        """Give the output of an operation another shape; its users read the old one as a view.

        Args:
            node: The operation; its output is none of the graph.
            shape: The new shape.
            axes: The old axes as a view of the new shape.
        """
        tensor = node.output
        for user, place in self.users(tensor):
            view = user.view(place)
            moved = tuple(None if axis is None else axes[axis] for axis in view.axes)
            user.inputs[place] = View(tensor, moved, view.shape, view.name)
        found = self._graph.tensors[tensor]
        found.shape = list(shape)
        found.shapeSignature = None

    def add_constant(self, name: bytes, values: NDArray[np.generic]) -> View:
        """Add a constant and return it."""
        made: Any = schema.TensorT()
        made.name, made.shape = self._unused(name), list(values.shape)
        made.type = next(code for code, kind in _TYPES.items() if np.dtype(kind) == values.dtype)
        buffer: Any = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        made.buffer = len(self._model.buffers)
        self._model.buffers.append(buffer)
        self._graph.tensors.append(made)
        return self.plain(len(self._graph.tensors) - 1)

    def write(self) -> None:
        """Put the operations back into the model, with those that the views still need."""
        made: list[Any] = []
        for node in self._needed():
            places = [-1 if view is None else self._placed(view, made) for view in node.inputs]
            node.operator.inputs = places
            made.append(node.operator)
        for tensor, view in self.outputs.items():
            made += self._moving(view, tensor)
        self._graph.operators = made
        drop_unused(self._model)

    def _needed(self) -> list[Node]:
        """Return the operations whose results are used."""
        used = {int(place) for place in self._graph.outputs}
        used |= {view.source for view in self.outputs.values()}
        kept: list[Node] = []
        for node in reversed(self.nodes):
            if used.intersection(int(place) for place in node.operator.outputs):
                kept.append(node)
                used |= {view.source for view in node.inputs if view is not None}
        return kept[::-1]

    def _kind(self, operator: Any) -> str:
        code = self._model.operatorCodes[operator.opcodeIndex]
        return _NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)]

    def _seen(self, tensor: int, views: dict[int, View]) -> View | None:
        if tensor < 0:
            return None
        return views[tensor] if tensor in views else self.plain(tensor)

    def _moved(self, kind: str, inputs: Sequence[View | None], operator: Any) -> View | None:
        """Return the view that an operation only makes; None where it does more."""
        if kind not in ("RESHAPE", "TRANSPOSE") or inputs[0] is None:
            return None
        tensor = int(operator.outputs[0])
        before, shape = inputs[0], self.shape(tensor)
        if kind == "TRANSPOSE":
            order = self.constant(int(operator.inputs[1]))
            if order is None:
                return None
            axes = tuple(before.axes[int(axis)] for axis in order)
        else:
            long = [axis for axis, size in enumerate(before.shape) if size > 1]
            if [before.shape[axis] for axis in long] != [size for size in shape if size > 1]:
                return None
            rest = iter(long)
            axes = tuple(before.axes[next(rest)] if size > 1 else None for size in shape)
        return View(before.source, axes, shape, self._graph.tensors[tensor].name)

    def _placed(self, view: View, made: list[Any]) -> int:
        """Return a tensor with the values of a view; the operations for it are added."""
        source = self.shape(view.source)
        if view.shape == source and not view.moves:
            return view.source
        key = (view.source, view.axes, view.shape)
        if key not in self._made:
            values = self.constant(view.source)
            if values is not None:
                moved = _transposed(values, _order(view, source)).reshape(view.shape)
                self._made[key] = self.add_constant(view.name, np.ascontiguousarray(moved)).source
            else:
                self._made[key] = self._tensor(view.source, view.shape, view.name)
                made += self._moving(view, self._made[key])
        return self._made[key]

    def _moving(self, view: View, tensor: int) -> list[Any]:
        """Return the operations from the source of a view to a tensor of its shape."""
        source = self.shape(view.source)
        if not view.moves:
            return [self._reshape(view.source, tensor, view.shape)]
        order = _order(view, source)
        moved = tuple(source[axis] for axis in order)
        if moved == view.shape:
            return [self._transpose(view.source, tensor, order)]
        between = self._tensor(view.source, moved, view.name)
        return [
            self._transpose(view.source, between, order),
            self._reshape(between, tensor, view.shape),
        ]

    def _tensor(self, like: int, shape: Sequence[int], name: bytes) -> int:
        made: Any = schema.TensorT()
        made.name, made.shape = self._unused(name), list(shape)
        made.type = self._graph.tensors[like].type
        self._graph.tensors.append(made)
        return len(self._graph.tensors) - 1

    def _unused(self, name: bytes) -> bytes:
        """Return a name that no tensor has; the converter ends names with a number, too.

        The quantiser tells tensors apart by their names.
        """
        base, mark, _ = name.rpartition(b";")
        stem = base + mark if mark else name + b"."
        numbers = (stem + str(number).encode() for number in count(1))
        found = next(each for each in numbers if each not in self._names)
        self._names.add(found)
        return found

    def _reshape(self, x: int, y: int, shape: Sequence[int]) -> Any:
        options: Any = schema.ReshapeOptionsT()
        options.newShape = list(shape)
        return self._operator("RESHAPE", x, y, np.array(shape, np.int32), options)

    def _transpose(self, x: int, y: int, order: Sequence[int]) -> Any:
        return self._operator(
            "TRANSPOSE", x, y, np.array(order, np.int32), schema.TransposeOptionsT()
        )

    def _operator(self, kind: str, x: int, y: int, how: NDArray[np.int32], options: Any) -> Any:
        code: Any = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, kind)
        assert code.builtinCode <= _MOST_OLD_CODE
        code.version = 1
        made: Any = schema.OperatorT()
        made.opcodeIndex = len(self._model.operatorCodes)
        self._model.operatorCodes.append(code)
        name = self._graph.tensors[y].name
        made.inputs, made.outputs = [x, self.add_constant(name, how).source], [y]
        made.builtinOptions = options
        made.builtinOptionsType = getattr(
            schema.BuiltinOptions, type(options).__name__.removesuffix("T")
        )
        return made


def _order(view: View, source: Sequence[int]) -> list[int]:
    """Return all axes of a tensor in the order of a view of it, those of length 1 among them."""
    short = [axis for axis, size in enumerate(source) if size == 1]
    if len(view.shape) != len(source):
        return short + view.order
    rest = iter(short)
    return [next(rest) if axis is None else axis for axis in view.axes]


def _transposed(values: NDArray[np.generic], order: Sequence[int]) -> NDArray[np.generic]:
    return np.transpose(values, order) if values.ndim else values
