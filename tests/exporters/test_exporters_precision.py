"""What an int8 file keeps in float32: classes of modules, and single layers by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils
from torch import Tensor, nn

from edgeecg import resources, runtimes
from edgeecg.errors import ExportError
from edgeecg.exporters import _precision, exporter, quiet
from edgeecg.models import EncoderBlock
from edgeecg.schema import ExportRecipe

INT8 = resources.load_target("tflite-int8")
CHOSEN = ("stem.0", "block.attention.key")


class Tiny(nn.Module):
    """A convolution with batch norm, one encoder block, a head."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Sequential(nn.Conv1d(2, 8, 5, stride=4, bias=False), nn.BatchNorm1d(8))
        self.block = EncoderBlock(8, 2, 4, 12)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        features = self.block(torch.relu(self.stem(x)).transpose(1, 2))
        return self.head(features.mean(dim=1))


class Twice(nn.Module):
    """One convolution that is called twice, and another one."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.shared = nn.Conv1d(2, 2, 5, padding=2)
        self.last = nn.Conv1d(2, 3, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.relu(self.shared(torch.relu(self.shared(x))))).mean(dim=2)


def converted(recipe: ExportRecipe, model: nn.Module | None = None) -> bytes:
    calibration = np.random.default_rng(0).normal(size=(8, 2, 64)).astype(np.float32)
    with quiet():
        return exporter("tflite").export((model or Tiny()).eval(), recipe, calibration, (2, 64))


@pytest.fixture(scope="module")
def plain() -> bytes:
    return converted(INT8)


@pytest.fixture(scope="module")
def partly() -> bytes:
    return converted(INT8.model_copy(update={"float_layers": CHOSEN}))


def operations(content: bytes) -> list[tuple[str, str, Any]]:
    """Return each operation's kind, the type of its output, and its second input if constant."""
    model: Any = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    graph = model.subgraphs[0]
    kinds = {code: name for name, code in vars(schema.BuiltinOperator).items()}
    types = {code: name for name, code in vars(schema.TensorType).items()}
    found: list[tuple[str, str, Any]] = []
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        kind = kinds[max(code.builtinCode, code.deprecatedBuiltinCode)]
        weights = None
        if len(operator.inputs) > 1:
            weights = model.buffers[graph.tensors[operator.inputs[1]].buffer].data
        found.append((kind, types[graph.tensors[operator.outputs[0]].type], weights))
    return found


def test_only_the_linear_layers_of_an_encoder_block_are_int8(plain: bytes) -> None:
    types: dict[str, set[str]] = {}
    for kind, dtype, _ in operations(plain):
        types.setdefault(kind, set()).add(dtype)
    for kind in ("BATCH_MATMUL", "SOFTMAX", "ADD", "MUL", "RSQRT", "SUB"):
        assert types[kind] == {"FLOAT32"}, kind
    assert types["CONV_2D"] == types["FULLY_CONNECTED"] == {"INT8"}


def test_only_the_named_layers_are_float32(partly: bytes) -> None:
    model = Tiny().eval()
    found = [(kind, w) for kind, dtype, w in operations(partly) if dtype == "FLOAT32"]
    (linear,) = [w for kind, w in found if kind == "FULLY_CONNECTED"]
    (convolution,) = [w for kind, w in found if kind == "CONV_2D"]
    # Query, key and value have the same shape and, in the file, the same name.
    expected = model.block.attention.key.weight.detach().numpy()
    kept = np.frombuffer(bytes(linear), np.float32)
    np.testing.assert_array_equal(np.sort(kept), np.sort(expected, axis=None))
    # Batch norm has mean 0 and variance 1 here: folded in, it divides by sqrt(1 + 1e-5).
    folded = model.stem[0].get_parameter("weight").detach().numpy() / np.sqrt(1 + 1e-5)
    kept = np.frombuffer(bytes(convolution), np.float32)
    np.testing.assert_allclose(np.sort(kept), np.sort(folded, axis=None), rtol=1e-6)
    int8 = [kind for kind, dtype, _ in operations(partly) if dtype == "INT8"]
    assert int8.count("FULLY_CONNECTED") == 6


def test_every_call_of_a_named_layer_is_float32() -> None:
    content = converted(INT8.model_copy(update={"float_layers": ("shared",)}), Twice())
    types = [dtype for kind, dtype, _ in operations(content) if kind == "CONV_2D"]
    assert types == ["FLOAT32", "FLOAT32", "INT8"]


def test_a_file_with_float_layers_runs_and_agrees(partly: bytes, tmp_path: Path) -> None:
    path = tmp_path / "partly.tflite"
    path.write_bytes(partly)
    x = np.random.default_rng(1).normal(size=(1, 2, 64)).astype(np.float32)
    with torch.no_grad():
        expected = Tiny().eval()(torch.from_numpy(x)).numpy()
    found = runtimes.for_file(path).load(path).run(x)
    np.testing.assert_allclose(found, expected, atol=0.05)


def test_a_layer_that_the_file_does_not_have_is_named(partly: bytes) -> None:
    with pytest.raises(ExportError, match=r"'block\.attention\.kee' cannot be kept in float32"):
        _precision.layer_scopes(partly, Tiny().eval(), ["block.attention.kee"])
    # It is there, but in int8.
    with pytest.raises(ExportError, match=r"'head' cannot be kept.*no operation with its weights"):
        _precision.layer_scopes(partly, Tiny().eval(), ["head"])
