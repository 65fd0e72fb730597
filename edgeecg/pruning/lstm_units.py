"""LSTM units: a unit goes with its rows of all four gates, and with every column that reads it.

PyTorch keeps the gates' rows one below the other (input, forget, cell, output), so that unit u of
an LSTM with h units has the rows u, h + u, 2h + u and 3h + u of ``weight_ih``, ``weight_hh`` and
both biases, and the column u of ``weight_hh``. Each direction of each layer is a lane.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgeecg.pruning.groups import Slice

_GATES = 4


def lanes(layer: nn.LSTM) -> int:
    """Return in how many places the layer has units: its layers times its directions."""
    return layer.num_layers * _directions(layer)


def reads(layer: nn.LSTM) -> int:
    """Return the channels of the input."""
    return layer.input_size


def writes(layer: nn.LSTM) -> int:
    """Return the channels of the output: the units of the last layer, in all directions."""
    return layer.hidden_size * _directions(layer)


def read(name: str, layer: nn.LSTM, owner: Tensor) -> list[Slice]:
    """Return where the input's channels lie: the columns of the first layer's ``weight_ih``."""
    return [Slice(f"{name}.weight_ih_l0{way}", 1, owner) for way in _ways(layer)]


def units(name: str, layer: nn.LSTM) -> list[Slice]:
    """Return where the units lie in the LSTM itself."""
    hidden, found = layer.hidden_size, list[Slice]()
    for depth in range(layer.num_layers):
        first = depth * writes(layer)
        for lane, way in enumerate(_ways(layer)):
            own = first + lane * hidden + torch.arange(hidden)
            end = f"_l{depth}{way}"
            rows = own.repeat(_GATES)
            found += [Slice(f"{name}.weight_{kind}{end}", 0, rows) for kind in ("ih", "hh")]
            if layer.bias:
                found += [Slice(f"{name}.bias_{kind}{end}", 0, rows) for kind in ("ih", "hh")]
            found.append(Slice(f"{name}.weight_hh{end}", 1, own))
            if depth:
                below = first - writes(layer) + torch.arange(writes(layer))
                found.append(Slice(f"{name}.weight_ih{end}", 1, below))
    return found


def shown(layer: nn.LSTM) -> int:
    """Return the number of the part that is the output's first channel."""
    return (layer.num_layers - 1) * writes(layer)


def _directions(layer: nn.LSTM) -> int:
    return 2 if layer.bidirectional else 1


def _ways(layer: nn.LSTM) -> tuple[str, ...]:
    return ("", "_reverse") if layer.bidirectional else ("",)
