"""LSTM layers that stay float32 in an int8 TFLite file although the target asks for int8."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgeecg.schema import ExportRecipe, LayerCost

OPERATION = "UNIDIRECTIONAL_SEQUENCE_LSTM"
"""TFLite's LSTM, as ``float_ops`` of a target names it.

The one operation there that :mod:`edgeecg.exporters._lstm_int8` quantises.
"""

_STATE = (
    "The LSTM layers stay in float32. In int8, the outputs for some calibration windows depended "
    "on the window before: the steps that clear the state did not clear all of it."
)
_INPUT = "LSTM layers stay in float32 because the operation before them is in float32."


def reasons(content: bytes, recipe: ExportRecipe, layers: Sequence[LayerCost]) -> dict[str, str]:
    """Return why LSTM layers are in float32, by operation; empty where none is or was asked to be.

    Args:
        content: A file of the target.
        recipe: The target.
        layers: The operations of the file.
    """
    in_int8 = recipe.dtype == "int8" and recipe.activation_dtype in (None, "int8")
    if recipe.format != "tflite" or not in_int8 or OPERATION in recipe.float_ops:
        return {}
    if not any(each.op == OPERATION and each.dtype == "float32" for each in layers):
        return {}
    if not any(each.dtype == "int8" for each in layers):
        # A search left the whole file in float32.
        return {}
    return {OPERATION: _STATE if _could_be_int8(content) else _INPUT}


def _could_be_int8(content: bytes) -> bool:
    """Whether a file has LSTM operations in float32 whose input is in int8."""
    # The packages of the converter print warnings while they are imported.
    from ai_edge_litert.tools import flatbuffer_utils

    from edgeecg.exporters import _lstm_int8

    graph: Any = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    return _lstm_int8.store(graph) > 0
