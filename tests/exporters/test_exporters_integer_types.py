"""TFLite files with int8 input and output, and with int16 activations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgeecg import resources, runtimes
from edgeecg.costs import number_types, tflite_file
from edgeecg.costs.counting import count
from edgeecg.exporters import exporter, quiet

SHAPE = (2, 32)


class Small(nn.Module):
    """One convolution and a head."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv1d(2, 8, 5)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.stem(x)).mean(dim=2))


@pytest.fixture(scope="module")
def converted() -> object:
    with quiet():
        return exporter("tflite").to_float32(Small().eval(), SHAPE)


def written(converted: object, target: str, folder: Path) -> Path:
    x = np.random.default_rng(0).normal(size=(16, *SHAPE)).astype(np.float32)
    with quiet():
        content = exporter("tflite").write(converted, resources.load_target(target), x)
    path = folder / f"{target}.tflite"
    path.write_bytes(content)
    return path


def difference(path: Path) -> float:
    x = np.random.default_rng(1).normal(size=(8, *SHAPE)).astype(np.float32)
    with torch.no_grad():
        expected = Small().eval()(torch.from_numpy(x)).numpy()
    session = runtimes.for_file(path).load(path)
    found = np.concatenate([session.run(window[np.newaxis]) for window in x])
    return float(np.abs(found - expected).max())


def test_int8_input_and_output_leave_no_float_tensor_in_the_file(
    converted: object, tmp_path: Path
) -> None:
    path = written(converted, "tflite-int8-io", tmp_path)
    graph = tflite_file.read(path)
    assert [each.type for each in (*graph.inputs, *graph.outputs)] == ["INT8", "INT8"]
    assert not {"QUANTIZE", "DEQUANTIZE"} & {each.op for each in graph.operators}
    used = [t for op in graph.operators for t in (*op.inputs, *op.outputs) if t is not None]
    assert "FLOAT32" not in {each.type for each in used}
    # Its numbers are in the file: a program needs nothing else to convert input and output.
    assert all(len(each.scales) == 1 for each in (*graph.inputs, *graph.outputs))
    assert runtimes.for_file(path).load(path).dtype == "int8"
    assert difference(path) < 0.05


def test_int16_activations_are_closer_to_float32_than_int8(
    converted: object, tmp_path: Path
) -> None:
    int16 = written(converted, "tflite-int16x8", tmp_path)
    types = number_types.of_tflite(tflite_file.read(int16))
    assert (types.weights, types.activations) == ("int8", "int16")
    assert {layer.dtype for layer in count(int16) if layer.macs} == {"int8"}
    assert difference(int16) < difference(written(converted, "tflite-int8", tmp_path))
    # The convolution's outputs are read and written in 2 bytes.
    (stem,) = [layer for layer in count(int16) if layer.op == "CONV_2D"]
    assert stem.activation_bytes == 2 * (2 * 32 + 8 * 28)
