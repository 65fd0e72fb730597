"""LSTM operations of an int8 TFLite file in full int8: int8 values, int16 cell states.

This is TFLite's integer sequence LSTM: weights in int8 with one scale for each matrix, biases in
int32, gates in int16 with 12 fractional bits, cells in int16 with a scale that is a power of two.
The quantiser leaves LSTM operations in float32, between a DEQUANTIZE and a QUANTIZE; :func:`store`
replaces what is between them.

The state is cleared as in float32 (:mod:`edgeecg.exporters._tflite_lstm`), by additional inputs in
the steps before the window that close the input, forget and output gates. One scale holds for all
inputs and one for all weights of a gate, so that a single input cannot close them: as many are
added as the lowest value of a gate, -8, needs. A closed gate is 11 / 32768 in int16 and not 0, and
the outputs of the window before open it a little in the first step. After the third step they are
0, and so are the cells. :func:`keeps_state` checks that.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from edgeecg.exporters._tflite_compact import drop_unused

_CLEARING_STEPS = 3
_CLOSED = -8.0
_FIRST_STATE_MATRIX = 5
_FIRST_BIAS = 12
_STATES = (18, 19)
_INPUTS = 24
_CELL_GATE = 2
_OUTPUT_SCALE = 1 / 128
_CELL_SCALE = 2.0**-11
_GATE_SCALE = 2.0**-12
_INT8_LIMIT = 127
_SMALLEST = 1e-12

Matrix = NDArray[np.float32]


def store(model: Any) -> int:
    """Replace the LSTM operations whose input is an int8 tensor, as far as one is dequantised.

    Args:
        model: A ``ModelT``, changed in place.

    Returns:
        How many were replaced.
    """
    writer = _Writer(model)
    lstms = [
        each
        for each in writer.graph.operators
        if writer.kind(each) == schema.BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM
    ]
    replaced = sum(writer.replace(each) for each in lstms)
    writer.finish()
    return replaced


def keeps_state(content: bytes, windows: NDArray[np.float32]) -> bool:
    """Whether the outputs of a file for some windows depend on their order.

    Args:
        content: A file with float32 or int8 input.
        windows: Windows ``(n, leads, samples)``.
    """
    network: Any = Interpreter(model_content=content, num_threads=1)
    network.allocate_tensors()
    given, answer = network.get_input_details()[0], network.get_output_details()[0]
    found: list[list[bytes]] = []
    for order in (windows, windows[::-1]):
        outputs: list[bytes] = []
        for window in order:
            x: NDArray[np.generic] = window[np.newaxis]
            if given["dtype"] == np.int8:
                scale, zero_point = given["quantization"]
                x = np.clip(np.round(window[np.newaxis] / scale) + zero_point, -128, 127)
            network.set_tensor(given["index"], x.astype(given["dtype"]))
            network.invoke()
            outputs.append(network.get_tensor(answer["index"]).tobytes())
        found.append(outputs)
    return found[0] != found[1][::-1]


class _Writer:
    """Changes the operations around each LSTM of a ``ModelT``."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.graph = model.subgraphs[0]

    def kind(self, operator: Any) -> int:
        code = self._model.operatorCodes[operator.opcodeIndex]
        return max(code.builtinCode, code.deprecatedBuiltinCode)

    def replace(self, lstm: Any) -> bool:
        """Make one LSTM int8, with the padding before it and the slice after it.

        Returns:
            Whether it was possible: its input has to be an int8 tensor that is dequantised, and a
            reversal of it in time must not have another reader.
        """
        joined = self._made_by(lstm.inputs[0])
        padded = self._made_by(joined.inputs[0])
        before = self._made_by(padded.inputs[0])
        reversal = before if self._is(before, "REVERSE_V2") else None
        if reversal is not None and len(self._users(reversal.outputs[0])) > 1:
            return False
        if reversal is not None:
            before = self._made_by(reversal.inputs[0])
        if not self._is(before, "DEQUANTIZE"):
            return False
        source = int(before.inputs[0])
        x = self.graph.tensors[source]
        if x.type != schema.TensorType.INT8:
            return False
        scale, zero_point = float(x.quantization.scale[0]), int(x.quantization.zeroPoint[0])
        (reversal or padded).inputs[0] = source
        moving = [padded, joined] if reversal is None else [reversal, padded, joined]
        for operator in moving:
            self._quantized(operator.outputs[0], scale, zero_point)
        steps, inputs = (int(size) for size in x.shape[1:])
        largest = _INT8_LIMIT if zero_point <= 0 else -_INT8_LIMIT - 1
        count = self._weights(lstm, scale, (largest - zero_point) * scale)
        length = steps + _CLEARING_STEPS
        self.graph.tensors[padded.outputs[0]].shape = [1, length, inputs]
        self.graph.tensors[joined.outputs[0]].shape = [1, length, inputs + count]
        amounts = np.array([[0, 0], [_CLEARING_STEPS, 0], [0, 0]], np.int32)
        padded.inputs[1] = self._constant(f"{self._name(lstm)}.steps_before", amounts)
        clearing = np.full((1, length, count), zero_point, np.int8)
        clearing[:, :_CLEARING_STEPS] = largest
        joined.inputs[1] = self._constant(f"{self._name(lstm)}.clearing_inputs", clearing)
        self._quantized(joined.inputs[1], scale, zero_point)
        self._outputs(lstm, length)
        return True

    def _weights(self, lstm: Any, scale: float, clearing: float) -> int:
        """Store the weights of an LSTM in int8; return the number of inputs that close its gates.

        Args:
            lstm: The operation.
            scale: Scale of its inputs.
            clearing: Value of these inputs in the steps that clear the state.
        """
        of_input = [self._values(lstm.inputs[place])[:, :-1] for place in range(1, 5)]
        of_state = [self._values(lstm.inputs[place]) for place in range(5, 9)]
        biases = [self._values(lstm.inputs[place]) for place in range(_FIRST_BIAS, _FIRST_BIAS + 4)]
        sizes = [max(float(np.abs(each).max()), _SMALLEST) for each in of_input]
        needed = [
            (float(bias.max()) - _CLOSED) / (size * abs(clearing))
            for bias, size in zip(biases, sizes, strict=True)
        ]
        del needed[_CELL_GATE]
        count = max(1, math.ceil(max(needed)))
        for gate, (matrix, state, bias, size) in enumerate(
            zip(of_input, of_state, biases, sizes, strict=True)
        ):
            step = size / _INT8_LIMIT
            closing = 0.0 if gate == _CELL_GATE else -math.copysign(size, clearing)
            wider = np.hstack([matrix, np.full((len(matrix), count), closing, np.float32)])
            self._store(lstm, 1 + gate, np.round(wider / step).astype(np.int8), step)
            step_of_state = max(float(np.abs(state).max()), _SMALLEST) / _INT8_LIMIT
            rounded = np.round(state / step_of_state).astype(np.int8)
            self._store(lstm, _FIRST_STATE_MATRIX + gate, rounded, step_of_state)
            rounded = np.round(bias / (step * scale)).astype(np.int32)
            self._store(lstm, _FIRST_BIAS + gate, rounded, step * scale)
        return count

    def _outputs(self, lstm: Any, length: int) -> None:
        """Make states and outputs of an LSTM integers, up to the next QUANTIZE."""
        name, hidden = self._name(lstm), int(self.graph.tensors[lstm.outputs[0]].shape[2])
        kinds = (schema.TensorType.INT8, schema.TensorType.INT16)
        for place, kind, step in zip(_STATES, kinds, (_OUTPUT_SCALE, _CELL_SCALE), strict=True):
            self._quantized(lstm.inputs[place], step, 0, kind)
        lstm.inputs = [*lstm.inputs, *[-1] * (_INPUTS - len(lstm.inputs))]
        gates = [
            self._tensor(f"{name}.gate{gate}", schema.TensorType.INT16, _GATE_SCALE)
            for gate in range(4)
        ]
        state = self._tensor(f"{name}.hidden", schema.TensorType.INT8, _OUTPUT_SCALE)
        lstm.intermediates = [*gates, state]
        self._quantized(lstm.outputs[0], _OUTPUT_SCALE, 0)
        self.graph.tensors[lstm.outputs[0]].shape = [1, length, hidden]
        (cut,) = self._users(lstm.outputs[0])
        rounded = self._is(cut, "QUANTIZE")
        if rounded:
            # The slice is in int8 already.
            self.graph.tensors[cut.outputs[0]].shape = [1, length, hidden]
            (cut,) = self._users(cut.outputs[0])
        begin = np.array([0, _CLEARING_STEPS, 0], np.int32)
        cut.inputs[1] = self._constant(f"{name}.first_step", begin)
        if rounded:
            return
        users = self._users(cut.outputs[0])
        last = users[0] if len(users) == 1 and self._is(users[0], "REVERSE_V2") else cut
        self._leave(last)
        if last is not cut:
            self._quantized(cut.outputs[0], _OUTPUT_SCALE, 0)

    def _leave(self, last: Any) -> None:
        """Convert the outputs for the operations after them: to another scale, or to float32."""
        tensor = int(last.outputs[0])
        users = self._users(tensor)
        plain = [each for each in users if not self._is(each, "QUANTIZE")]
        made = self._tensor(f"{self._name(last)}.int8", schema.TensorType.INT8, _OUTPUT_SCALE)
        self.graph.tensors[made].shape = list(self.graph.tensors[tensor].shape)
        last.outputs = [made]
        for user in users:
            if user not in plain:
                user.inputs = [made]
        if plain or tensor in self.graph.outputs:
            options: Any = schema.OperatorT()
            options.opcodeIndex = self._code("DEQUANTIZE")
            options.inputs, options.outputs = [made], [tensor]
            place = self.graph.operators.index(last)
            self.graph.operators.insert(place + 1, options)

    def finish(self) -> None:
        """Remove what is not used any more."""
        kept: list[Any] = []
        used = {int(place) for place in self.graph.outputs}
        for operator in reversed(self.graph.operators):
            if used.intersection(int(place) for place in operator.outputs):
                kept.append(operator)
                used |= {int(place) for place in operator.inputs}
        self.graph.operators = kept[::-1]
        drop_unused(self._model)

    def _is(self, operator: Any, kind: str) -> bool:
        return operator is not None and self.kind(operator) == getattr(schema.BuiltinOperator, kind)

    def _made_by(self, tensor: int) -> Any:
        return next((each for each in self.graph.operators if tensor in each.outputs), None)

    def _users(self, tensor: int) -> list[Any]:
        return [each for each in self.graph.operators if tensor in each.inputs]

    def _code(self, kind: str) -> int:
        code: Any = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, kind)
        code.version = 2
        self._model.operatorCodes.append(code)
        return len(self._model.operatorCodes) - 1

    def _name(self, operator: Any) -> str:
        return self.graph.tensors[operator.outputs[0]].name.decode()

    def _values(self, tensor: int) -> Matrix:
        found = self.graph.tensors[tensor]
        data = bytes(self._model.buffers[found.buffer].data)
        return np.frombuffer(data, np.float32).reshape(found.shape)

    def _store(self, lstm: Any, place: int, values: NDArray[np.generic], scale: float) -> None:
        name = self.graph.tensors[lstm.inputs[place]].name.decode()
        lstm.inputs[place] = self._constant(f"{name}.stored", values)
        kind = schema.TensorType.INT8 if values.dtype == np.int8 else schema.TensorType.INT32
        self._quantized(lstm.inputs[place], scale, 0, kind)

    def _constant(self, name: str, values: NDArray[np.generic]) -> int:
        kind = schema.TensorType.INT8 if values.dtype == np.int8 else schema.TensorType.INT32
        index = self._tensor(name, kind, None)
        buffer: Any = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self.graph.tensors[index].buffer = len(self._model.buffers)
        self.graph.tensors[index].shape = list(values.shape)
        self._model.buffers.append(buffer)
        return index

    def _tensor(self, name: str, kind: int, scale: float | None) -> int:
        made: Any = schema.TensorT()
        made.name, made.type, made.shape = name.encode(), kind, [1]
        self.graph.tensors.append(made)
        index = len(self.graph.tensors) - 1
        if scale is not None:
            self._quantized(index, scale, 0, kind)
        return index

    def _quantized(
        self, tensor: int, scale: float, zero_point: int, kind: int = schema.TensorType.INT8
    ) -> None:
        found: Any = self.graph.tensors[tensor]
        found.type = kind
        quantization: Any = schema.QuantizationParametersT()
        quantization.scale, quantization.zeroPoint = [scale], [zero_point]
        found.quantization = quantization
