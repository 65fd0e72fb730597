"""Which channels belong together: traced by torch-pruning's dependency graph.

The graph follows channels through residual additions, norms, flattening and concatenation. It
cannot know which layers have an output width that is fixed by what it means: the classifier's
classes, and attention scores, which are one per position and broadcast over all channels. These
are the models' ``FIXED`` layers. And it misreads some layers: it takes an LSTM's two directions for
one, and an attention layer's products for additions. These are traced with a stand-in in their
place that reads and writes as many channels; what channels mean inside them is said in files of
their own. From the graph only the positions are taken: the cutting is done by ``groups.remove``.
"""

from __future__ import annotations

import copy

import torch
import torch_pruning as tp
from torch import Tensor, nn

from edgeecg.errors import EdgeECGError
from edgeecg.models import Architecture
from edgeecg.models._attention import PositionEncoding, SelfAttention
from edgeecg.pruning import attention_heads, lstm_units
from edgeecg.pruning.groups import Group, Slice, matrices_of

_NORMS = (nn.BatchNorm1d, nn.LayerNorm)


class _StandIn(nn.Module):
    """Reads and writes as many channels as an LSTM or attention layer, and ties none of them."""

    def __init__(self, reads: int, writes: int, states: bool) -> None:
        super().__init__()
        self.reads = nn.Linear(reads, 1)
        self.writes = nn.Linear(1, writes)
        self._states = states

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, None]:
        """Map ``(batch, positions, reads)`` to ``(batch, positions, writes)``."""
        written = self.writes(self.reads(x))
        return (written, None) if self._states else written


class Coupling:
    """The traced graph of one model, which is left as it is."""

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
        """Return the channels that a layer produces, with everything that must go with them.

        Args:
            root: Name of a convolution, a linear layer, an LSTM or an attention layer.

        Raises:
            EdgeECGError: They reach a layer that cannot be cut.
        """
        layer = self._model.get_submodule(root)
        lstm = layer if isinstance(layer, nn.LSTM) else None
        inside = isinstance(layer, (nn.LSTM, SelfAttention))
        found: dict[tuple[str, int], Slice] = {}
        producers: dict[str, None] = {}
        if lstm is not None:
            found |= {(each.tensor, each.dim): each for each in lstm_units.units(root, lstm)}
        for member, out, owner in self._members(f"{root}.writes" if inside else root):
            if lstm is not None:
                owner = torch.where(owner < 0, -1, owner + lstm_units.shown(lstm))
            slices = self._slices(member, out, owner, root)
            found |= {(each.tensor, each.dim): each for each in slices}
            if out and not isinstance(self._traced.get_submodule(member), _NORMS):
                producers |= {each.tensor.rpartition(".")[0]: None for each in slices}
        if lstm is not None:
            producers = {root: None} | producers
        weights = matrices_of(self._model, tuple(producers))
        lanes = 1 if lstm is None else lstm_units.lanes(lstm)
        size = self._width(root, layer) if lstm is None else lstm.hidden_size
        kind = "channel" if lstm is None else "lstm"
        return Group(kind, root, tuple(producers), size, tuple(found.values()), weights, lanes)

    def _width(self, root: str, layer: nn.Module) -> int:
        if isinstance(layer, SelfAttention):
            return attention_heads.writes(layer)
        return len(self._model.get_parameter(f"{root}.weight"))

    def _members(self, root: str) -> list[tuple[str, bool, Tensor]]:
        """Trace what goes with the outputs of a traced layer.

        Returns:
            Of each layer: its name, whether what it writes is meant (or what it reads), and the
            root's channel that each of these channels belongs to.
        """
        layer = self._traced.get_submodule(root)
        convolution = isinstance(layer, nn.Conv1d)
        prune = tp.prune_conv_out_channels if convolution else tp.prune_linear_out_channels
        channels = len(layer.get_parameter("weight"))
        members: list[tuple[str, bool, Tensor]] = []
        for item in self._graph.get_pruning_group(layer, prune, range(channels)):
            target: object = item.dep.target.module
            out = self._graph.is_out_channel_pruning_fn(item.dep.handler)
            if isinstance(target, nn.Parameter):
                raise _uncuttable("a parameter that is in no layer", root)
            # What is no layer of the model stands for an operation, such as an addition.
            if target not in self._names or (out and target in self._fixed):
                continue
            assert isinstance(target, nn.Module)
            name = self._names[target]
            owner = torch.full((_channels(target, out, name, root),), -1)
            owner[torch.tensor(item.idxs)] = torch.tensor(item.root_idxs)
            members.append((name, out, owner))
        return members

    def _slices(self, member: str, out: bool, owner: Tensor, root: str) -> list[Slice]:
        """Return where the channels of a traced layer lie in the model itself."""
        name = member
        if isinstance(self._traced.get_submodule(member.rpartition(".")[0]), _StandIn):
            name = member.rpartition(".")[0]
        layer = self._model.get_submodule(name)
        if isinstance(layer, nn.LSTM):
            if out and name != root:
                raise _uncuttable(f"'{name}', whose two directions are cut apart", root)
            return [] if out else lstm_units.read(name, layer, owner)
        if isinstance(layer, SelfAttention):
            at = attention_heads.written if out else attention_heads.read
            return at(name, owner)
        if isinstance(layer, PositionEncoding):
            return [Slice(f"{name}.table", 2, owner)]
        depthwise = isinstance(layer, nn.Conv1d) and layer.groups > 1
        dim = 0 if out or depthwise or isinstance(layer, _NORMS) else 1
        tensors = [*layer.named_parameters(recurse=False), *layer.named_buffers(recurse=False)]
        return [Slice(f"{name}.{own}", dim, owner) for own, tensor in tensors if tensor.ndim > dim]


def _traceable(model: nn.Module) -> nn.Module:
    """Return a copy that the graph reads rightly."""
    traced = copy.deepcopy(model)
    for name, layer in model.named_modules():
        if isinstance(layer, nn.LSTM):
            reads, writes = lstm_units.reads(layer), lstm_units.writes(layer)
            traced.set_submodule(name, _StandIn(reads, writes, states=True))
        elif isinstance(layer, SelfAttention):
            reads, writes = attention_heads.reads(layer), attention_heads.writes(layer)
            traced.set_submodule(name, _StandIn(reads, writes, states=False))
        elif isinstance(layer, PositionEncoding):
            # What is added is no layer to the graph; a norm is, and has as many channels.
            traced.set_submodule(name, nn.LayerNorm(layer.table.shape[2]))
    return traced


def _channels(layer: nn.Module, out: bool, name: str, root: str) -> int:
    """Return how many channels a traced layer reads or writes.

    Raises:
        EdgeECGError: It is of no kind that can be cut.
    """
    if isinstance(layer, nn.BatchNorm1d):
        return layer.num_features
    plain = isinstance(layer, nn.Conv1d) and layer.groups in (1, layer.out_channels)
    if plain or isinstance(layer, (nn.Linear, nn.LayerNorm)):
        weight = layer.get_parameter("weight")
        depthwise = isinstance(layer, nn.Conv1d) and layer.groups > 1
        return weight.shape[0 if out or depthwise or weight.ndim == 1 else 1]
    raise _uncuttable(f"'{name}'", root)


def _uncuttable(what: str, root: str) -> EdgeECGError:
    return EdgeECGError(
        "The channels of this model cannot be cut.",
        f"Those of '{root}' reach {what}, and channels there cannot be removed.",
        "Zero single weights instead: --structure none.",
    )
