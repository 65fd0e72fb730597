"""Small modules as a user might write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Custom(nn.Module):
    """A module whose forward() is a function of its layers and the windows."""

    first: Any
    stem: Any
    lstm: Any
    mixer: Any
    norm: Any
    inner: Any
    head: Any
    weight: Any
    offset: Any

    def __init__(
        self, compute: Callable[[Custom, Tensor], Tensor], **layers: nn.Module | nn.Parameter
    ) -> None:
        super().__init__()
        self.compute = compute
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x: Tensor) -> Tensor:
        return self.compute(self, x)


def stem() -> nn.Conv1d:
    """Return a convolution from (1, 256) to (8, 32): 8 * 8 weights at 32 positions."""
    return nn.Conv1d(1, 8, 8, stride=8)


def sequence(model: Custom, x: Tensor) -> Tensor:
    """Return the outputs of the stem as ``(batch, 32 steps, 8)``."""
    return F.relu(model.stem(x)).transpose(1, 2)


def last_state_of_lstm() -> Custom:
    """Use the final hidden state of an LSTM instead of its outputs."""
    return Custom(
        lambda m, x: m.head(m.lstm(sequence(m, x))[1][0][-1]),
        stem=stem(),
        lstm=nn.LSTM(8, 12, batch_first=True),
        head=nn.Linear(12, 3),
    )


def given_states_of_lstm(value: float = 0.0) -> Custom:
    """Start an LSTM from states of one value."""

    def compute(model: Custom, x: Tensor) -> Tensor:
        state = torch.full((1, len(x), 12), value)
        return model.head(model.lstm(sequence(model, x), (state, state.clone()))[0][:, -1])

    lstm, head = nn.LSTM(8, 12, batch_first=True), nn.Linear(12, 3)
    return Custom(compute, stem=stem(), lstm=lstm, head=head)


def padded_shortcut() -> Custom:
    """Add the input of a convolution to its outputs, 4 channels further down."""

    def compute(model: Custom, x: Tensor) -> Tensor:
        y = F.relu(model.stem(x))
        shortcut = F.pad(y.transpose(1, 2), (4, 4)).transpose(1, 2)
        return model.head(F.relu(model.inner(y) + shortcut).mean(2))

    inner, head = nn.Conv1d(8, 16, 5, padding=2), nn.Linear(16, 3)
    return Custom(compute, stem=stem(), inner=inner, head=head)


def concatenated() -> Custom:
    """Give a convolution every channel of the stem twice."""

    def compute(model: Custom, x: Tensor) -> Tensor:
        y = F.relu(model.stem(x))
        return model.head(F.relu(model.inner(torch.cat([y, y], 1))).mean(2))

    inner, head = nn.Conv1d(16, 16, 5, padding=2), nn.Linear(16, 3)
    return Custom(compute, stem=stem(), inner=inner, head=head)


def shuffled() -> Custom:
    """Shuffle the channels of the stem in two groups of four."""

    def compute(model: Custom, x: Tensor) -> Tensor:
        y = F.relu(model.stem(x))
        y = y.unflatten(1, (2, -1)).transpose(1, 2).flatten(1, 2)
        return model.head(F.relu(model.inner(y)).mean(2))

    inner, head = nn.Conv1d(8, 16, 5, padding=2), nn.Linear(16, 3)
    return Custom(compute, stem=stem(), inner=inner, head=head)


def mean_over_channels() -> Custom:
    """Take the mean over the channels, which depends on how many there are."""

    def compute(model: Custom, x: Tensor) -> Tensor:
        return model.head(F.relu(model.inner(F.relu(model.stem(x)))).mean(1))

    return Custom(compute, stem=stem(), inner=nn.Conv1d(8, 16, 1), head=nn.Linear(32, 3))


def norm_behind_linear() -> nn.Module:
    """Apply a linear layer along time, then a batch norm over the channels, 16 of each."""

    def compute(model: Custom, x: Tensor) -> Tensor:
        y = F.relu(model.norm(model.mixer(F.relu(model.first(x)))))
        return model.head(F.relu(model.inner(y)).mean(2))

    return with_statistics(
        Custom(
            compute,
            first=nn.Conv1d(1, 16, 16, stride=16),
            mixer=nn.Linear(16, 16),
            norm=nn.BatchNorm1d(16),
            inner=nn.Conv1d(16, 12, 3),
            head=nn.Linear(12, 3),
        )
    )


def norm_called_twice() -> nn.Module:
    """Call a convolution and its batch norm twice."""

    def compute(model: Custom, x: Tensor) -> Tensor:
        y = model.stem(x)
        for _ in range(2):
            y = F.relu(model.norm(model.inner(y)))
        return model.head(y.mean(2))

    inner = nn.Conv1d(8, 8, 3, padding=1)
    return with_statistics(
        Custom(compute, stem=stem(), inner=inner, norm=nn.BatchNorm1d(8), head=nn.Linear(8, 3))
    )


def branch_on_the_shape() -> nn.Module:
    """Check the shape of the windows, which torch.fx cannot trace."""

    def compute(model: Custom, x: Tensor) -> Tensor:
        assert x.shape[1] == 1
        y = model.norm(model.stem(2 * x if x.shape[2] > 10 else x))
        return model.head(F.relu(y).mean(2))

    return with_statistics(
        Custom(compute, stem=stem(), norm=nn.BatchNorm1d(8), head=nn.Linear(8, 3))
    )


def with_statistics(model: nn.Module) -> nn.Module:
    """Return a module in evaluation mode in which no batch norm does nothing."""
    torch.manual_seed(3)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d):
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.uniform_(-0.3, 0.3)
                module.running_var.uniform_(0.2, 3.0)
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.5, 0.5)
    return model.eval()
