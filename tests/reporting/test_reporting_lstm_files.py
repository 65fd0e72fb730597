"""Files with LSTM layers that were measured in LiteRT and in ONNX Runtime in one call."""

from __future__ import annotations

from typing import Any

import pytest
from timed_layers import result

from edgeecg.costs.lstm_runtimes import WHY
from edgeecg.reporting import lstm_files
from edgeecg.schema import BenchResult, LayerCost


def measured(target: str, p50_s: float, op: str, **changes: Any) -> BenchResult:
    """Return a result of a file with one operation."""
    layer = LayerCost(
        name="lstm",
        op=op,
        dtype="float32",
        macs=1,
        nonzero_fraction=1.0,
        weight_bytes=1,
        activation_bytes=1,
    )
    found = result(file=f"m-{target}.{target}", nodes=(layer,), layers=(), p50_s=p50_s)
    assert found.artifact.manifest is not None
    manifest = found.artifact.manifest.model_copy(update={"target": target, **changes})
    artifact = found.artifact.model_copy(update={"manifest": manifest})
    return found.model_copy(update={"artifact": artifact})


def test_the_slower_file_is_named_with_the_reason() -> None:
    slow = measured("tflite", 2.5e-3, "UNIDIRECTIONAL_SEQUENCE_LSTM")
    fast = measured("onnx", 1e-3, "LSTM")
    said = f"m-tflite.tflite takes 2.5 times as long as m-onnx.onnx: {WHY}."
    assert lstm_files.lines([slow, fast]) == lstm_files.lines([fast, slow]) == [said]


@pytest.mark.parametrize(
    ("tflite", "onnx"),
    [
        # 1.3 is within the limit.
        (measured("tflite", 1.3e-3, "UNIDIRECTIONAL_SEQUENCE_LSTM"), measured("onnx", 1e-3, "x")),
        (measured("tflite", 5e-3, "CONV_2D"), measured("onnx", 1e-3, "Conv")),
        # Files of another model, and of another precision.
        (
            measured("tflite", 5e-3, "UNIDIRECTIONAL_SEQUENCE_LSTM", weights_sha256="2" * 64),
            measured("onnx", 1e-3, "LSTM"),
        ),
        (
            measured("tflite-int8", 5e-3, "UNIDIRECTIONAL_SEQUENCE_LSTM"),
            measured("onnx", 1e-3, "LSTM"),
        ),
    ],
)
def test_nothing_is_said_of_other_pairs(tflite: BenchResult, onnx: BenchResult) -> None:
    assert lstm_files.lines([tflite, onnx]) == []
