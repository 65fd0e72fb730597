"""Quantises a float32 TFLite file with ai-edge-quantizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils
from ai_edge_quantizer.calibrator import Calibrator
from ai_edge_quantizer.quantizer import Quantizer
from ai_edge_quantizer.recipe_manager import RecipeManager
from ai_edge_quantizer.utils.qsv_utils import min_max_update
from numpy.typing import NDArray

from edgeecg.exporters import _float_lstm, _lstm_int8, _lstm_weights, _precision
from edgeecg.schema import ExportRecipe

if TYPE_CHECKING:
    from edgeecg.exporters.tflite import Converted

_LOWEST = -128
_ORDERED = 32
_SIGNATURE = "serving_default"
_SIGNATURE_INPUT = "args_0"


def quantize(converted: Converted, recipe: ExportRecipe, calibration: NDArray[np.float32]) -> bytes:
    """Quantise a file as a recipe says.

    Args:
        converted: The float32 file.
        recipe: The target.
        calibration: Training windows ``(n, leads, samples)``; only used if the activations are
            quantised, too.

    Raises:
        ExportError: A layer that is to stay in float32 was not found in the file.
        SchemaError: ``recipe.float_ops`` names an operation that the quantiser does not know.
    """
    if recipe.dtype == "float16" or recipe.activation_dtype == "float32":
        return _weights_only(converted, recipe)
    ranges = measure_ranges(converted, recipe, calibration)
    return with_ranges(converted, recipe, ranges, calibration)


def measure_ranges(
    converted: Converted, recipe: ExportRecipe, calibration: NDArray[np.float32]
) -> Any:
    """Measure the ranges of the activations that a recipe quantises on the calibration windows.

    Those of a quantisation-aware run were measured in the same way on the same windows
    (:mod:`edgeecg.quantization.fake_quantized`).
    """
    # The widest range seen. The library's default is a running mean, which clips the beats with the
    # largest activations, and these are the abnormal ones.
    calibrator = Calibrator(converted.content, num_threads=1, qsv_update_func=min_max_update)
    windows = [{_SIGNATURE_INPUT: window[np.newaxis]} for window in calibration]
    calibrator.calibrate({_SIGNATURE: windows}, _rules(converted, recipe))
    return _with_nonzero_width(calibrator.get_model_qsvs())


def with_ranges(
    converted: Converted, recipe: ExportRecipe, ranges: Any, calibration: NDArray[np.float32]
) -> bytes:
    """Quantise weights and activations, except for what the recipe keeps in float32.

    Args:
        converted: The float32 file.
        recipe: The target.
        ranges: The result of :func:`measure_ranges`, for this recipe or one that quantises more.
        calibration: Training windows; they show whether an LSTM in int8 forgets the one before.
    """
    rules = _rules(converted, recipe).get_quantization_recipe()
    quantizer = Quantizer(converted.content, rules)
    result: Any = quantizer.quantize(ranges, enable_progress_report=False)
    content = _without_idle_relus(bytes(result.quantized_model))
    in_int8 = recipe.activation_dtype != "int16" and _float_lstm.OPERATION not in recipe.float_ops
    if not converted.recurrent or not in_int8:
        return content
    return _with_int8_lstms(content, calibration[:_ORDERED])


def _with_int8_lstms(content: bytes, windows: NDArray[np.float32]) -> bytes:
    """Store LSTM operations in int8, unless their state would pass on to the next window."""
    from edgeecg.exporters.tflite import packed

    model: Any = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    _lstm_int8.store(model)
    made = packed(model)
    return content if _lstm_int8.keeps_state(made, windows) else made


def _without_idle_relus(content: bytes) -> bytes:
    """Leave out the ReLU of an addition whose int8 output cannot be negative.

    If -128 stands for 0, every negative sum is rounded to it. XNNPACK has no addition with a ReLU
    and would run one after it.
    """
    from edgeecg.exporters.tflite import packed

    model: Any = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    graph = model.subgraphs[0]
    found = False
    for operator in graph.operators:
        code, y = model.operatorCodes[operator.opcodeIndex], graph.tensors[operator.outputs[0]]
        kind = max(code.builtinCode, code.deprecatedBuiltinCode)
        if kind != schema.BuiltinOperator.ADD or y.type != schema.TensorType.INT8:
            continue
        options, zero_points = operator.builtinOptions, y.quantization.zeroPoint
        relu = options.fusedActivationFunction == schema.ActivationFunctionType.RELU
        if relu and int(zero_points[0]) == _LOWEST:
            options.fusedActivationFunction = schema.ActivationFunctionType.NONE
            found = True
    return packed(model) if found else content


def _weights_only(converted: Converted, recipe: ExportRecipe) -> bytes:
    """Store the weights in the type of the recipe, except for what the recipe keeps in float32."""
    from edgeecg.exporters.tflite import packed

    rules = _rules(converted, recipe).get_quantization_recipe()
    quantizer = Quantizer(converted.content, rules)
    result: Any = quantizer.quantize(enable_progress_report=False)
    content = bytes(result.quantized_model)
    if not converted.recurrent:
        return content
    graph: Any = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    _lstm_weights.store(graph, "float16" if recipe.dtype == "float16" else "int8")
    return packed(graph)


def _rules(converted: Converted, recipe: ExportRecipe) -> RecipeManager:
    kept = _precision.layer_scopes(converted.content, converted.model, recipe.float_layers)
    return _precision.quantizer_recipe(recipe, converted.recurrent, kept)


def _with_nonzero_width(ranges: Any) -> Any:
    """Set the range of tensors that were 0 on every calibration window to 0 to 1.

    The quantiser would use a scale near 0, and LiteRT refuses a layer whose output scale is that
    far below the scale of its input.
    """
    for found in ranges.values():
        if not np.any(found["min"]) and not np.any(found["max"]):
            found["max"] = np.ones_like(found["max"])
    return ranges
