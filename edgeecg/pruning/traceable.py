"""Whether the channels of a custom module can be pruned, checked before anything is trained."""

from __future__ import annotations

import copy

import torch
import torch_pruning as tp
from torch import nn

from edgeecg.errors import EdgeECGError, UsageError
from edgeecg.models import Architecture
from edgeecg.pruning.channels import prune_channels
from edgeecg.schema import CompressionConfig

_SUPPORTED = (nn.Conv1d, nn.Linear, nn.BatchNorm1d, nn.LayerNorm, nn.LSTM)


def check_traceable(
    model: nn.Module, architecture: Architecture, config: CompressionConfig
) -> None:
    """Prune a copy of a custom module, run it, and rebuild it from its widths.

    Args:
        model: The dense module; not changed.
        architecture: Its architecture.
        config: Structure and rounding.

    Raises:
        UsageError: It cannot be pruned; names the layer or the type of layer.
    """
    for name, layer in model.named_modules():
        if list(layer.parameters(recurse=False)) and not isinstance(layer, _SUPPORTED):
            raise _not_prunable(name, layer, "Its parameters are of no known layer type.")
    if not architecture.FIXED:
        raise _not_prunable("", model, "No layer was found whose outputs are the logits.")
    _trace(model, architecture)
    pruned = copy.deepcopy(model)
    try:
        by_magnitude = config.model_copy(update={"method": "l1"})
        prune_channels(pruned, model, architecture, by_magnitude, 1.0, lambda _: False)
        with torch.no_grad():
            pruned(torch.zeros(2, *architecture.INPUT_SHAPE))
        architecture.build(architecture.widths(pruned)).load_state_dict(pruned.state_dict())
    except EdgeECGError:
        raise
    except Exception as error:  # The module's code and torch-pruning may raise anything.
        name, layer = _first_difference(model, pruned)
        raise _not_prunable(name, layer, f"After pruning it failed: {_message(error)}.") from error


def _trace(model: nn.Module, architecture: Architecture) -> None:
    """Build the dependency graph, and check that every layer with weights is in it."""
    traced = copy.deepcopy(model)
    try:
        example = torch.zeros(1, *architecture.INPUT_SHAPE)
        graph = tp.DependencyGraph().build_dependency(traced, example_inputs=example)
    except Exception as error:  # The module's code and torch-pruning may raise anything.
        why = f"It cannot be traced: {_message(error)}."
        raise _not_prunable("", model, why) from error
    for name, layer in traced.named_modules():
        if isinstance(layer, (nn.Conv1d, nn.Linear)) and layer not in graph.module2node:
            raise _not_prunable(name, layer, "The output does not depend on it.")


def _first_difference(model: nn.Module, pruned: nn.Module) -> tuple[str, nn.Module]:
    """Return the first layer that was pruned, else the whole module."""
    smaller = dict(pruned.named_modules())
    for name, layer in model.named_modules():
        shapes = [p.shape for p in layer.parameters(recurse=False)]
        if shapes and shapes != [p.shape for p in smaller[name].parameters(recurse=False)]:
            return name, layer
    return next(iter(model.named_modules()))


def _message(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _not_prunable(name: str, layer: nn.Module, why: str) -> UsageError:
    what = f"layer '{name}'" if name else "module"
    return UsageError(
        f"The channels of the {what} of the type {type(layer).__name__} cannot be pruned.",
        why,
        "Set single weights to zero instead: --structure none works for every module.",
    )
