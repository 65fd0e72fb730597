"""Properties of TFLite files alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray
from torch import nn

from edgeecg import resources, runtimes
from edgeecg.costs.counting import count
from edgeecg.data import Dataset
from edgeecg.errors import ExportError, SchemaError
from edgeecg.exporters import exporter, quiet
from edgeecg.exporters._float32 import Conversions

INT8 = resources.load_target("tflite-int8")
LOUD = 7


class Tiny(nn.Module):
    """One convolution and one dense layer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv1d(1, 4, 5)
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.conv(x)).mean(dim=-1))


def calibration() -> NDArray[np.float32]:
    """Sixteen windows, one of them ten times as large as the others."""
    x = np.random.default_rng(0).normal(size=(16, 1, 32)).astype(np.float32)
    x[LOUD] *= 10
    return x


@pytest.fixture(scope="module")
def int8() -> bytes:
    with quiet():
        return exporter("tflite").export(Tiny().eval(), INT8, calibration(), (1, 32))


def test_buffers_are_aligned_as_the_schema_requires(int8: bytes) -> None:
    model: Any = schema.Model.GetRootAs(exporter("tflite").embed(int8, "{}"), 0)
    buffers = [model.Buffers(index) for index in range(model.BuffersLength())]
    # Address in the file of each buffer's first byte, through its vtable: "data" is field 0.
    starts = [b._tab.Vector(b._tab.Offset(4)) for b in buffers if b.DataLength()]
    assert len(starts) > 5
    assert {start % 16 for start in starts} == {0}


def test_int8_file_has_float32_inputs_and_outputs_and_multiplies_in_int8(
    int8: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "tiny.tflite"
    path.write_bytes(int8)
    assert runtimes.for_file(path).load(path).dtype == "float32"
    assert {layer.dtype for layer in count(path) if layer.macs} == {"int8"}


def test_largest_activations_of_the_calibration_are_not_clipped(
    int8: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "tiny.tflite"
    path.write_bytes(int8)
    loud = calibration()[LOUD : LOUD + 1]
    with torch.no_grad():
        reference = Tiny().eval()(torch.from_numpy(loud)).numpy()
    found = runtimes.for_file(path).load(path).run(loud)
    np.testing.assert_allclose(found, reference, atol=0.05 * float(np.abs(reference).max()))


def test_operations_named_in_float_ops_stay_float32(tmp_path: Path) -> None:
    part = INT8.model_copy(update={"float_ops": ("FULLY_CONNECTED",)})
    with quiet():
        content = exporter("tflite").export(Tiny().eval(), part, calibration(), (1, 32))
    path = tmp_path / "tiny.tflite"
    path.write_bytes(content)
    types = {layer.op: layer.dtype for layer in count(path) if layer.macs}
    assert types.pop("FULLY_CONNECTED") == "float32"
    assert set(types.values()) == {"int8"}


def test_unit_that_is_0_on_all_calibration_windows_is_exported(tmp_path: Path) -> None:
    model = Tiny().eval()
    with torch.no_grad():
        assert model.conv.bias is not None
        model.conv.bias.fill_(-1000.0)
    with quiet():
        content = exporter("tflite").export(model, INT8, calibration(), (1, 32))
    path = tmp_path / "tiny.tflite"
    path.write_bytes(content)
    found = runtimes.for_file(path).load(path).run(calibration()[:1])
    np.testing.assert_allclose(found[0], model.head.bias.detach().numpy(), atol=0.01)


def test_unknown_float_op_lists_the_known_ones() -> None:
    wrong = INT8.model_copy(update={"float_ops": ("SOFTMAKS",)})
    with quiet(), pytest.raises(SchemaError, match=r"SOFTMAKS; known are .*SOFTMAX.*tflite-int8"):
        exporter("tflite").export(Tiny().eval(), wrong, calibration(), (1, 32))


def test_onnx_with_int8_input_is_refused() -> None:
    wrong = resources.load_target("onnx-int8").model_copy(update={"io_dtype": "int8"})
    with pytest.raises(
        ExportError, match="does not write int8 weights with int8 activations and int8"
    ):
        exporter("onnx").export(Tiny().eval(), wrong, calibration(), (1, 32))


def test_model_that_cannot_be_traced_is_an_error_of_the_target(toy_dataset: Dataset) -> None:
    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.norm(x) if x.sum() > 0 else x

    with pytest.raises(ExportError, match=r"conversion to 'onnx' failed"):
        Conversions(toy_dataset).file(Branching().eval(), resources.load_target("onnx"))
