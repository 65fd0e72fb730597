"""The int8 file of tiny_rhythm: what it holds beside its weights is as short as it can be."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.tools import flatbuffer_utils

import edgeecg
from edgeecg import resources
from edgeecg.costs import tflite_file
from edgeecg.errors import ArtifactError
from edgeecg.exporters import exporter, quiet
from edgeecg.models import architecture, build
from edgeecg.schema import MANIFEST_KEY

LARGEST_BYTES = 15 * 1024

needs_records = pytest.mark.skipif(
    not os.environ.get("EDGEECG_DATA"), reason="needs the records: set EDGEECG_DATA to their parent"
)


@pytest.fixture(scope="module")
def content() -> bytes:
    """The file without a manifest, from random weights."""
    shape = architecture("tiny_rhythm").INPUT_SHAPE
    windows = np.random.default_rng(0).normal(size=(8, *shape)).astype(np.float32)
    recipe = resources.load_target("tflite-int8")
    with quiet():
        return exporter("tflite").export(build("tiny_rhythm").eval(), recipe, windows, shape)


@pytest.fixture
def embedded(content: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "model.tflite"
    path.write_bytes(exporter("tflite").embed(content, '{"name":"tiny µ"}' + " " * 5000))
    return path


def test_the_convolutions_need_no_padding_operation(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    found = Counter(each.op for each in tflite_file.read(path).operators)
    assert found["CONV_2D"] == 4
    assert found["PAD"] == 0
    assert found.total() == 17


def test_equal_vectors_are_written_once(content: bytes) -> None:
    tree: Any = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    # As the runtime's own packer writes it, which does not align the buffers either.
    plain = bytes(flatbuffer_utils.convert_object_to_bytearray(tree))
    again: Any = flatbuffer_utils.read_model_from_bytearray(bytearray(plain))
    assert len(content) < len(plain) - 1000
    for ours, theirs in zip(tree.subgraphs[0].tensors, again.subgraphs[0].tensors, strict=True):
        assert ours.name == theirs.name
        assert list(ours.shape) == list(theirs.shape)
        if theirs.quantization is not None and theirs.quantization.scale is not None:
            assert list(ours.quantization.scale) == list(theirs.quantization.scale)
            assert list(ours.quantization.zeroPoint) == list(theirs.quantization.zeroPoint)


def test_the_manifest_is_compressed_and_comes_back(embedded: Path, content: bytes) -> None:
    assert embedded.stat().st_size < len(content) + 300
    assert tflite_file.metadata(embedded, MANIFEST_KEY) == '{"name":"tiny µ"}' + " " * 5000


@pytest.mark.parametrize("damage", [slice(2, 12), slice(-4, None)])
def test_a_damaged_manifest_is_an_error(embedded: Path, damage: slice) -> None:
    tree: Any = flatbuffer_utils.read_model_from_bytearray(bytearray(embedded.read_bytes()))
    text = bytearray(tree.buffers[-1].data)
    text[damage] = b"\xff" * len(text[damage])
    tree.buffers[-1].data = bytes(text)
    embedded.write_bytes(bytes(flatbuffer_utils.convert_object_to_bytearray(tree)))
    with pytest.raises(ArtifactError, match="not a sound TFLite file"):
        tflite_file.metadata(embedded, MANIFEST_KEY)


@needs_records
@pytest.mark.system
def test_the_exported_file_is_at_most_15_kb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (made,) = edgeecg.export(targets=("tflite-int8",), model="tiny_rhythm")
    assert made.size_bytes is not None
    assert made.size_bytes <= LARGEST_BYTES
    assert made.validation is not None
    assert made.validation.drop <= 0.01
