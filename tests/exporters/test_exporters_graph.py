"""Operations of the files of every model and target, so that a new one is seen.

What stands out today: strided convolutions have a PAD of their own, since PyTorch pads both sides
alike and TFLite's SAME pads one more on the right. XNNPACK joins it with the convolution, so that
its profile has no padding. Squeeze-and-excitation and attention transpose between the layout of
convolutions and that of PyTorch. A softmax in the int8 files is between a DEQUANTIZE and a
QUANTIZE, since XNNPACK has no int8 kernel for it.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from edgeecg import resources
from edgeecg.costs import tflite_file
from edgeecg.exporters import exporter, quiet
from edgeecg.models import architecture, build, names

# By model and target: operations, PAD, TRANSPOSE, QUANTIZE and DEQUANTIZE.
COUNTS = {
    ("bilstm", "tflite"): (29, 4, 0, 0),
    ("bilstm", "tflite-int8"): (39, 4, 0, 10),
    ("cnn1d", "tflite"): (12, 0, 1, 0),
    ("cnn1d", "tflite-int8"): (14, 0, 1, 2),
    ("cnn1d", "tflite-int8-io"): (12, 0, 1, 0),
    ("cnn_lstm_attn", "tflite"): (32, 2, 4, 0),
    ("cnn_lstm_attn", "tflite-int8"): (39, 2, 4, 7),
    ("conv_transformer", "tflite"): (235, 2, 21, 0),
    ("conv_transformer", "tflite-int8"): (273, 2, 21, 38),
    ("resnet1d_attn", "tflite"): (38, 4, 2, 0),
    ("resnet1d_attn", "tflite-int8"): (42, 4, 2, 4),
    ("resnet1d_attn", "tflite-int8-io"): (38, 4, 2, 0),
    ("resnet1d_se_attn", "tflite"): (138, 3, 21, 0),
    ("resnet1d_se_attn", "tflite-int8"): (142, 3, 21, 4),
}


def narrow(name: str) -> nn.Module:
    """Return a narrow model: its files have the same operations."""
    torch.manual_seed(0)
    widths = architecture(name).WIDTHS
    quarter = {key: tuple(max(4, w // 4) for w in value) for key, value in widths.items()}
    return build(name, quarter).eval()


@pytest.mark.system
@pytest.mark.parametrize("name", names())
def test_operations_of_every_model_and_target(name: str, tmp_path: Path) -> None:
    shape = architecture(name).INPUT_SHAPE
    windows = np.random.default_rng(0).normal(size=(4, *shape)).astype(np.float32)
    with quiet():
        converted = exporter("tflite").to_float32(narrow(name), shape)
    for (model, target), expected in COUNTS.items():
        if model != name:
            continue
        with quiet():
            content = exporter("tflite").write(converted, resources.load_target(target), windows)
        path = tmp_path / f"{target}.tflite"
        path.write_bytes(content)
        found = Counter(each.op for each in tflite_file.read(path).operators)
        between_types = found["QUANTIZE"] + found["DEQUANTIZE"]
        counted = (found.total(), found["PAD"], found["TRANSPOSE"], between_types)
        assert counted == expected, (target, found)
        # Batch normalisation is folded: no operation of its own is left.
        assert "BATCH_NORM" not in " ".join(found)
