"""The fake-quantised copy computes what the exported int8 file computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ai_edge_litert.tools import flatbuffer_utils
from numpy.typing import NDArray
from small_network import SHAPE, randomized
from torch import nn

from edgeecg import resources, runtimes
from edgeecg.exporters import exporter, quiet
from edgeecg.models import architecture, build
from edgeecg.quantization.fake_quantized import FakeQuantized, prepare
from edgeecg.schema import ExportRecipe

INT8 = resources.load_target("tflite-int8")


def draw(count: int, shape: tuple[int, int], seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(count, *shape)).astype(np.float32)


def outputs(model: nn.Module, x: NDArray[np.float32]) -> NDArray[np.float32]:
    with torch.no_grad():
        return model.eval()(torch.from_numpy(x)).numpy()


class Compared:
    """A model, its fake-quantised copy and its int8 file, all calibrated on the same windows."""

    def __init__(
        self, model: nn.Module, recipe: ExportRecipe, shape: tuple[int, int], folder: Path
    ) -> None:
        calibration = draw(32, shape, 0)
        self.quantized: FakeQuantized = prepare(model, recipe, shape)
        self.quantized.calibrate(calibration)
        with quiet():
            self.content = exporter("tflite").export(model, recipe, calibration, shape)
        path = folder / "model.tflite"
        path.write_bytes(self.content)
        x = draw(48, shape, 1)
        session = runtimes.for_file(path).load(path)
        self.float32, self.fake = outputs(model, x), outputs(self.quantized.module, x)
        self.int8 = np.concatenate([session.run(window[np.newaxis]) for window in x])

    def steps_in_file(self) -> set[tuple[float, int]]:
        """Return scale and zero point of every activation of the file, to five digits."""
        read: Any = flatbuffer_utils.read_model_from_bytearray(bytearray(self.content))
        quantizations = [tensor.quantization for tensor in read.subgraphs[0].tensors]
        single = [
            q for q in quantizations if q is not None and q.scale is not None and len(q.scale) == 1
        ]
        return {(float(f"{q.scale[0]:.5g}"), int(q.zeroPoint[0])) for q in single}

    def check(self) -> None:
        """The copy is closer to the file than float32 is, or within 0.9 of a step of the logits.

        Every scale and zero point is that of the file. The remaining difference comes from the
        kernels: where a value is half way between two steps, integer and float arithmetic may round
        differently. If values differ by e before a rounding, a share e / step of them is rounded to
        another step, so that they differ by sqrt(e * step) afterwards: 0.01 of a step after the
        first convolution of ``conv_transformer``, 0.03, 0.07 and 0.14 after the next ones, 0.3 to
        1.1 at the logits of every model. No copy can be closer than that.
        """
        step = list(self.quantized.tensors.values())[-1].scale_and_zero_point()[0]
        apart, without = np.abs(self.fake - self.int8), np.abs(self.float32 - self.int8)
        assert _rms(apart) < max(0.6 * _rms(without), 0.9 * step)
        assert _rms(apart) < _rms(without)
        assert apart.max() < max(0.6 * without.max(), 3.3 * step)
        found = self.steps_in_file()
        for name, tensor in self.quantized.tensors.items():
            scale, zero_point = tensor.scale_and_zero_point()
            near = [s for s, z in found if z == zero_point and abs(s - scale) < 1e-4 * scale]
            assert near, name


def _rms(x: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(x**2)))


@pytest.mark.parametrize(
    "float_layers",
    [pytest.param((), marks=pytest.mark.system), ("stem", "encoder.attention.output")],
)
def test_a_copy_agrees_with_its_file(float_layers: tuple[str, ...], tmp_path: Path) -> None:
    recipe = INT8.model_copy(update={"float_layers": float_layers})
    Compared(randomized(), recipe, SHAPE, tmp_path).check()


@pytest.mark.system
@pytest.mark.parametrize(
    ("name", "blocks"),
    [
        ("resnet1d_attn", None),
        ("conv_transformer", 4),
        ("conv_transformer", 1),
        ("cnn_lstm_attn", None),
        ("cnn1d", None),
    ],
)
def test_the_models_agree_with_their_files(name: str, blocks: int | None, tmp_path: Path) -> None:
    torch.manual_seed(0)
    shape = architecture(name)
    widths = {key: tuple(max(4, w // 4) for w in value) for key, value in shape.WIDTHS.items()}
    if blocks is not None:
        for key in ("heads", "head_width", "feedforward"):
            widths[key] = tuple(w if i < blocks else 0 for i, w in enumerate(widths[key]))
    model = build(name, widths).train()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.5, 0.5)
        for _ in range(30):
            model(torch.randn(16, *shape.INPUT_SHAPE))
    Compared(model.eval(), INT8, shape.INPUT_SHAPE, tmp_path).check()
