"""Checks that a custom module can be trained, saved and copied, before anything is done with it."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.utils import parametrize

from edgeecg.errors import UsageError

_LAYERS = (
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
    *(nn.Linear, nn.Bilinear, nn.RNNBase, nn.RNNCellBase, nn.MultiheadAttention, nn.Embedding),
)
_WEIGHTS = "weight", "weight_ih", "weight_hh", "weight_ih_l0", "weight_hh_l0", "in_proj_weight"
_TOLERANCE = 1e-3


def check_supported(name: str, model: nn.Module, sample_shape: tuple[int, int]) -> None:
    """Refuse a module that could not be trained, copied or saved.

    Args:
        name: What the module is called.
        model: As the user's function returned it; not changed.
        sample_shape: ``(leads, samples)`` of its windows.

    Raises:
        UsageError: It cannot be used; names the layer.
    """
    _check_scripted(name, model)
    _check_weights(name, model)
    _check_state(name, model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        _check_run(name, model, sample_shape)


def _check_scripted(name: str, model: nn.Module) -> None:
    for layer, module in model.named_modules():
        compiled = hasattr(module, "_orig_mod")
        if isinstance(module, torch.jit.ScriptModule) or compiled:
            function = "torch.compile" if compiled else "torch.jit"
            raise UsageError(
                f"{_what(name, layer)} cannot be used.",
                f"It was compiled by {function}, and compiled layers cannot be pruned.",
                "Let the function return the module itself, and compile it where it is used.",
            )


def _check_weights(name: str, model: nn.Module) -> None:
    for layer, module in model.named_modules():
        if parametrize.is_parametrized(module) or _has_computed_weight(module):
            raise UsageError(
                f"{_what(name, layer)} cannot be used.",
                "Its weight is computed from other parameters at every call, by weight_norm, "
                "spectral_norm, torch.nn.utils.prune or a parametrization.",
                "Make the weight a parameter again, by torch.nn.utils.parametrize."
                "remove_parametrizations or the remove function that belongs to it.",
            )


def _has_computed_weight(module: nn.Module) -> bool:
    if not isinstance(module, _LAYERS):
        return False
    values: list[object] = [getattr(module, attribute, None) for attribute in _WEIGHTS]
    return any(isinstance(each, Tensor) and not isinstance(each, nn.Parameter) for each in values)


def _check_state(name: str, model: nn.Module) -> None:
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise UsageError(
            f"The module '{name}' cannot be trained.",
            "It has no parameters that require gradients.",
            "Let the function return a module with trainable layers.",
        )
    for first, second in _shared(model):
        raise UsageError(
            f"{_what(name, second)} cannot be used.",
            f"It shares the tensor '{first}' with another layer, and what is removed from one "
            "would be missing in the other.",
            "Give each layer its parameters, or call one layer twice in forward().",
        )
    for key, tensor in model.state_dict().items():
        if not isinstance(tensor, Tensor) or not tensor.is_contiguous():
            raise UsageError(
                f"{_what(name, key.rpartition('.')[0])} cannot be saved.",
                f"Its '{key}' is no contiguous tensor.",
                "Make it contiguous: tensor.contiguous().",
            )
    try:
        copy.deepcopy(model)
        save(model.state_dict())
    except Exception as error:  # Parts of the user's module may raise anything.
        raise UsageError(
            f"The module '{name}' cannot be copied and saved.",
            f"It raised {_message(error)}.",
            "Keep only modules, parameters and buffers in the module.",
        ) from error


def _shared(model: nn.Module) -> Iterator[tuple[str, str]]:
    """Yield the name of each tensor that occurs again, and the layer in which it does."""
    owners: dict[int, str] = {}
    for key, tensor in model.state_dict().items():
        if not isinstance(tensor, Tensor) or not tensor.numel():
            continue
        pointer = tensor.untyped_storage().data_ptr()
        if pointer in owners:
            yield owners[pointer], key.rpartition(".")[0]
        owners.setdefault(pointer, key)


def _check_run(name: str, model: nn.Module, sample_shape: tuple[int, int]) -> None:
    """Run a copy on batches of different sizes, and train it for one step."""
    trial = copy.deepcopy(model).eval()
    windows = torch.randn(3, *sample_shape)
    try:
        with torch.no_grad():
            together, again = trial(windows), trial(windows)
            single = torch.cat([trial(windows[i : i + 1]) for i in range(len(windows))])
        trial.train()
        trial(windows).square().sum().backward()
    except Exception as error:  # The user's code may raise anything.
        raise UsageError(
            f"The module '{name}' cannot be trained.",
            f"On batches of 1 and 3 windows it raised {_message(error)}.",
            "Correct forward(), so that it takes batches of any size.",
        ) from error
    if not torch.isfinite(together).all():
        raise UsageError(
            f"The module '{name}' cannot be trained.",
            "Its logits for random windows are not finite numbers.",
            "Correct forward(), e.g. a logarithm or root of negative values.",
        )
    if not _close(together, again):
        raise UsageError(
            f"The module '{name}' cannot be used.",
            "In evaluation mode it gives different logits for the same window.",
            "Let random operations depend on self.training.",
        )
    if not _close(together, single):
        raise UsageError(
            f"The module '{name}' cannot be used.",
            "The logits of a window depend on the other windows of its batch.",
            "Check the order of the dimensions, e.g. batch_first of recurrent layers.",
        )


def _close(one: Tensor, other: Tensor) -> bool:
    largest = float(other.abs().max())
    return torch.allclose(one, other, rtol=0, atol=_TOLERANCE * largest)


def _what(name: str, layer: str) -> str:
    return f"The layer '{layer}' of the module '{name}'" if layer else f"The module '{name}'"


def _message(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
