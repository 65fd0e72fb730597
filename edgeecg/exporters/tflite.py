"""TFLite through litert-torch, in float32 or quantised by ai-edge-quantizer."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import litert_torch
import numpy as np
import torch
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils
from numpy.typing import NDArray
from torch import nn

from edgeecg.costs import tflite_file
from edgeecg.exporters import _tensor_names, _tflite_lstm
from edgeecg.exporters._batch_norm import fold_batch_norm
from edgeecg.exporters._explicit_padding import ExplicitPadding
from edgeecg.exporters._tflite_packing import packed
from edgeecg.exporters._tflite_simplify import simplified
from edgeecg.schema import MANIFEST_KEY, ExportRecipe

PACKAGES = ("torch", "litert-torch", "ai-edge-litert", "ai-edge-quantizer")

_SMALL_BYTES = 16 * 1024
"""Size of a graph below which its manifest is compressed."""


@dataclass(frozen=True)
class Converted:
    """A model in float32, before any quantisation.

    Attributes:
        content: The TFLite file.
        model: The module that was converted: batch normalisation is folded, LSTM layers are
            replaced.
        recurrent: Names of the LSTM layers.
    """

    content: bytes
    model: nn.Module
    recurrent: tuple[str, ...]


def export(
    model: nn.Module,
    recipe: ExportRecipe,
    calibration: NDArray[np.float32],
    sample_shape: tuple[int, int],
) -> bytes:
    """Convert a model to TFLite; see :class:`edgeecg.exporters.Exporter`.

    Raises:
        ExportError: An LSTM layer is of a kind that cannot be written, or a layer that is to stay
            in float32 was not found in the file.
        SchemaError: ``recipe.float_ops`` names an operation that the quantiser does not know.
    """
    return write(to_float32(model, sample_shape), recipe, calibration)


def to_float32(model: nn.Module, sample_shape: tuple[int, int]) -> Converted:
    """Convert a model to TFLite in float32, with the converter's names of tensors.

    Raises:
        ExportError: An LSTM layer is of a kind that cannot be written.
    """
    sample = torch.zeros(1, *sample_shape)
    folded = fold_batch_norm(model, sample_shape)
    plain, layers = _tflite_lstm.replace_lstms(folded, sample_shape)
    with ExplicitPadding():
        content: bytes = litert_torch.convert(plain, (sample,)).model_content()
    if layers:
        converted: Any = flatbuffer_utils.read_model_from_bytearray(content)
        _tflite_lstm.restore_lstms(converted, layers)
        content = packed(converted)
    return Converted(simplified(content, sample_shape), plain, tuple(layers))


def write(converted: Converted, recipe: ExportRecipe, calibration: NDArray[np.float32]) -> bytes:
    """Return a file of a target; see :class:`edgeecg.exporters.Exporter`.

    Raises:
        ExportError: A layer that is to stay in float32 was not found in the file.
        SchemaError: ``recipe.float_ops`` names an operation that the quantiser does not know.
    """
    if recipe.dtype == "float32":
        return finished(converted.content)
    # The quantiser needs seconds to import.
    from edgeecg.exporters import _tflite_quantize

    return finished(_tflite_quantize.quantize(converted, recipe, calibration))


def finished(content: bytes) -> bytes:
    """Return a file whose tensors have short names."""
    graph: Any = flatbuffer_utils.read_model_from_bytearray(content)
    _tensor_names.shorten(graph)
    return packed(graph)


def embed(content: bytes, manifest_json: str) -> bytes:
    """Return the same model with the manifest as a metadata entry.

    In a small model the text would be longer than the weights. There it is compressed by zlib;
    :func:`edgeecg.costs.tflite_file.metadata` reads both forms.
    """
    model: Any = flatbuffer_utils.read_model_from_bytearray(content)
    entry: Any = schema.MetadataT()
    entry.name = MANIFEST_KEY.encode()
    entry.buffer = len(model.buffers)
    model.metadata = [*(model.metadata or []), entry]
    buffer: Any = schema.BufferT()
    text = manifest_json.encode()
    small = len(content) < _SMALL_BYTES
    buffer.data = tflite_file.COMPRESSED + zlib.compress(text, 9) if small else text
    model.buffers.append(buffer)
    return packed(model)
