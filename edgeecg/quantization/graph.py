"""Where in the graph of a traced model an int8 file rounds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, count
from typing import Any, cast

import torch
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp
from torch.fx.proxy import TraceError

from edgeecg.errors import EdgeECGError
from edgeecg.quantization.fake_quant import QuantizedLayer, TensorRange
from edgeecg.schema import ExportRecipe

_MOVES = frozenset(
    {
        *("adaptive_max_pool1d", "adaptivemaxpool1d", "amax", "chunk", "contiguous", "dropout"),
        *("expand", "flatten", "getitem", "identity", "max_pool1d", "maxpool1d", "permute"),
        *("reshape", "squeeze", "transpose", "unflatten", "unsqueeze", "view"),
    }
)
_NOTHING = frozenset({"contiguous", "dropout", "identity"})
"""Those of them that a file does not hold at all."""

_MEANS = frozenset({"avgpool1d", "avg_pool1d", "adaptiveavgpool1d", "adaptive_avg_pool1d"})
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
"""What a recipe's ``float_ops`` call PyTorch's operations."""


@dataclass(frozen=True)
class Placed:
    """A range in the graph.

    Attributes:
        title: The layer or operation whose output it is, for people.
        range: The module.
    """

    title: str
    range: TensorRange


def traced(model: nn.Module, sample_shape: tuple[int, int]) -> fx.GraphModule:
    """Trace a model and mark which of its nodes are tensors.

    Raises:
        EdgeECGError: The control flow of the model depends on its input.
    """
    training = model.training
    device = next(model.parameters()).device
    try:
        twin = fx.symbolic_trace(model.eval())
        with torch.no_grad():
            ShapeProp(twin).propagate(torch.zeros(2, *sample_shape, device=device))
    except (TraceError, TypeError, RuntimeError) as error:
        said = " ".join(str(error).split())[:200]
        raise EdgeECGError(
            f"The model {type(model).__name__} cannot be prepared for int8.",
            f"Following one call through it failed: {said}.",
            "Make its forward() independent of the values it is given, or leave out --quantize.",
        ) from error
    finally:
        model.train(training)
    return twin


def quantized_layers(twin: fx.GraphModule) -> dict[str, QuantizedLayer]:
    """Replace every convolution and linear layer, and the batch norm behind it, by one module."""
    modules = dict(twin.named_modules())
    calls = [str(node.target) for node in twin.graph.nodes if node.op == "call_module"]
    layers: dict[str, QuantizedLayer] = {}
    for node in list(twin.graph.nodes):
        name = str(node.target)
        layer = modules.get(name) if node.op == "call_module" else None
        if not isinstance(layer, (nn.Conv1d, nn.Linear)) or name in layers:
            continue
        if isinstance(layer, nn.Conv1d) and layer.padding_mode != "zeros":
            continue
        norm = _norm_behind(node, modules) if calls.count(name) == 1 else None
        behind = None if norm is None else cast(nn.BatchNorm1d, modules[str(norm.target)])
        layers[name] = QuantizedLayer(layer, behind)
        twin.set_submodule(name, layers[name])
        if norm is not None:
            norm.replace_all_uses_with(node)
            twin.graph.erase_node(norm)
    return layers


def _norm_behind(node: fx.Node, modules: Mapping[str, nn.Module]) -> fx.Node | None:
    """Return the batch normalisation that alone reads a layer's output, or None."""
    users = list(node.users)
    if len(users) != 1 or users[0].op != "call_module":
        return None
    norm = modules[str(users[0].target)]
    foldable = isinstance(norm, nn.BatchNorm1d) and norm.track_running_stats
    return users[0] if foldable else None


def insert_ranges(twin: fx.GraphModule, recipe: ExportRecipe) -> dict[str, Placed]:
    """Put a range behind everything whose output the file holds in int8."""
    placed: dict[str, Placed] = {}
    fused: set[fx.Node] = set()
    for node in list(twin.graph.nodes):
        if node in fused or not _is_tensor(node) or node.op == "output" or _moves(twin, node):
            continue
        end = _activation_behind(twin, node) or node
        fused.add(end)
        in_float = _in_float(twin, node, recipe)
        rounded = [user for user in end.users if _reads_int8(twin, user, recipe)]
        if in_float and not rounded:
            continue
        kind = _lstm_behind(twin, node) or _kind(twin, node)
        target = _range_before(node, placed) if kind in _MEANS else None
        if target is None:
            target = f"range_{len(placed)}"
            made = TensorRange(None if in_float else _FIXED.get(kind))
            twin.add_submodule(target, made)
            titles = {each.title for each in placed.values()}
            placed[target] = Placed(_title(node, kind, titles), made)
        # A float operation's float readers see what it gave; an int8 one's see what it rounded to.
        readers = rounded if in_float else list(end.users)
        with twin.graph.inserting_after(end):
            point = twin.graph.call_module(target, (end,))
        point.meta["type"] = Tensor
        for reader in readers:
            reader.replace_input_with(end, point)
    return placed


def _range_before(node: fx.Node, placed: Mapping[str, Placed]) -> str | None:
    """Return the range that a node's input was rounded to, or None where it was not rounded."""
    while node.all_input_nodes:
        node = node.all_input_nodes[0]
        if str(node.target) in placed:
            return str(node.target)
    return None


def _is_tensor(node: fx.Node) -> bool:
    kind: Any = node.meta.get("type")
    return isinstance(kind, type) and issubclass(kind, Tensor)


def _kind(twin: fx.GraphModule, node: fx.Node) -> str:
    """Return what a node does, in small letters: "conv1d", "add", "input"."""
    if node.op == "call_module":
        return type(twin.get_submodule(str(node.target))).__name__.lower()
    if node.op == "call_function":
        return getattr(node.target, "__name__", str(node.target))
    return "input" if node.op == "placeholder" else str(node.target)


def _moves(twin: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a node only moves or selects values of the one tensor that it reads."""
    return _kind(twin, node) in _MOVES and _is_tensor(node.all_input_nodes[0])


def _activation_behind(twin: fx.GraphModule, node: fx.Node) -> fx.Node | None:
    """Return the ReLU that alone reads a node's output: the runtime makes one operation of both."""
    users = list(node.users)
    return users[0] if len(users) == 1 and _kind(twin, users[0]) == "relu" else None


def _in_float(twin: fx.GraphModule, node: fx.Node, recipe: ExportRecipe) -> bool:
    """Whether the recipe keeps an operation in float32."""
    module = twin.get_submodule(str(node.target)) if node.op == "call_module" else None
    if isinstance(module, QuantizedLayer):
        return str(node.target) in recipe.float_layers
    if isinstance(module, nn.LSTM) or _lstm_behind(twin, node) is not None:
        return True
    if _OPERATIONS.get(_kind(twin, node)) in recipe.float_ops:
        return True
    return any(kind.__name__ in recipe.float_modules for _, kind in _stack(node))


def _lstm_behind(twin: fx.GraphModule, node: fx.Node) -> str | None:
    """Return the name of the LSTM whose steps a node takes from its outputs, or None."""
    source = node.all_input_nodes[0] if _kind(twin, node) == "getitem" else node
    taken = source is not node and source.op == "call_module"
    lstm = taken and isinstance(twin.get_submodule(str(source.target)), nn.LSTM)
    return str(source.target) if lstm else None


def _reads_int8(twin: fx.GraphModule, node: fx.Node, recipe: ExportRecipe) -> bool:
    """Whether an operation takes its input in int8, or hands it on to one that does."""
    if node.op == "output" or not _is_tensor(node):
        return False
    if _kind(twin, node) in _NOTHING:
        return any(_reads_int8(twin, user, recipe) for user in node.users)
    if not _in_float(twin, node, recipe):
        return True
    return _moves(twin, node) and any(_reads_int8(twin, user, recipe) for user in node.users)


def _stack(node: fx.Node) -> Iterable[tuple[str, type]]:
    """Return name and class of the modules that a node was called in, outermost first."""
    return node.meta.get("nn_module_stack", {}).values()


def _title(node: fx.Node, kind: str, taken: set[str]) -> str:
    """Return the layer's name, or the module's and what it does there; numbered where taken."""
    inside = [name for name, _ in _stack(node)]
    title = str(node.target) if node.op == "call_module" else ".".join([*inside[-1:], kind])
    names = chain([title], (f"{title}:{number}" for number in count(2)))
    return next(name for name in names if name not in taken)


def around(twin: fx.GraphModule, layer: str, placed: Mapping[str, Placed]) -> tuple[str, ...]:
    """Return the titles of the ranges that a layer reads from and gives to."""
    found: list[str] = []
    for node in twin.graph.nodes:
        if node.op == "call_module" and node.target == layer:
            behind = list(node.users)
            behind += [user for each in behind for user in each.users]
            near = [_range_before(node, placed) or "", *(str(each.target) for each in behind)]
            found += [placed[target].title for target in near if target in placed]
    return tuple(dict.fromkeys(found))
