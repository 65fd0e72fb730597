"""How a model uses the states of its LSTM layers."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class LSTMStates:
    """The states of one LSTM layer, in all its calls.

    Attributes:
        given: Whether forward() passes initial states to it.
        zero: Whether these are all zero, which is what it starts from without them.
        hidden_used: Whether the logits depend on its final hidden states.
        cell_used: Whether the logits depend on its final cell states.
    """

    given: bool
    zero: bool
    hidden_used: bool
    cell_used: bool


def lstm_states(model: nn.Module, sample_shape: tuple[int, int]) -> dict[str, LSTMStates]:
    """Run a model on a random window and see which states its LSTM layers take and give.

    Args:
        model: Maps ``(batch, leads, samples)`` to logits; not changed.
        sample_shape: ``(leads, samples)``.

    Returns:
        One entry per LSTM layer that is called, by its name in the model.
    """
    trial = copy.deepcopy(model).eval().requires_grad_(True)
    names = {module: name for name, module in trial.named_modules()}
    calls: dict[str, list[tuple[tuple[Tensor, ...], tuple[Tensor, Tensor]]]] = {}

    def record(
        layer: nn.Module, inputs: tuple[Any, ...], named: Mapping[str, Any], output: Any
    ) -> None:
        states = named.get("hx", inputs[1] if len(inputs) > 1 else None)
        calls.setdefault(names[layer], []).append((() if states is None else states, output[1]))

    for module in trial.modules():
        if isinstance(module, nn.LSTM):
            module.register_forward_hook(record, with_kwargs=True)
    x = torch.randn(1, *sample_shape, generator=torch.Generator().manual_seed(0))
    with torch.enable_grad():
        total = trial(x).sum()
        return {name: _states(total, each) for name, each in calls.items()}


def _states(
    total: Tensor, calls: Sequence[tuple[tuple[Tensor, ...], tuple[Tensor, Tensor]]]
) -> LSTMStates:
    given = [state for states, _ in calls for state in states]
    finals = [state for _, states in calls for state in states]
    gradients = torch.autograd.grad(total, finals, retain_graph=True, allow_unused=True)
    # torch's annotation leaves out the None of a tensor that is not used.
    used = [each is not None for each in cast(Sequence[Tensor | None], gradients)]
    return LSTMStates(
        given=bool(given),
        zero=not any(bool(state.any()) for state in given),
        hidden_used=any(used[::2]),
        cell_used=any(used[1::2]),
    )
