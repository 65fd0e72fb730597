"""Removes transpositions and reshapes from a float32 TFLite file.

An operation that works on each value alone, or reduces some axes, can as well work on a tensor in
the layout that it already has: the view (:mod:`edgeecg.exporters._tflite_views`) then moves from
its input to its output, where it often meets the opposite one. What is computed stays the same, up
to the order in which numbers are added.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from edgeecg.exporters._tflite_views import Axes, Graph, Node, View

_ELEMENTWISE = frozenset(
    {"ABS", "ADD", "DIV", "EXP", "GELU", "HARD_SWISH", "LOGISTIC", "MAXIMUM", "MINIMUM", "MUL"}
    | {"NEG", "RELU", "RELU6", "RSQRT", "SQRT", "SQUARE", "SQUARED_DIFFERENCE", "SUB", "TANH"}
)
_REDUCTIONS = frozenset({"MEAN", "REDUCE_MAX", "REDUCE_MIN", "SUM"})


def simplify(graph: Graph) -> None:
    """Let all operations read their inputs in the layout that these have, where that is possible.

    Args:
        graph: Changed in place.
    """
    # A view moves towards the outputs only, so that this ends.
    while any([_RULES[node.kind](graph, node) for node in graph.nodes if node.kind in _RULES]):
        pass
    for node in graph.nodes:
        if node.kind in _REDUCTIONS:
            _leave_out_axes(graph, node)
        elif node.kind == "RESHAPE":
            _take_shape_of_users(graph, node)


def _elementwise(graph: Graph, node: Node) -> bool:
    """Compute in the layout of one of the inputs, if the others need no more work for it."""
    shape = graph.shape(node.output)
    views = [view for view in node.inputs if view is not None]
    if graph.is_output(node):
        return False
    before = sum(map(graph.cost, views))
    for lead in views:
        if lead.shape != shape or graph.constant(lead.source) is not None:
            continue
        changed = [_in_layout_of(graph, lead, view) for view in views]
        if sum(map(graph.cost, changed)) < before:
            node.inputs = list(changed)
            graph.reshape_output(node, graph.shape(lead.source), lead.axes)
            return True
    return False


def _in_layout_of(graph: Graph, lead: View, view: View) -> View:
    """Return an operand in the layout of the tensor that another one is a view of.

    Args:
        graph: The graph.
        lead: A view of the shape of the result.
        view: An operand that is broadcast to that shape.
    """
    if view is lead:
        return graph.plain(lead.source)
    rank = len(graph.shape(lead.source))
    if not view.order and len(view.shape) <= rank:
        return view
    missing = len(lead.shape) - len(view.shape)
    axes: Axes = (None,) * missing + view.axes
    sizes = (1,) * missing + view.shape
    places = [lead.axes.index(axis) if axis in lead.axes else None for axis in range(rank)]
    return View(
        view.source,
        tuple(None if place is None else axes[place] for place in places),
        tuple(1 if place is None else sizes[place] for place in places),
        view.name,
    )


def _reduction(graph: Graph, node: Node) -> bool:
    """Reduce the axes of the tensor that the input is a view of, and keep them with length 1."""
    axes = graph.constant(node.view(1).source)
    view, options = node.view(0), node.operator.builtinOptions
    if axes is None or graph.is_output(node) or (options.keepDims and not graph.cost(view)):
        return False
    given = {int(axis) % len(view.shape) for axis in axes.ravel()}
    reduced = sorted(axis for place in given if (axis := view.axes[place]) is not None)
    if not reduced:
        return False
    left = tuple(
        None if place in given else axis
        for place, axis in enumerate(view.axes)
        if options.keepDims or place not in given
    )
    source = graph.shape(view.source)
    shape = tuple(1 if axis in reduced else size for axis, size in enumerate(source))
    places = graph.add_constant(node.view(1).name, np.array(reduced, np.int32))
    node.inputs = [graph.plain(view.source), places]
    options.keepDims = True
    graph.reshape_output(node, shape, left)
    return True


def _leave_out_axes(graph: Graph, node: Node) -> None:
    """Leave the reduced axes out of the result, where all that read it do not have them."""
    axes = graph.constant(node.view(1).source)
    shape = graph.shape(node.output)
    wanted = _wanted_shape(graph, node)
    if axes is None or wanted is None or not node.operator.builtinOptions.keepDims:
        return
    short = [axis for axis, size in enumerate(shape) if size == 1 and axis not in axes]
    more = len(shape) - len(axes) - len(wanted)
    if not 0 <= more <= len(short):
        return
    left_out = sorted({*(int(axis) for axis in axes), *short[len(short) - more :]})
    rest = [axis for axis in range(len(shape)) if axis not in left_out]
    if tuple(shape[axis] for axis in rest) != wanted:
        return
    node.inputs[1] = graph.add_constant(node.view(1).name, np.array(left_out, np.int32))
    node.operator.builtinOptions.keepDims = False
    places = {axis: place for place, axis in enumerate(rest)}
    graph.reshape_output(node, wanted, tuple(places.get(axis) for axis in range(len(shape))))


def _take_shape_of_users(graph: Graph, node: Node) -> None:
    """Reshape to what all that read the result reshape it to."""
    wanted = _wanted_shape(graph, node)
    shape = graph.shape(node.output)
    if wanted is None or wanted == shape:
        return
    rest = iter(axis for axis, size in enumerate(wanted) if size > 1)
    axes = tuple(next(rest) if size > 1 else None for size in shape)
    node.inputs[1] = graph.add_constant(node.view(1).name, np.array(wanted, np.int32))
    node.operator.builtinOptions.newShape = list(wanted)
    graph.reshape_output(node, wanted, axes)


def _wanted_shape(graph: Graph, node: Node) -> tuple[int, ...] | None:
    """Return the shape that all users read an output in; None if they differ or move values."""
    views = [user.view(place) for user, place in graph.users(node.output)]
    shapes = {view.shape for view in views}
    if graph.is_output(node) or any(view.moves for view in views) or len(shapes) != 1:
        return None
    return shapes.pop()


def _reshape(graph: Graph, node: Node) -> bool:
    """Read the input of a reshape in the layout that it has."""
    view = node.view(0)
    if graph.cost(view) == 0:
        return False
    if not view.moves:
        node.inputs[0] = graph.plain(view.source)
        return True
    return _flattened(graph, node, view)


def _flattened(graph: Graph, node: Node, view: View) -> bool:
    """Reorder the weights of the fully connected layers that read a tensor flattened to one row."""
    users = graph.users(node.output)
    if graph.is_output(node) or not all(_takes_row(graph, user, place) for user, place in users):
        return False
    source = graph.shape(view.source)
    places = np.arange(int(np.prod(view.shape))).reshape(view.shape)
    long = [place for place, axis in enumerate(view.axes) if axis is not None]
    squeezed = places.reshape([view.shape[place] for place in long])
    order = np.argsort([view.axes[place] or 0 for place in long])
    columns = np.transpose(squeezed, order).ravel()
    for user, _ in users:
        weights = user.view(1)
        values = graph.constant(weights.source)
        assert values is not None
        user.inputs[1] = graph.add_constant(weights.name, np.ascontiguousarray(values[:, columns]))
    node.inputs[0] = graph.plain(view.source)
    assert int(np.prod(source)) == len(columns)
    return True


def _takes_row(graph: Graph, user: Node, place: int) -> bool:
    """Whether an operation is a fully connected layer of one row of inputs."""
    if user.kind != "FULLY_CONNECTED" or place != 0:
        return False
    weights = graph.constant(user.view(1).source)
    return weights is not None and int(np.prod(user.view(0).shape)) == weights.shape[1]


def _softmax(graph: Graph, node: Node) -> bool:
    """Compute in the layout of the input, if its last axis is the last one of the view."""
    view = node.view(0)
    source = graph.shape(view.source)
    last = view.axes[-1] == len(source) - 1
    if graph.is_output(node) or graph.cost(view) == 0 or view.moves or not last:
        return False
    node.inputs[0] = graph.plain(view.source)
    graph.reshape_output(node, source, view.axes)
    return True


def _matrix_product(graph: Graph, node: Node) -> bool:
    """Multiply tensors of as many axes as those have that the factors are views of."""
    views = [node.view(0), node.view(1)]
    shape = graph.shape(node.output)
    rank = max(len(graph.shape(view.source)) for view in views)
    more = rank - len(shape)
    if graph.is_output(node) or more <= 0 or any(len(view.shape) != len(shape) for view in views):
        return False
    longer = [
        View(view.source, (None,) * more + view.axes, (1,) * more + view.shape, view.name)
        for view in views
    ]
    if sum(map(graph.cost, longer)) >= sum(map(graph.cost, views)):
        return False
    node.inputs = list(longer)
    axes = tuple(axis + more if size > 1 else None for axis, size in enumerate(shape))
    graph.reshape_output(node, (1,) * more + shape, axes)
    return True


def _reversal(graph: Graph, node: Node) -> bool:
    """Leave out a reversal in time before a reduction over time, which has no order."""
    axes = graph.constant(node.view(1).source)
    if axes is None or graph.is_output(node) or graph.cost(node.view(0)):
        return False
    reversed_axes = {int(axis) % len(node.view(0).shape) for axis in axes.ravel()}
    users = list(graph.users(node.output))
    joined = [user for user, _ in users if user.kind == "CONCATENATION"]
    if not users or len(joined) != len(users):
        return False
    last = [each for user in joined for each in graph.users(user.output)]
    unordered = all(user.operator.builtinOptions.axis not in reversed_axes for user in joined)
    if not unordered or any(graph.is_output(user) for user in joined):
        return False
    if not last or not all(_reduces(graph, each, reversed_axes) for each, _ in last):
        return False
    # A reader in another layout has other axes.
    if any(graph.cost(user.view(place)) for user, place in users):
        return False
    for user, place in users:
        user.inputs[place] = node.view(0)
    return True


def _reduces(graph: Graph, node: Node, axes: Iterable[int]) -> bool:
    """Whether an operation reduces all these axes of its input, in the layout that it has."""
    if node.kind not in _REDUCTIONS or graph.cost(node.view(0)):
        return False
    given = graph.constant(node.view(1).source)
    return given is not None and set(axes) <= {int(axis) for axis in given.ravel()}


_RULES: dict[str, Callable[[Graph, Node], bool]] = {
    **dict.fromkeys(_ELEMENTWISE, _elementwise),
    **dict.fromkeys(_REDUCTIONS, _reduction),
    "BATCH_MATMUL": _matrix_product,
    "RESHAPE": _reshape,
    "REVERSE_V2": _reversal,
    "SOFTMAX": _softmax,
}
