"""Targets that change only the weights: ``tflite-fp16`` and ``tflite-dynamic``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray
from torch import Tensor, nn

from edgeecg import resources
from edgeecg.costs import number_types, tflite_file
from edgeecg.costs.counting import count
from edgeecg.costs.inspection import inspect_file
from edgeecg.exporters import exporter, quiet

WEIGHTS = 16 * 3 * 5
BIASES = 16


class Convolution(nn.Module):
    """One convolution, and the mean over time."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv1d(3, 16, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.stem(x).mean(dim=2)


class Recurrent(nn.Module):
    """An LSTM and a head."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.lstm = nn.LSTM(3, 8, batch_first=True, bidirectional=True)
        self.head = nn.Linear(16, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(x.transpose(1, 2))[0].mean(dim=1))


def written(model: nn.Module, target: str, folder: Path) -> Path:
    recipe = resources.load_target(target)
    none = np.zeros((0, 3, 32), np.float32)
    with quiet():
        content = exporter("tflite").export(model.eval(), recipe, none, (3, 32))
    path = folder / f"{target}.tflite"
    path.write_bytes(content)
    return path


def test_float16_weights_are_stored_in_half_and_counted_as_they_are_executed(
    tmp_path: Path,
) -> None:
    path = written(Convolution(), "tflite-fp16", tmp_path)
    graph = tflite_file.read(path)
    halves = [each for op in graph.operators for each in op.inputs if each and each.constant]
    stored = {each.type: each.nbytes for each in halves if each.type == "FLOAT16"}
    assert stored == {"FLOAT16": WEIGHTS * 2}
    types = number_types.of_tflite(graph)
    assert (types.weights, types.activations) == ("float16", "float32")
    layers = count(path)
    (convolution,) = [layer for layer in layers if layer.macs]
    # 28 positions; the weights are read as float32.
    assert (convolution.macs, convolution.dtype) == (28 * WEIGHTS, "float32")
    assert convolution.weight_bytes == (WEIGHTS + BIASES) * 4
    unpacking = [layer for layer in layers if layer.op == "DEQUANTIZE"]
    assert [(each.weight_bytes, each.activation_bytes) for each in unpacking] == [(0, 0)]
    # The converted weights are not part of the arena: it is that of the float32 file.
    plain = written(Convolution(), "tflite", tmp_path)
    assert inspect_file(path).arena_bytes == inspect_file(plain).arena_bytes


def test_float16_costs_are_those_of_the_float32_file(tmp_path: Path) -> None:
    found = [written(Convolution(), target, tmp_path) for target in ("tflite-fp16", "tflite")]
    half, plain = (inspect_file(path) for path in found)
    assert (half.macs, half.weight_bytes, half.activation_bytes) == (
        plain.macs,
        plain.weight_bytes,
        plain.activation_bytes,
    )
    assert half.size_bytes < plain.size_bytes


def test_dynamic_quantisation_has_int8_weights_and_float_activations(tmp_path: Path) -> None:
    path = written(Convolution(), "tflite-dynamic", tmp_path)
    types = number_types.of_tflite(tflite_file.read(path))
    assert (types.weights, types.activations) == ("int8", "float32")
    (convolution,) = [layer for layer in count(path) if layer.macs]
    assert (convolution.dtype, convolution.macs) == ("int8", 28 * WEIGHTS)
    assert convolution.weight_bytes == WEIGHTS + BIASES * 4
    found = inspect_file(path)
    # A scale for each of the 16 channels.
    assert [len(each.scales) for each in found.tensors if each.scales] == [16]


@pytest.mark.parametrize(
    ("target", "stored", "tolerance"),
    [("tflite-fp16", "FLOAT16", 1e-3), ("tflite-dynamic", "INT8", 0.01)],
)
def test_an_lstm_stays_one_operation_with_compressed_weights(
    target: str, stored: str, tolerance: float, tmp_path: Path
) -> None:
    path = written(Recurrent(), target, tmp_path)
    graph = tflite_file.read(path)
    of_lstm = [each for each in graph.operators if "SEQUENCE_LSTM" in each.op]
    assert len(of_lstm) == 2
    kinds = {t.type for op in graph.operators for t in op.inputs if t and t.constant}
    matrices = {t.shape for op in graph.operators for t in op.inputs if t and t.type == stored}
    assert stored in kinds
    # Input (with the input that clears the state) and state of a gate, and the head.
    assert {(8, 4), (8, 8), (2, 16)} <= matrices
    x = np.random.default_rng(3).normal(size=(4, 3, 32)).astype(np.float32)
    with torch.no_grad():
        expected = Recurrent().eval()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(run_without_reset(path, x), expected, atol=tolerance)


def run_without_reset(path: Path, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Run windows like a program that does not know that the layer has a state."""
    with quiet():
        interpreter = Interpreter(model_path=str(path), num_threads=1)
        interpreter.allocate_tensors()
    place = interpreter.get_input_details()[0]["index"]
    result = interpreter.get_output_details()[0]["index"]
    found: list[NDArray[np.float32]] = []
    for window in x:
        interpreter.set_tensor(place, window[np.newaxis])
        interpreter.invoke()
        found.append(interpreter.get_tensor(result)[0])
    return np.stack(found)
