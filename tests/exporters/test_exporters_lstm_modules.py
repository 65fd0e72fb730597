"""LSTM layers as modules of other people use them: exported, and equal to PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgeecg import resources, runtimes
from edgeecg.costs.counting import count
from edgeecg.exporters import exporter, quiet

SHAPE = (2, 16)


class Net(nn.Module):
    """A convolution, an LSTM layer and a head."""

    def __init__(self, bidirectional: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv1d(2, 4, 3, padding=1)
        self.lstm = nn.LSTM(4, 4, batch_first=True, bidirectional=bidirectional)
        self.head = nn.Linear(8 if bidirectional else 4, 3)

    def features(self, x: Tensor) -> Tensor:
        return self.stem(x).transpose(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(self.features(x))[0].mean(dim=1))


class Flattened(Net):
    def forward(self, x: Tensor) -> Tensor:
        self.lstm.flatten_parameters()
        return super().forward(x)


class ZeroStates(Net):
    def forward(self, x: Tensor) -> Tensor:
        zeros = torch.zeros(self.lstm.num_layers, x.shape[0], self.lstm.hidden_size)
        return self.head(self.lstm(self.features(x), hx=(zeros, zeros))[0].mean(dim=1))


class ByName(Net):
    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(input=self.features(x))[0].mean(dim=1))


class CalledTwice(Net):
    def forward(self, x: Tensor) -> Tensor:
        first = self.lstm(self.features(x))[0]
        return self.head(self.lstm(torch.relu(first))[0].mean(dim=1))


class OneUnused(Net):
    """Has an LSTM layer that it does not call, of a kind that the operation cannot express."""

    def __init__(self) -> None:
        super().__init__()
        self.spare = nn.LSTM(4, 4, num_layers=2)


class OwnFlip(Net):
    """Reads an LSTM layer's outputs in both orders, and in another layout."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.lstm(self.features(x))[0]
        both = torch.cat([y.flip(1).transpose(1, 2), y.transpose(1, 2)], dim=2)
        return self.head(both.mean(dim=2))


class FlipBetween(Net):
    """Two LSTM layers in both directions, the second one on reversed outputs."""

    def __init__(self) -> None:
        super().__init__(bidirectional=True)
        self.second = nn.LSTM(8, 4, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.lstm(self.features(x))[0].flip(1)
        return self.head(self.second(y)[0].mean(dim=1))


def windows(count: int, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(count, *SHAPE)).astype(np.float32)


def difference(content: bytes, model: nn.Module, folder: Path) -> float:
    """Return the largest difference to PyTorch, relative to the largest output."""
    path = folder / "net.tflite"
    path.write_bytes(content)
    session, x = runtimes.for_file(path).load(path), windows(6, 1)
    with torch.no_grad():
        expected = model(torch.from_numpy(x)).numpy()
    found = np.concatenate([session.run(window[np.newaxis]) for window in x])
    return float(np.abs(found - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize(
    "kind", [Flattened, ZeroStates, ByName, CalledTwice, OneUnused, OwnFlip, FlipBetween]
)
def test_an_lstm_layer_is_used_as_torch_allows(kind: type[Net], tmp_path: Path) -> None:
    model = kind().eval()
    with quiet():
        converted = exporter("tflite").to_float32(model, SHAPE)
        int8 = exporter("tflite").write(
            converted, resources.load_target("tflite-int8"), windows(16, 0)
        )
    assert difference(converted.content, model, tmp_path) < 1e-5
    assert difference(int8, model, tmp_path) < 0.1


def test_a_layer_with_the_name_of_its_python_file_keeps_no_other_in_float32(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As a class of lstm.py has it: the converter's names begin with the file.
    monkeypatch.setattr(Net, "__module__", "lstm")
    with quiet():
        converted = exporter("tflite").to_float32(Net().eval(), SHAPE)
        int8 = exporter("tflite").write(
            converted, resources.load_target("tflite-int8"), windows(16, 0)
        )
    path = tmp_path / "net.tflite"
    path.write_bytes(int8)
    types = {layer.op: layer.dtype for layer in count(path) if layer.macs}
    assert types["CONV_2D"] == "int8"
    assert types["FULLY_CONNECTED"] == "int8"
