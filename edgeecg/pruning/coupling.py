"""Which channels must be removed together, from torch-pruning's dependency graph.

The graph follows channels through residual additions, norms, flattening and concatenation. It
cannot know which layers have an output width that is fixed by its meaning: the classifier's
classes, and attention scores, which are one per position and are broadcast over all channels. These
are the ``FIXED`` layers of an architecture. It also misinterprets some layers: it treats the two
directions of an LSTM as one, and the products of an attention layer as additions. These are
replaced for tracing by a placeholder with the same numbers of input and output channels; their
channels are handled in ``lstm_units.py`` and ``attention_heads.py``. Only the positions are taken
from the graph: the removal is done by ``groups.remove``.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch_pruning as tp
from torch import Tensor, nn

from edgeecg.errors import EdgeECGError
from edgeecg.models import Architecture, PositionEncoding, SelfAttention
from edgeecg.pruning import attention_heads, lstm_units
from edgeecg.pruning.groups import Group, Slice, count_weights

_NORMS = (nn.BatchNorm1d, nn.LayerNorm)


class _Placeholder(nn.Module):
    """Has the input and output channels of a layer, and couples none of them."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.inputs = nn.Linear(inputs, 1)
        self.outputs = nn.Linear(1, outputs)

    def forward(self, x: Tensor) -> Any:
        """Map ``(batch, positions, inputs)`` to ``(batch, positions, outputs)``."""
        return self.outputs(self.inputs(x))


class _LSTMPlaceholder(_Placeholder):
    """Has the channels of an LSTM, and returns its final states as well.

    They are the outputs of the last step, the first one for the backward direction.
    """

    def __init__(self, lstm: nn.LSTM) -> None:
        super().__init__(lstm_units.input_channels(lstm), lstm_units.output_channels(lstm))
        self._steps = 1 if lstm.batch_first else 0
        self._both, self._layers = lstm.bidirectional, lstm.num_layers

    def forward(self, x: Tensor) -> Any:
        """Map ``(batch, positions, inputs)`` to the outputs and the two final states."""
        output: Tensor = super().forward(x)
        ways = output.chunk(2, dim=-1) if self._both else (output,)
        ends = [way.select(self._steps, -1 if i == 0 else 0) for i, way in enumerate(ways)]
        state = torch.stack(ends * self._layers) if self._both else ends[0].unsqueeze(0)
        return output, (state, state)


class Coupling:
    """The dependency graph of one model, which is not changed."""

    def __init__(self, model: nn.Module, architecture: Architecture) -> None:
        """Trace the model.

        Args:
            model: The model, on the CPU.
            architecture: Its architecture: input shape and fixed layers.
        """
        self._model = model
        self._traced = _traceable(model)
        self._fixed = {self._traced.get_submodule(name) for name in architecture.FIXED}
        with torch.enable_grad():
            self._graph = tp.DependencyGraph().build_dependency(
                self._traced,
                example_inputs=torch.zeros(1, *architecture.INPUT_SHAPE),
                verbose=False,
            )
        self._names = {module: name for name, module in self._traced.named_modules()}

    def group(self, root: str) -> Group:
        """Return the output channels of a layer, with everything that must be removed with them.

        Args:
            root: Name of a convolution, a linear layer, an LSTM or an attention layer.

        Raises:
            EdgeECGError: They are connected to a layer that cannot be pruned.
        """
        layer = self._model.get_submodule(root)
        lstm = layer if isinstance(layer, nn.LSTM) else None
        replaced = isinstance(layer, (nn.LSTM, SelfAttention))
        slices: dict[tuple[str, int], Slice] = {}
        producers: dict[str, None] = {}
        if lstm is not None:
            slices |= {(each.tensor, each.dim): each for each in lstm_units.unit_slices(root, lstm)}
        for member, is_output, owner in self._members(f"{root}.outputs" if replaced else root):
            if lstm is not None:
                owner = torch.where(owner < 0, -1, owner + lstm_units.first_output_part(lstm))
            found = self._slices(member, is_output, owner, root)
            slices |= {(each.tensor, each.dim): each for each in found}
            if is_output and not isinstance(self._traced.get_submodule(member), _NORMS):
                producers |= {each.tensor.rpartition(".")[0]: None for each in found}
        if lstm is not None:
            producers = {root: None} | producers
        weights = count_weights(self._model, tuple(producers))
        lanes = 1 if lstm is None else lstm_units.count_lanes(lstm)
        size = self._output_width(root, layer) if lstm is None else lstm.hidden_size
        kind = "channel" if lstm is None else "lstm"
        return Group(kind, root, tuple(producers), size, tuple(slices.values()), weights, lanes)

    def _output_width(self, root: str, layer: nn.Module) -> int:
        if isinstance(layer, SelfAttention):
            return attention_heads.output_channels(layer)
        return len(self._model.get_parameter(f"{root}.weight"))

    def _members(self, root: str) -> list[tuple[str, bool, Tensor]]:
        """Return what is coupled to the outputs of a traced layer.

        Returns:
            For each layer: its name, whether its outputs are coupled (or its inputs), and the
            root's channel that each of these channels belongs to.
        """
        layer = self._traced.get_submodule(root)
        convolution = isinstance(layer, nn.Conv1d)
        prune = tp.prune_conv_out_channels if convolution else tp.prune_linear_out_channels
        channels = len(layer.get_parameter("weight"))
        members: list[tuple[str, bool, Tensor]] = []
        for item in self._graph.get_pruning_group(layer, prune, range(channels)):
            target: object = item.dep.target.module
            is_output = self._graph.is_out_channel_pruning_fn(item.dep.handler)
            if isinstance(target, nn.Parameter):
                raise _cannot_prune("a parameter outside of any known layer", root)
            # Anything that is not a layer of the model stands for an operation, e.g. an addition.
            if target not in self._names or (is_output and target in self._fixed):
                continue
            assert isinstance(target, nn.Module)
            name = self._names[target]
            owner = torch.full((_channels(target, is_output, name, root),), -1)
            if max(item.idxs) >= len(owner):
                raise _cannot_prune(f"'{name}' along another dimension", root)
            owner[torch.tensor(item.idxs)] = torch.tensor(item.root_idxs)
            members.append((name, is_output, owner))
        return members

    def _slices(self, member: str, is_output: bool, owner: Tensor, root: str) -> list[Slice]:
        """Return where the channels of a traced layer are in the model itself."""
        name = member
        if isinstance(self._traced.get_submodule(member.rpartition(".")[0]), _Placeholder):
            name = member.rpartition(".")[0]
        layer = self._model.get_submodule(name)
        if isinstance(layer, nn.LSTM):
            if is_output and name != root:
                raise _cannot_prune(f"the outputs of '{name}', whose units are its own", root)
            return [] if is_output else lstm_units.input_slices(name, layer, owner)
        if isinstance(layer, SelfAttention):
            if is_output:
                return attention_heads.output_slices(name, owner)
            return attention_heads.input_slices(name, owner)
        if isinstance(layer, PositionEncoding):
            return [Slice(f"{name}.table", 2, owner)]
        depthwise = isinstance(layer, nn.Conv1d) and layer.groups > 1
        dim = 0 if is_output or depthwise or isinstance(layer, _NORMS) else 1
        tensors = [*layer.named_parameters(recurse=False), *layer.named_buffers(recurse=False)]
        return [
            Slice(f"{name}.{attribute}", dim, owner)
            for attribute, tensor in tensors
            if tensor.ndim > dim
        ]


def _traceable(model: nn.Module) -> nn.Module:
    """Return a copy that the dependency graph interprets correctly."""
    traced = copy.deepcopy(model)
    for name, layer in model.named_modules():
        if isinstance(layer, nn.LSTM):
            traced.set_submodule(name, _LSTMPlaceholder(layer))
        elif isinstance(layer, SelfAttention):
            inputs = attention_heads.input_channels(layer)
            outputs = attention_heads.output_channels(layer)
            traced.set_submodule(name, _Placeholder(inputs, outputs))
        elif isinstance(layer, PositionEncoding):
            # The graph knows no layer that adds a constant; a norm has as many channels.
            traced.set_submodule(name, nn.LayerNorm(layer.table.shape[2]))
    return traced


def _channels(layer: nn.Module, is_output: bool, name: str, root: str) -> int:
    """Return the number of input or output channels of a traced layer.

    Raises:
        EdgeECGError: It is of a type that cannot be pruned.
    """
    if isinstance(layer, nn.BatchNorm1d):
        return layer.num_features
    supported = isinstance(layer, nn.Conv1d) and layer.groups in (1, layer.out_channels)
    if supported or isinstance(layer, (nn.Linear, nn.LayerNorm)):
        weight = layer.get_parameter("weight")
        depthwise = isinstance(layer, nn.Conv1d) and layer.groups > 1
        return weight.shape[0 if is_output or depthwise or weight.ndim == 1 else 1]
    raise _cannot_prune(f"'{name}'", root)


def _cannot_prune(what: str, root: str) -> EdgeECGError:
    return EdgeECGError(
        "The channels of this model cannot be pruned.",
        f"Those of '{root}' are connected to {what}, where channels cannot be removed.",
        "Set single weights to zero instead: --structure none.",
    )
