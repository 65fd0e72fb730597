"""LSTM layers of a TFLite file: one UNIDIRECTIONAL_SEQUENCE_LSTM per direction.

The converter would unroll them, to 16,000 operations for 256 steps. Each LSTM layer is therefore
replaced by a composite operation before the conversion (:func:`replace_lstms`), and the composite
by the LSTM operation of the runtime afterwards (:func:`restore_lstms`).

That operation keeps its state from one call to the next, so that a window would depend on the one
before it. Each sequence therefore starts with a step that clears the state: an additional input is
1 on this step and 0 on all others, and its weights are so negative that the input, forget and
output gates are exactly 0, which sets cell and output to 0, at the cost of one step and one input.
Any program can run the file, with one exception: 0 times NaN is NaN, so that a window with a NaN
leaves the state NaN until the program resets the variables, as :mod:`edgeecg.runtimes.litert` does
for every window.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from ai_edge_litert import schema_py_generated as schema
from litert_torch.hlfb import StableHLOCompositeBuilder
from numpy.typing import NDArray
from torch import Tensor, nn

from edgeecg.errors import ExportError
from edgeecg.models import LSTMStates, lstm_states

_COMPOSITE = "edgeecg.lstm."
_CLOSED_GATE = -1e4
_GATES = 4
_OPTIONAL = -1
_MOST_OLD_CODE = 127


class _Placeholder(nn.Module):
    """Replaces an LSTM layer during the conversion: the same shapes, no recurrence.

    It has what the code around an LSTM layer may ask it for.
    """

    def __init__(self, name: str, layer: nn.LSTM) -> None:
        super().__init__()
        self.name = name
        self.input_size, self.hidden_size = layer.input_size, layer.hidden_size
        self.num_layers, self.proj_size = layer.num_layers, layer.proj_size
        self.bias, self.batch_first = layer.bias, layer.batch_first
        self.dropout, self.bidirectional = layer.dropout, layer.bidirectional

    def flatten_parameters(self) -> None:
        """Do nothing: there are no parameters."""

    def forward(
        self,
        input: Tensor,
        hx: Any = None,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Map ``(batch, steps, inputs)`` to ``(batch, steps, directions * hidden)``.

        The final hidden states are the outputs of the last step, of the first one in the backward
        direction. Nothing uses the cell states, which take their place in the result.
        """
        composite: Any = StableHLOCompositeBuilder(name=_COMPOSITE + self.name)
        width = self.hidden_size * (2 if self.bidirectional else 1)
        mixed = composite.mark_inputs(input).mean(dim=2, keepdim=True).expand(-1, -1, width)
        y: Tensor = composite.mark_outputs(mixed)
        last = y[:, -1, : self.hidden_size]
        ends = [last, y[:, 0, self.hidden_size :]] if self.bidirectional else [last]
        hidden = torch.stack(ends)
        return y, (hidden, hidden)


def replace_lstms(
    model: nn.Module, sample_shape: tuple[int, int]
) -> tuple[nn.Module, dict[str, nn.LSTM]]:
    """Return a copy without the LSTM layers that are called, and these layers by their name.

    Args:
        model: Not changed; returned itself when it calls no LSTM layer.
        sample_shape: ``(leads, samples)`` of a window.

    Raises:
        ExportError: A layer is stacked, projected, without bias, or not batch-first; it starts from
            other states than zero, or its final cell states are used.
    """
    called = lstm_states(model, sample_shape)
    layers = {
        name: part
        for name, part in model.named_modules()
        if isinstance(part, nn.LSTM) and name in called
    }
    for name, layer in layers.items():
        if layer.num_layers > 1 or layer.proj_size or not layer.bias or not layer.batch_first:
            raise ExportError(
                f"The layer '{name}' cannot be written as TFLite.",
                "It must have num_layers=1, bias=True, proj_size=0 and batch_first=True.",
                "Build the module from such layers, or choose the target 'onnx'.",
            )
    if layers:
        _check_states(called)
        model = copy.deepcopy(model)
    for name, layer in layers.items():
        model.set_submodule(name, _Placeholder(name, layer))
    return model, layers


def _check_states(called: Mapping[str, LSTMStates]) -> None:
    for name, states in called.items():
        if not states.zero or states.cell_used:
            why = (
                "The model uses its final cell states, which the TFLite operation does not return."
                if states.zero
                else "The model gives it initial states that are not zero."
            )
            raise ExportError(
                f"The layer '{name}' cannot be written as TFLite.",
                why,
                "Use its outputs or its final hidden states alone, or choose the target 'onnx'.",
            )


def restore_lstms(model: Any, layers: Mapping[str, nn.LSTM]) -> None:
    """Replace the composites of a converted model by LSTM operations.

    Args:
        model: A ``ModelT``, changed in place.
        layers: The layers returned by :func:`replace_lstms`.

    Raises:
        ExportError: The converter did not keep the composite of a layer.
    """
    if not layers:
        return
    writer = _Writer(model)
    kept: list[Any] = []
    for operator in model.subgraphs[0].operators:
        name = _layer_name(operator)
        if name is None:
            kept.append(operator)
        else:
            kept += writer.layer(name, layers[name], operator)
    missing = set(layers) - writer.written
    if missing:
        raise ExportError(
            "The LSTM layers could not be written as TFLite.",
            f"The converter did not keep the operation of {', '.join(sorted(missing))}.",
            "Choose the target 'onnx'.",
        )
    # The subgraphs of the composites are not used any more.
    model.subgraphs = model.subgraphs[:1]
    model.subgraphs[0].operators = kept
    _drop_unused_codes(model)


def _layer_name(operator: Any) -> str | None:
    options: Any = getattr(operator, "builtinOptions2", None)
    if not isinstance(options, schema.StableHLOCompositeOptionsT):
        return None
    encoded: Any = options.name
    name: str = encoded.decode()
    return name.removeprefix(_COMPOSITE) if name.startswith(_COMPOSITE) else None


def _drop_unused_codes(model: Any) -> None:
    """Remove unused operation codes: an older runtime refuses a file that lists newer ones."""
    used = sorted({operator.opcodeIndex for operator in model.subgraphs[0].operators})
    for operator in model.subgraphs[0].operators:
        operator.opcodeIndex = used.index(operator.opcodeIndex)
    model.operatorCodes = [model.operatorCodes[index] for index in used]


class _Writer:
    """Adds tensors to the main graph of a ``ModelT`` and makes operations on them."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._graph = model.subgraphs[0]
        self._made: list[Any] = []
        self._names = {tensor.name for tensor in self._graph.tensors}
        self.written: set[str] = set()

    def layer(self, name: str, layer: nn.LSTM, composite: Any) -> list[Any]:
        """Return the operations of one layer, from its input to its output."""
        self._made = []
        self.written.add(name)
        (x,), (y,) = composite.inputs, composite.outputs
        _, steps, inputs = (int(size) for size in self._graph.tensors[x].shape)
        shape = (steps, inputs, layer.hidden_size)
        if not layer.bidirectional:
            self._direction(f"{name}.forward", _weights(layer, ""), shape, x, y)
            return self._made
        reversed_x = self._reversed(f"{name}.last_first", x)
        forward, backward = (
            self._tensor(f"{name}.{way}.steps", (1, steps, layer.hidden_size))
            for way in ("forward", "backward")
        )
        self._direction(f"{name}.forward", _weights(layer, ""), shape, x, forward)
        reverse = _weights(layer, "_reverse")
        self._direction(f"{name}.backward", reverse, shape, reversed_x, backward)
        backward = self._reversed(f"{name}.backward.first_first", backward)
        options: Any = schema.ConcatenationOptionsT()
        options.axis = 2
        self._operator("CONCATENATION", [forward, backward], y, options)
        return self._made

    def _direction(
        self,
        name: str,
        weights: tuple[NDArray[np.float32], ...],
        shape: tuple[int, int, int],
        x: int,
        y: int,
    ) -> None:
        """Add one direction, from x ``(1, steps, inputs)`` to y ``(1, steps, hidden)``."""
        steps, inputs, hidden = shape
        longer = self._tensor(f"{name}.longer", (1, steps + 1, inputs))
        cleared = self._tensor(f"{name}.cleared", (1, steps + 1, inputs + 1))
        all_steps = self._tensor(name, (1, steps + 1, hidden))
        step = self._constant(f"{name}.step", np.array([[0, 0], [1, 0], [0, 0]], np.int32))
        first = np.zeros((1, steps + 1, 1), np.float32)
        first[0, 0] = 1.0
        self._operator("PAD", [x, step], longer, schema.PadOptionsT())
        joined: Any = schema.ConcatenationOptionsT()
        joined.axis = 2
        column = self._constant(f"{name}.clearing", first)
        self._operator("CONCATENATION", [longer, column], cleared, joined)
        of_input, of_state, biases = (
            [self._constant(f"{name}.{kind}{gate}", part) for gate, part in enumerate(parts)]
            for kind, parts in zip(("input", "state", "bias"), weights, strict=True)
        )
        state = [self._tensor(f"{name}.{kind}", (1, hidden), True) for kind in ("output", "cell")]
        options: Any = schema.UnidirectionalSequenceLSTMOptionsT()
        options.fusedActivationFunction = schema.ActivationFunctionType.TANH
        # No peepholes, no projection.
        given = [cleared, *of_input, *of_state, *[_OPTIONAL] * 3, *biases, *[_OPTIONAL] * 2, *state]
        self._operator("UNIDIRECTIONAL_SEQUENCE_LSTM", given, all_steps, options)
        begin = self._constant(f"{name}.begin", np.array([0, 1, 0], np.int32))
        size = self._constant(f"{name}.size", np.array([1, steps, hidden], np.int32))
        self._operator("SLICE", [all_steps, begin, size], y, schema.SliceOptionsT())

    def _reversed(self, name: str, x: int) -> int:
        """Add a reversal in time."""
        y = self._tensor(name, tuple(self._graph.tensors[x].shape))
        axis = self._constant(f"{name}.axis", np.array([1], np.int32))
        self._operator("REVERSE_V2", [x, axis], y, schema.ReverseV2OptionsT())
        return y

    def _tensor(self, name: str, shape: tuple[int, ...], variable: bool = False) -> int:
        made: Any = schema.TensorT()
        made.name, made.shape = self._unused(name), list(shape)
        made.type, made.isVariable = schema.TensorType.FLOAT32, variable
        self._graph.tensors.append(made)
        return len(self._graph.tensors) - 1

    def _unused(self, name: str) -> bytes:
        """Return a name that no tensor has: a layer may be called more than once."""
        number, found = 1, name.encode()
        while found in self._names:
            number += 1
            found = f"{name}.{number}".encode()
        self._names.add(found)
        return found

    def _constant(self, name: str, values: NDArray[np.generic]) -> int:
        index = self._tensor(name, values.shape)
        made = self._graph.tensors[index]
        if values.dtype == np.int32:
            made.type = schema.TensorType.INT32
        buffer: Any = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        made.buffer = len(self._model.buffers)
        self._model.buffers.append(buffer)
        return index

    def _operator(self, kind: str, inputs: list[int], y: int, options: Any) -> None:
        code: Any = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, kind)
        code.version = 1
        code.deprecatedBuiltinCode = min(code.builtinCode, _MOST_OLD_CODE)
        made: Any = schema.OperatorT()
        made.opcodeIndex = len(self._model.operatorCodes)
        made.inputs, made.outputs = inputs, [y]
        made.builtinOptions = options
        made.builtinOptionsType = getattr(
            schema.BuiltinOptions, type(options).__name__.removesuffix("T")
        )
        self._model.operatorCodes.append(code)
        self._made.append(made)


def _weights(layer: nn.LSTM, way: str) -> tuple[NDArray[np.float32], ...]:
    """Return the weights of input (with the clearing input) and state, and the biases.

    The first axis of each is the gate: input, forget, cell, output, in torch and TFLite alike.
    """
    with torch.no_grad():
        of_input = layer.get_parameter(f"weight_ih_l0{way}")
        closed = torch.full((_GATES, layer.hidden_size), _CLOSED_GATE)
        closed[2] = 0.0
        # Only the sum of the two biases matters.
        bias = layer.get_parameter(f"bias_ih_l0{way}") + layer.get_parameter(f"bias_hh_l0{way}")
        parts = (
            torch.cat([of_input, closed.reshape(-1, 1)], dim=1),
            layer.get_parameter(f"weight_hh_l0{way}"),
            bias,
        )
        return tuple(part.unflatten(0, (_GATES, -1)).numpy() for part in parts)
