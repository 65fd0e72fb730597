"""TFLite through litert-torch, in float32 or quantised by ai-edge-quantizer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import litert_torch
import numpy as np
import torch
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils
from numpy.typing import NDArray
from torch import nn

from edgeecg.errors import ExportError
from edgeecg.exporters import _tensor_names, _tflite_lstm
from edgeecg.exporters._batch_norm import fold_batch_norm
from edgeecg.exporters._explicit_padding import ExplicitPadding
from edgeecg.schema import MANIFEST_KEY, ExportRecipe

PACKAGES = ("torch", "litert-torch", "ai-edge-litert", "ai-edge-quantizer")

_ALIGNMENT = 16
_SIGNATURE = "serving_default"
_SIGNATURE_INPUT = "args_0"


def export(
    model: nn.Module,
    recipe: ExportRecipe,
    calibration: NDArray[np.float32],
    sample_shape: tuple[int, int],
) -> bytes:
    """Convert a model to TFLite; see :class:`edgeecg.exporters.Exporter`.

    Raises:
        ExportError: An LSTM layer is of a kind that cannot be written, a layer that is to stay in
            float32 was not found in the file, or only weights are to be quantised and the model has
            LSTM layers.
        SchemaError: ``recipe.float_ops`` names an operation that the quantiser does not know.
    """
    sample = torch.zeros(1, *sample_shape)
    folded = fold_batch_norm(model, sample_shape)
    plain, layers = _tflite_lstm.replace_lstms(folded, sample_shape)
    with ExplicitPadding():
        content: bytes = litert_torch.convert(plain, (sample,)).model_content()
    if layers:
        converted: Any = flatbuffer_utils.read_model_from_bytearray(content)
        _tflite_lstm.restore_lstms(converted, layers)
        content = _packed(converted)
    by_kernels = recipe.dtype == "int8" and recipe.activation_dtype == "float32"
    if recipe.dtype == "float16" or by_kernels:
        content = _compress_weights(content, plain, recipe, list(layers))
    elif recipe.dtype == "int8":
        content = _quantize(content, plain, recipe, calibration, list(layers))
    graph: Any = flatbuffer_utils.read_model_from_bytearray(content)
    _tensor_names.shorten(graph)
    return _packed(graph)


def embed(content: bytes, manifest_json: str) -> bytes:
    """Return the same model with the manifest as a metadata entry."""
    model: Any = flatbuffer_utils.read_model_from_bytearray(content)
    entry: Any = schema.MetadataT()
    entry.name = MANIFEST_KEY.encode()
    entry.buffer = len(model.buffers)
    model.metadata = [*(model.metadata or []), entry]
    buffer: Any = schema.BufferT()
    buffer.data = manifest_json.encode()
    model.buffers.append(buffer)
    return _packed(model)


def _packed(model: Any) -> bytes:
    """Serialise a ``ModelT`` with its buffers aligned.

    The TFLite schema requires buffers at multiples of 16 bytes, so that a runtime can use the
    weights in place; neither the converter nor the generated Python packer aligns them.
    """
    model.buffers = [
        _AlignedBuffer(None if buffer.data is None else bytes(buffer.data))
        for buffer in model.buffers
    ]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


class _AlignedBuffer:
    """A ``BufferT`` that is packed at a multiple of 16 bytes."""

    def __init__(self, data: bytes | None) -> None:
        self.data = data

    def Pack(self, builder: Any) -> int:  # noqa: N802 - the name that ModelT.Pack calls
        vector = None
        if self.data:
            builder.StartVector(1, len(self.data), _ALIGNMENT)
            builder.head -= len(self.data)
            builder.Bytes[builder.head : builder.head + len(self.data)] = self.data
            vector = builder.EndVector()
        schema.BufferStart(builder)
        if vector is not None:
            schema.BufferAddData(builder, vector)
        return int(schema.BufferEnd(builder))


def _quantize(
    content: bytes,
    plain: nn.Module,
    recipe: ExportRecipe,
    calibration: NDArray[np.float32],
    recurrent: Sequence[str],
) -> bytes:
    """Quantise weights and activations to int8, except LSTMs and what the recipe keeps in float32.

    The ranges of the activations are measured here, on the calibration windows. Those of a
    quantisation-aware run were measured in the same way on the same windows
    (:mod:`edgeecg.quantization.fake_quantized`).
    """
    from ai_edge_quantizer.calibrator import Calibrator
    from ai_edge_quantizer.quantizer import Quantizer
    from ai_edge_quantizer.utils.qsv_utils import min_max_update

    from edgeecg.exporters import _precision

    kept = _precision.layer_scopes(content, plain, recipe.float_layers)
    manager = _precision.quantizer_recipe(recipe, recurrent, kept)
    # The widest range seen. The library's default is a running mean, which clips the beats with the
    # largest activations, and these are the abnormal ones.
    calibrator = Calibrator(content, num_threads=1, qsv_update_func=min_max_update)
    windows = [{_SIGNATURE_INPUT: window[np.newaxis]} for window in calibration]
    calibrator.calibrate({_SIGNATURE: windows}, manager)
    quantizer = Quantizer(content, manager.get_quantization_recipe())
    ranges = _with_nonzero_width(calibrator.get_model_qsvs())
    result: Any = quantizer.quantize(ranges, enable_progress_report=False)
    return bytes(result.quantized_model)


def _compress_weights(
    content: bytes, plain: nn.Module, recipe: ExportRecipe, recurrent: Sequence[str]
) -> bytes:
    """Store the weights in the type of the recipe, except for what the recipe keeps in float32."""
    from ai_edge_quantizer.quantizer import Quantizer

    from edgeecg.exporters import _precision

    if recurrent:
        raise ExportError(
            f"The target '{recipe.name}' cannot be exported.",
            f"The quantiser leaves the weights of LSTM layers ({', '.join(recurrent)}) in float32, "
            "so that the file would be about as large as that of the target tflite.",
            "Choose --target tflite or onnx, or compress the model to make it smaller.",
        )
    kept = _precision.layer_scopes(content, plain, recipe.float_layers)
    manager = _precision.quantizer_recipe(recipe, recurrent, kept)
    quantizer = Quantizer(content, manager.get_quantization_recipe())
    result: Any = quantizer.quantize(enable_progress_report=False)
    return bytes(result.quantized_model)


def _with_nonzero_width(ranges: Any) -> Any:
    """Set the range of tensors that were 0 on every calibration window to 0 to 1.

    The quantiser would use a scale near 0, and LiteRT refuses a layer whose output scale is that
    far below the scale of its input.
    """
    for found in ranges.values():
        if not np.any(found["min"]) and not np.any(found["max"]):
            found["max"] = np.ones_like(found["max"])
    return ranges
