"""Static int8 of an ONNX file (QDQ format) with ONNX Runtime's quantiser."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
)
from onnxruntime.quantization.quantize import quantize_static
from onnxruntime.quantization.registry import QDQRegistry

from edgeecg.costs.attribution import module_of
from edgeecg.costs.count_onnx import MULTIPLYING
from edgeecg.errors import ExportError, SchemaError
from edgeecg.schema import ExportRecipe

# A unit that is 0 on all windows would get a scale of 0.
_SMALLEST_RANGE = 1e-6


class _Windows(CalibrationDataReader):
    """Feeds the calibration windows to the quantiser, one at a time."""

    def __init__(self, name: str, windows: NDArray[np.float32]) -> None:
        self._name = name
        self._left: Iterator[NDArray[np.float32]] = iter(windows)

    def get_next(self) -> dict[str, NDArray[np.float32]]:
        """Return the next input; empty at the end."""
        window = next(self._left, None)
        return {} if window is None else {self._name: window[np.newaxis]}


def quantize(
    model: onnx.ModelProto, recipe: ExportRecipe, calibration: NDArray[np.float32]
) -> onnx.ModelProto:
    """Return a model with QuantizeLinear and DequantizeLinear around its operations.

    Weights are symmetric with a scale for each channel. Activations have one scale and zero point;
    their ranges are the widest on the calibration windows.

    Args:
        model: A model in float32, whose nodes have the names of their layers.
        recipe: ``float_ops`` (operation types of ONNX) and ``float_layers`` stay in float32.
        calibration: Training windows ``(n, leads, samples)``.

    Raises:
        SchemaError: ``recipe.float_ops`` names an operation that the quantiser does not know, or
            the recipe has ``float_modules``, which only TFLite files know.
        ExportError: A layer that is to stay in float32 was not found.
    """
    with tempfile.TemporaryDirectory(prefix="edgeecg-") as folder:
        path = Path(folder) / "int8.onnx"
        quantize_static(
            model,
            path,
            _Windows(model.graph.input[0].name, calibration),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=_types(recipe),
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=_excluded(model, recipe),
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"MinimumRealRange": _SMALLEST_RANGE},
        )
        quantized = onnx.load(path)
    del quantized.metadata_props[:]
    quantized.producer_name, quantized.producer_version = model.producer_name, ""
    return quantized


def _types(recipe: ExportRecipe) -> list[str]:
    registry: dict[str, Any] = QDQRegistry
    known = sorted({*registry, *_COMMON})
    if recipe.float_modules:
        raise SchemaError(
            f"The target '{recipe.name}' cannot be exported.",
            "It has float_modules, and the operations of an ONNX file are kept in float32 by "
            "their type.",
            f"Name types of operations in float_ops in export/{recipe.name}.toml instead.",
        )
    unknown = sorted(set(recipe.float_ops) - set(known))
    if unknown:
        raise SchemaError(
            f"The target '{recipe.name}' cannot be exported.",
            f"Its float_ops name {', '.join(unknown)}; known are {', '.join(known)}.",
            f"Correct float_ops in export/{recipe.name}.toml.",
        )
    return [name for name in known if name not in recipe.float_ops]


def _excluded(model: onnx.ModelProto, recipe: ExportRecipe) -> list[str]:
    # A layer that is called twice has two nodes.
    nodes: dict[str, list[str]] = {}
    for node in model.graph.node:
        if node.op_type in MULTIPLYING:
            nodes.setdefault(module_of(node.name), []).append(node.name)
    missing = [name for name in recipe.float_layers if name not in nodes]
    if missing:
        raise ExportError(
            f"The layer '{missing[0]}' cannot be kept in float32.",
            "The converted file has no operation of this name.",
            "Remove it from the float layers of the run's quantization.json, or compress again.",
        )
    return [name for layer in recipe.float_layers for name in nodes[layer]]


# Operations without a rule of their own, whose inputs and outputs are quantised.
_COMMON = ("Add", "Concat", "GlobalAveragePool", "Mul", "ReduceMean", "Sigmoid", "Softmax")
