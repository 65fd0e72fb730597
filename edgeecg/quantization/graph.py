"""Where an int8 file rounds, in the graph of a traced model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp
from torch.fx.proxy import TraceError

from edgeecg.errors import EdgeECGError
from edgeecg.quantization.fake_quant import QuantizedLayer, TensorRange
from edgeecg.quantization.folding import foldable_layer
from edgeecg.schema import ExportRecipe

_MOVES = frozenset(
    {
        *("adaptive_max_pool1d", "adaptivemaxpool1d", "adaptive_max_pool2d", "adaptivemaxpool2d"),
        *("amax", "chunk", "contiguous", "dropout", "expand", "flatten", "getitem", "identity"),
        *("max_pool1d", "maxpool1d", "max_pool2d", "maxpool2d", "permute"),
        *("reshape", "squeeze", "transpose", "unflatten", "unsqueeze", "view"),
    }
)
"""Operations that only move or select values."""

_ABSENT = frozenset({"contiguous", "dropout", "identity"})
"""Those of them that are not operations of the file."""

_MEANS = frozenset(
    {
        *("avgpool1d", "avg_pool1d", "adaptiveavgpool1d", "adaptive_avg_pool1d"),
        *("avgpool2d", "avg_pool2d", "adaptiveavgpool2d", "adaptive_avg_pool2d"),
    }
)
"""Operations whose outputs LiteRT's kernels round to the steps of their input."""

_FIXED = {
    "softmax": (0.0, 255 / 256),
    "sigmoid": (0.0, 255 / 256),
    "tanh": (-1.0, 127 / 128),
}
"""Ranges that LiteRT's kernels prescribe for the outputs of int8 operations."""

_OPERATIONS = {
    "add": "ADD",
    "iadd": "ADD",
    "matmul": "BATCH_MATMUL",
    "mean": "MEAN",
    "mul": "MUL",
    "sigmoid": "LOGISTIC",
    "softmax": "SOFTMAX",
    "sub": "SUB",
    "sum": "SUM",
    "tanh": "TANH",
    "truediv": "MUL",
}
"""Names of PyTorch's operations in a recipe's ``float_ops``."""


@dataclass(frozen=True)
class InsertedRange:
    """A range that was inserted into the graph.

    Attributes:
        title: The layer or operation whose output it rounds, as reports name it.
        range: The module.
    """

    title: str
    range: TensorRange


def trace(model: nn.Module, sample_shape: tuple[int, int]) -> fx.GraphModule:
    """Trace a model and mark which nodes are tensors.

    Raises:
        EdgeECGError: The control flow of the model depends on its input.
    """
    training = model.training
    device = next(model.parameters()).device
    try:
        traced = fx.symbolic_trace(model.eval())
        with torch.no_grad():
            ShapeProp(traced).propagate(torch.zeros(2, *sample_shape, device=device))
    except (TraceError, TypeError, RuntimeError) as error:
        message = " ".join(str(error).split())[:200]
        raise EdgeECGError(
            f"The model {type(model).__name__} cannot be prepared for int8.",
            f"Tracing it with torch.fx failed: {message}.",
            "Let forward() not depend on the values or the shape of its input, or leave out "
            "--quantize.",
        ) from error
    finally:
        model.train(training)
    return traced


def replace_layers(traced: fx.GraphModule) -> dict[str, QuantizedLayer]:
    """Replace every convolution and linear layer, with the batch norm after it, by one module.

    A batch norm that cannot be folded (:mod:`edgeecg.quantization.folding`) stays a module.
    """
    modules = dict(traced.named_modules())
    nodes = [node for node in traced.graph.nodes if node.op == "call_module"]
    calls = [str(node.target) for node in nodes]
    norms = {foldable_layer(node, modules, calls): node for node in nodes}
    layers: dict[str, QuantizedLayer] = {}
    for node in nodes:
        name, layer = str(node.target), modules[str(node.target)]
        if not is_quantizable(layer) or name in layers:
            continue
        norm = norms.get(node)
        folded = None if norm is None else modules[str(norm.target)]
        assert isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Linear))
        assert folded is None or isinstance(folded, (nn.BatchNorm1d, nn.BatchNorm2d))
        layers[name] = QuantizedLayer(layer, folded)
        traced.set_submodule(name, layers[name])
        if norm is not None:
            norm.replace_all_uses_with(node)
            traced.graph.erase_node(norm)
    return layers


def is_quantizable(layer: nn.Module) -> bool:
    """Whether the rounding of a layer's weights is simulated."""
    if isinstance(layer, (nn.Conv1d, nn.Conv2d)):
        return layer.padding_mode == "zeros"
    return isinstance(layer, nn.Linear)


def insert_ranges(traced: fx.GraphModule, recipe: ExportRecipe) -> dict[str, InsertedRange]:
    """Insert a range after everything whose output is int8 in the file."""
    inserted: dict[str, InsertedRange] = {}
    fused: set[fx.Node] = set()
    for node in list(traced.graph.nodes):
        if node in fused or not _is_tensor(node) or node.op == "output" or _moves(traced, node):
            continue
        end = _following_relu(traced, node) or node
        fused.add(end)
        in_float = _in_float(traced, node, recipe)
        rounded = [user for user in end.users if _takes_int8(traced, user, recipe)]
        if in_float and not rounded:
            continue
        kind = _lstm_of(traced, node) or _kind(traced, node)
        target = _range_before(node, inserted) if kind in _MEANS else None
        if target is None:
            target = f"range_{len(inserted)}"
            made = TensorRange(None if in_float else _FIXED.get(kind))
            traced.add_submodule(target, made)
            titles = {each.title for each in inserted.values()}
            inserted[target] = InsertedRange(_title(node, kind, titles), made)
        # Float operations after a float operation see its output before it is rounded.
        users = rounded if in_float else list(end.users)
        with traced.graph.inserting_after(end):
            point = traced.graph.call_module(target, (end,))
        point.meta["type"] = Tensor
        for user in users:
            user.replace_input_with(end, point)
    return inserted


def _range_before(node: fx.Node, inserted: Mapping[str, InsertedRange]) -> str | None:
    """Return the range that rounds a node's input, or None where it is not rounded."""
    while node.all_input_nodes:
        node = node.all_input_nodes[0]
        if str(node.target) in inserted:
            return str(node.target)
    return None


def _is_tensor(node: fx.Node) -> bool:
    kind: Any = node.meta.get("type")
    return isinstance(kind, type) and issubclass(kind, Tensor)


def _kind(traced: fx.GraphModule, node: fx.Node) -> str:
    """Return the kind of operation in lower case: "conv1d", "add", "input"."""
    if node.op == "call_module":
        return type(traced.get_submodule(str(node.target))).__name__.lower()
    if node.op == "call_function":
        return getattr(node.target, "__name__", str(node.target))
    return "input" if node.op == "placeholder" else str(node.target)


def _moves(traced: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a node only moves or selects values of its one input tensor."""
    return _kind(traced, node) in _MOVES and _is_tensor(node.all_input_nodes[0])


def _following_relu(traced: fx.GraphModule, node: fx.Node) -> fx.Node | None:
    """Return the ReLU that is the only user of a node's output: the runtime fuses both."""
    users = list(node.users)
    return users[0] if len(users) == 1 and _kind(traced, users[0]) == "relu" else None


def _in_float(traced: fx.GraphModule, node: fx.Node, recipe: ExportRecipe) -> bool:
    """Whether the recipe keeps an operation in float32."""
    module = traced.get_submodule(str(node.target)) if node.op == "call_module" else None
    if isinstance(module, QuantizedLayer):
        return str(node.target) in recipe.float_layers
    if isinstance(module, nn.LSTM) or _lstm_of(traced, node) is not None:
        return True
    if _OPERATIONS.get(_kind(traced, node)) in recipe.float_ops:
        return True
    return any(kind.__name__ in recipe.float_modules for _, kind in _stack(node))


def _lstm_of(traced: fx.GraphModule, node: fx.Node) -> str | None:
    """Return the name of the LSTM whose output tensor a node selects, or None."""
    source = node.all_input_nodes[0] if _kind(traced, node) == "getitem" else node
    selects = source is not node and source.op == "call_module"
    lstm = selects and isinstance(traced.get_submodule(str(source.target)), nn.LSTM)
    return str(source.target) if lstm else None


def _takes_int8(traced: fx.GraphModule, node: fx.Node, recipe: ExportRecipe) -> bool:
    """Whether an operation takes its input in int8, or passes it on to one that does."""
    if node.op == "output" or not _is_tensor(node):
        return False
    if _kind(traced, node) in _ABSENT:
        return any(_takes_int8(traced, user, recipe) for user in node.users)
    if not _in_float(traced, node, recipe):
        return True
    return _moves(traced, node) and any(_takes_int8(traced, user, recipe) for user in node.users)


def _stack(node: fx.Node) -> Iterable[tuple[str, type]]:
    """Return name and class of the modules that contain a node, outermost first."""
    return node.meta.get("nn_module_stack", {}).values()


def _title(node: fx.Node, kind: str, used: set[str]) -> str:
    """Return the layer's name, or module and operation; numbered where already used."""
    inside = [name for name, _ in _stack(node)]
    title = str(node.target) if node.op == "call_module" else ".".join([*inside[-1:], kind])
    names = chain([title], (f"{title}:{number}" for number in count(2)))
    return next(name for name in names if name not in used)


def neighbours(
    traced: fx.GraphModule, layer: str, inserted: Mapping[str, InsertedRange]
) -> tuple[str, ...]:
    """Return the titles of the ranges that round a layer's input and outputs."""
    found: list[str] = []
    for node in traced.graph.nodes:
        if node.op == "call_module" and node.target == layer:
            users = list(node.users)
            users += [user for each in users for user in each.users]
            near = [_range_before(node, inserted) or "", *(str(each.target) for each in users)]
            found += [inserted[target].title for target in near if target in inserted]
    return tuple(dict.fromkeys(found))
