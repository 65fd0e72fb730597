"""Whether the channels of a user's own module can be cut, found out before anything is trained."""

from __future__ import annotations

import copy

import torch
import torch_pruning as tp
from torch import nn

from edgeecg.errors import EdgeECGError, UsageError
from edgeecg.models import Architecture
from edgeecg.pruning.channels import prune_channels
from edgeecg.schema import CompressionConfig

_CUTTABLE = (nn.Conv1d, nn.Linear, nn.BatchNorm1d, nn.LayerNorm, nn.LSTM)


def check_traceable(
    model: nn.Module, architecture: Architecture, config: CompressionConfig
) -> None:
    """Cut a copy of an own module, run it, and rebuild it from its widths.

    Args:
        model: The dense module; not changed.
        architecture: Its architecture.
        config: Structure and rounding.

    Raises:
        UsageError: It cannot be cut; names the layer or the kind of layer.
    """
    for name, layer in model.named_modules():
        if list(layer.parameters(recurse=False)) and not isinstance(layer, _CUTTABLE):
            raise _uncuttable(name, layer, "Weights of this kind are not followed through cuts.")
    if not architecture.FIXED:
        raise _uncuttable("", model, "No layer was found whose outputs are the logits.")
    _trace(model, architecture)
    cut = copy.deepcopy(model)
    try:
        anyhow = config.model_copy(update={"method": "l1"})
        prune_channels(cut, model, architecture, anyhow, 1.0, lambda _: False)
        with torch.no_grad():
            cut(torch.zeros(2, *architecture.INPUT_SHAPE))
        architecture.build(architecture.widths(cut)).load_state_dict(cut.state_dict())
    except EdgeECGError:
        raise
    except Exception as error:  # The module's own code, and the graph's, may raise anything.
        name, layer = _first_that_differs(model, cut)
        raise _uncuttable(name, layer, f"After a cut it failed: {_said(error)}.") from error


def _trace(model: nn.Module, architecture: Architecture) -> None:
    """Build the dependency graph, and find every layer with weights in it."""
    traced = copy.deepcopy(model)
    try:
        example = torch.zeros(1, *architecture.INPUT_SHAPE)
        graph = tp.DependencyGraph().build_dependency(traced, example_inputs=example)
    except Exception as error:  # The module's own code, and the graph's, may raise anything.
        why = f"It cannot be traced: {_said(error)}."
        raise _uncuttable("", model, why) from error
    for name, layer in traced.named_modules():
        if isinstance(layer, (nn.Conv1d, nn.Linear)) and layer not in graph.module2node:
            raise _uncuttable(name, layer, "It takes no part in the output.")


def _first_that_differs(model: nn.Module, cut: nn.Module) -> tuple[str, nn.Module]:
    """Return the first layer that was cut, else the whole."""
    smaller = dict(cut.named_modules())
    for name, layer in model.named_modules():
        own = [p.shape for p in layer.parameters(recurse=False)]
        if own and own != [p.shape for p in smaller[name].parameters(recurse=False)]:
            return name, layer
    return next(iter(model.named_modules()))


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _uncuttable(name: str, layer: nn.Module, why: str) -> UsageError:
    what = f"layer '{name}'" if name else "module"
    return UsageError(
        f"The channels of the {what} of the kind {type(layer).__name__} cannot be cut.",
        why,
        "Zero single weights instead: --structure none works for every module.",
    )
