"""Whether a custom module can be pruned, checked before anything is trained."""

from __future__ import annotations

import copy

import torch
import torch_pruning as tp
from torch import nn

from edgeecg.errors import EdgeECGError, UsageError
from edgeecg.models import Architecture, count_layers, lstm_states
from edgeecg.pruning.channels import find_groups, prune_channels
from edgeecg.pruning.verification import find_wrong_group, outputs_equal
from edgeecg.schema import CompressionConfig

_SUPPORTED = (nn.Conv1d, nn.Linear, nn.BatchNorm1d, nn.LayerNorm, nn.LSTM)


def check_weights(model: nn.Module, architecture: Architecture) -> None:
    """Check that the weights of all layers can be set to zero.

    Args:
        model: The dense module; not changed.
        architecture: Its architecture.

    Raises:
        UsageError: A layer multiplies by weights that are no parameters, or no layer by any.
    """
    layers = count_layers(model, architecture.INPUT_SHAPE)
    for layer in layers:
        if layer.computed_weights:
            module = model.get_submodule(layer.name)
            raise UsageError(
                f"The weights of {_what(layer.name, module)} cannot be set to zero.",
                "It multiplies by a tensor that it computes from its parameters.",
                "Multiply by the parameters themselves, or use a layer of torch.nn.",
            )
    if not any(layer.weights for layer in layers):
        raise UsageError(
            "The weights of the module cannot be set to zero.",
            "None of its layers multiplies by weights.",
            "Give a module with convolutions, linear or recurrent layers.",
        )


def check_traceable(
    model: nn.Module, architecture: Architecture, config: CompressionConfig
) -> None:
    """Check that channels of a module can be removed.

    From copies with random weights, a third of every group's units is removed, and the outputs are
    compared with those of the dense module with these units silenced. Then a copy is pruned as far
    as the schedule allows and rebuilt from its widths.

    Args:
        model: The dense module; not changed.
        architecture: Its architecture.
        config: Structure and rounding.

    Raises:
        UsageError: It cannot be pruned; names the layer or the type of layer.
    """
    _check_layers(model)
    if not architecture.FIXED:
        raise _not_prunable("", model, "No layer was found whose outputs are the logits.")
    _trace(model, architecture)
    with torch.random.fork_rng(devices=[]):
        _check_groups(model, architecture)
        _check_rebuilt(model, architecture, config)


def _check_layers(model: nn.Module) -> None:
    for name, layer in model.named_modules():
        if list(layer.parameters(recurse=False)) and not isinstance(layer, _SUPPORTED):
            raise _not_prunable(name, layer, "Its parameters are of no known layer type.")
        if isinstance(layer, nn.LSTM) and layer.proj_size:
            raise _not_prunable(name, layer, "It projects its states (proj_size).")
        if isinstance(layer, nn.LayerNorm) and not layer.elementwise_affine:
            raise _not_prunable(name, layer, "It has no weight (elementwise_affine=False).")


def _trace(model: nn.Module, architecture: Architecture) -> None:
    """Build the dependency graph, and check that every layer with weights is in it."""
    traced = copy.deepcopy(model)
    for name, states in lstm_states(model, architecture.INPUT_SHAPE).items():
        if states.given:
            why = "forward() gives it initial states, whose width would have to follow."
            raise _not_prunable(name, model.get_submodule(name), why)
    try:
        example = torch.zeros(1, *architecture.INPUT_SHAPE)
        graph = tp.DependencyGraph().build_dependency(traced, example_inputs=example)
    except Exception as error:  # The module's code and torch-pruning may raise anything.
        why = f"It cannot be traced: {_message(error)}."
        raise _not_prunable("", model, why) from error
    for name, layer in traced.named_modules():
        if isinstance(layer, (nn.Conv1d, nn.Linear)) and layer not in graph.module2node:
            raise _not_prunable(name, layer, "The output does not depend on it.")


def _check_groups(model: nn.Module, architecture: Architecture) -> None:
    """Check that removing units of each group is the same as silencing them."""
    try:
        groups = find_groups(model, architecture)
    except EdgeECGError:
        raise
    except Exception as error:  # The module's code and torch-pruning may raise anything.
        states = lstm_states(model, architecture.INPUT_SHAPE)
        used = [name for name, each in states.items() if each.hidden_used or each.cell_used]
        name, layer = (used[0], model.get_submodule(used[0])) if used else ("", model)
        uses = "The logits depend on its final states, and " if used else ""
        why = f"{uses}finding what depends on them failed: {_message(error)}."
        raise _not_prunable(name, layer, why[0].upper() + why[1:]) from error
    wrong = find_wrong_group(model, groups, architecture.INPUT_SHAPE)
    if wrong is not None:
        root = wrong.group.root
        raise _not_prunable(root, model.get_submodule(root), wrong.reason)


def _check_rebuilt(model: nn.Module, architecture: Architecture, config: CompressionConfig) -> None:
    """Prune a copy as far as the schedule allows, and check that its widths rebuild it."""
    pruned = copy.deepcopy(model).eval()
    by_magnitude = config.model_copy(update={"method": "l1"})
    x = torch.randn(2, *architecture.INPUT_SHAPE)
    try:
        prune_channels(pruned, model, architecture, by_magnitude, 1.0, lambda _: False)
        rebuilt = architecture.build(architecture.widths(pruned))
        rebuilt.load_state_dict(pruned.state_dict())
        equal = outputs_equal(rebuilt, pruned, x)
    except EdgeECGError:
        raise
    except Exception as error:  # The module's code and torch-pruning may raise anything.
        name, layer = _first_difference(model, pruned)
        raise _not_prunable(name, layer, f"After pruning it failed: {_message(error)}.") from error
    if not equal:
        why = "Rebuilt from its widths and weights, the module computes something else."
        raise _not_prunable("", model, why)


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


def _what(name: str, layer: nn.Module) -> str:
    what = f"layer '{name}'" if name else "module"
    return f"the {what} of the type {type(layer).__name__}"


def _not_prunable(name: str, layer: nn.Module, why: str) -> UsageError:
    return UsageError(
        f"The channels of {_what(name, layer)} cannot be pruned.",
        why,
        "Set single weights to zero instead: --structure none.",
    )
