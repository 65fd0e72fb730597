"""LSTM units as units that can be removed.

Removing a unit removes its rows of all four gates, and every column that takes its output. PyTorch
stacks the gates' rows (input, forget, cell, output), so that unit u of an LSTM with h units has the
rows u, h + u, 2h + u and 3h + u of ``weight_ih``, ``weight_hh`` and both biases, and the column u
of ``weight_hh``. Each direction of each layer is a lane (see ``groups.py``).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgeecg.pruning.groups import Slice

_GATES = 4


def count_lanes(layer: nn.LSTM) -> int:
    """Return the number of lanes: layers times directions."""
    return layer.num_layers * _directions(layer)


def input_channels(layer: nn.LSTM) -> int:
    """Return the number of channels of the input."""
    return layer.input_size


def output_channels(layer: nn.LSTM) -> int:
    """Return the number of channels of the output: the last layer's units in all directions."""
    return layer.hidden_size * _directions(layer)


def input_slices(name: str, layer: nn.LSTM, owner: Tensor) -> list[Slice]:
    """Return where the input's channels are: the columns of the first layer's ``weight_ih``."""
    return [Slice(f"{name}.weight_ih_l0{suffix}", 1, owner) for suffix in _suffixes(layer)]


def unit_slices(name: str, layer: nn.LSTM) -> list[Slice]:
    """Return where the units are in the tensors of the LSTM itself."""
    hidden, slices = layer.hidden_size, list[Slice]()
    for depth in range(layer.num_layers):
        first = depth * output_channels(layer)
        for lane, suffix in enumerate(_suffixes(layer)):
            units = first + lane * hidden + torch.arange(hidden)
            end = f"_l{depth}{suffix}"
            rows = units.repeat(_GATES)
            slices += [Slice(f"{name}.weight_{kind}{end}", 0, rows) for kind in ("ih", "hh")]
            if layer.bias:
                slices += [Slice(f"{name}.bias_{kind}{end}", 0, rows) for kind in ("ih", "hh")]
            slices.append(Slice(f"{name}.weight_hh{end}", 1, units))
            if depth:
                below = first - output_channels(layer) + torch.arange(output_channels(layer))
                slices.append(Slice(f"{name}.weight_ih{end}", 1, below))
    return slices


def first_output_part(layer: nn.LSTM) -> int:
    """Return the number of the part that is the output's first channel."""
    return (layer.num_layers - 1) * output_channels(layer)


def _directions(layer: nn.LSTM) -> int:
    return 2 if layer.bidirectional else 1


def _suffixes(layer: nn.LSTM) -> tuple[str, ...]:
    return ("", "_reverse") if layer.bidirectional else ("",)
