"""MACs that ``edgeecg inspect`` counts are those published for well-known models, within 2 %.

The models are those of MLPerf Tiny (Banbury et al. 2021, arXiv:2106.07597) with the MACs that
Banbury et al. 2021 (MicroNets, arXiv:2010.11267), Howard et al. 2017 (arXiv:1704.04861) and the
benchmark's documentation give.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor, nn
from torch.nn import functional as F

from edgeecg.costs.inspection import inspect_file
from edgeecg.exporters import exporter, quiet
from edgeecg.resources import load_target

Shape = tuple[int, ...]


def _separable(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs),
        nn.ReLU(),
        nn.Conv2d(inputs, outputs, 1),
        nn.ReLU(),
    ]


def mobilenet() -> nn.Module:
    """MobileNetV1 0.25 for person detection in 96 x 96 pixels."""
    widths = [(8, 16, 1), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1), (64, 128, 2)]
    widths += [(128, 128, 1)] * 5 + [(128, 256, 2), (256, 256, 1)]
    layers: list[nn.Module] = [nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU()]
    for inputs, outputs, stride in widths:
        layers += _separable(inputs, outputs, stride)
    return nn.Sequential(*layers, nn.AvgPool2d(3), nn.Flatten(), nn.Linear(256, 2))


def ds_cnn() -> nn.Module:
    """DS-CNN for keyword spotting in 49 x 10 features."""
    layers: list[nn.Module] = [nn.ZeroPad2d((1, 2, 4, 5)), nn.Conv2d(1, 64, (10, 4), 2)]
    for _ in range(4):
        layers += _separable(64, 64)
    return nn.Sequential(*layers, nn.AvgPool2d((25, 5)), nn.Flatten(), nn.Linear(64, 12))


class _Residual(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1)
        self.skip = nn.Conv2d(inputs, outputs, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.second(F.relu(self.first(x))) + self.skip(x))


def resnet8() -> nn.Module:
    """ResNet-8 for CIFAR-10."""
    blocks = [_Residual(16, 16, 1), _Residual(16, 32, 2), _Residual(32, 64, 2)]
    head = [nn.AvgPool2d(8), nn.Flatten(), nn.Linear(64, 10)]
    return nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1), nn.ReLU(), *blocks, *head)


def autoencoder() -> nn.Module:
    """FC-AutoEncoder for anomaly detection in 640 features."""
    widths = [640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640]
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


MODELS: list[tuple[Callable[[], nn.Module], Shape, float]] = [
    (mobilenet, (3, 96, 96), 7.5e6),
    (ds_cnn, (1, 49, 10), 2.7e6),
    (resnet8, (3, 32, 32), 12.5e6),
    (autoencoder, (640,), 0.26e6),
]


@pytest.mark.system
@pytest.mark.parametrize("kind", ["onnx", "tflite"])
@pytest.mark.parametrize(("make", "shape", "published"), MODELS)
def test_macs_are_the_published_ones(
    make: Callable[[], nn.Module], shape: Shape, published: float, kind: str, tmp_path: Path
) -> None:
    with quiet():
        content = exporter(kind).export(
            make().eval(),
            load_target(kind),
            np.zeros(0, np.float32),
            shape,  # pyright: ignore[reportArgumentType]
        )
    path = tmp_path / f"model.{kind}"
    path.write_bytes(content)
    found = inspect_file(path).macs
    assert found == pytest.approx(published, rel=0.02)
