"""Operations of the files of every model and target, so that a new one is seen.

What stands out: the records of twelve leads are transposed once, and the heads of an attention four
times in each block. A softmax in the int8 files is between a DEQUANTIZE and a QUANTIZE, since
XNNPACK has no int8 kernel for it. Strided convolutions have a PAD of their own, since PyTorch pads
both sides alike and TFLite's SAME pads one more on the right; XNNPACK joins it with the
convolution, so that its profile has no padding. In front of an LSTM a PAD adds the step that clears
its state.
"""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from edgeecg import resources
from edgeecg.costs import tflite_file
from edgeecg.costs.tflite_file import Operator
from edgeecg.exporters import exporter, quiet
from edgeecg.models import architecture, build, names

# By model and target: operations, PAD, TRANSPOSE, RESHAPE, QUANTIZE and DEQUANTIZE.
COUNTS = {
    ("bilstm", "tflite"): (28, 4, 0, 2, 0),
    ("bilstm", "tflite-int8"): (36, 4, 0, 2, 8),
    ("cnn1d", "tflite"): (11, 0, 0, 2, 0),
    ("cnn1d", "tflite-int8"): (13, 0, 0, 2, 2),
    ("cnn1d", "tflite-int8-io"): (11, 0, 0, 2, 0),
    ("cnn_lstm_attn", "tflite"): (29, 2, 0, 5, 0),
    ("cnn_lstm_attn", "tflite-int8"): (35, 2, 0, 5, 6),
    ("conv_transformer", "tflite"): (182, 2, 17, 22, 0),
    ("conv_transformer", "tflite-int8"): (221, 2, 17, 22, 39),
    ("resnet1d_attn", "tflite"): (36, 4, 0, 3, 0),
    ("resnet1d_attn", "tflite-int8"): (40, 4, 0, 3, 4),
    ("resnet1d_attn", "tflite-int8-io"): (36, 4, 0, 3, 0),
    ("resnet1d_se_attn", "tflite"): (83, 3, 1, 3, 0),
    ("resnet1d_se_attn", "tflite-int8"): (87, 3, 1, 3, 4),
    ("tiny_rhythm", "tflite"): (15, 0, 1, 3, 0),
    ("tiny_rhythm", "tflite-int8"): (17, 0, 1, 3, 2),
    ("tiny_rhythm", "tflite-int8-io"): (15, 0, 1, 3, 0),
}


def narrow(name: str) -> nn.Module:
    """Return a narrow model that is not trained: its files have the operations of a trained one.

    Only the last normalisation of ``conv_transformer``, a product and a sum, is not there yet.
    """
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
    wanted = {target: counts for (model, target), counts in COUNTS.items() if model == name}
    assert wanted
    for target, expected in wanted.items():
        with quiet():
            content = exporter("tflite").write(converted, resources.load_target(target), windows)
        path = tmp_path / f"{target}.tflite"
        path.write_bytes(content)
        operators = tflite_file.read(path).operators
        found = Counter(each.op for each in operators)
        between_types = found["QUANTIZE"] + found["DEQUANTIZE"]
        moving = (found["PAD"], found["TRANSPOSE"], found["RESHAPE"])
        counted = (found.total(), *moving, between_types)
        assert counted == expected, (target, found)
        # Batch normalisation is folded: no operation of its own is left.
        assert "BATCH_NORM" not in " ".join(found)
        for pad, convolution in pairwise(operators):
            if pad.op == "PAD" and "CONV_2D" in convolution.op:
                check_needed(pad, convolution)


def check_needed(pad: Operator, convolution: Operator) -> None:
    """Check that ``padding: SAME`` of the convolution would pad otherwise than PyTorch does.

    SAME makes ceil(length / stride) outputs, and pads as much as these need: the smaller half on
    the left (https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding).
    """
    amounts, weights = pad.inputs[1], convolution.inputs[1]
    given = pad.inputs[0]
    assert amounts is not None
    assert amounts.data is not None
    assert weights is not None
    assert given is not None
    length, outputs = given.shape[2], convolution.outputs[0].shape[2]
    stride = math.ceil(length / outputs)
    total = (outputs - 1) * stride + weights.shape[2] - length
    assert amounts.data[2].tolist() != [total // 2, total - total // 2]
