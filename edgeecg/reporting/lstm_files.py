"""Files with LSTM layers, measured in LiteRT and in ONNX Runtime in one call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgeecg.costs import lstm_runtimes
from edgeecg.schema import BenchResult

_Key = tuple[str | None, int, str]


def lines(results: Sequence[BenchResult]) -> list[str]:
    """Return a sentence for every ``tflite`` file that is slower than the ``onnx`` file beside it.

    Args:
        results: What one call of ``edgeecg bench`` measured.
    """
    onnx = {key: each for each in results if (key := _key(each, "onnx")) is not None}
    found: list[str] = []
    for each in results:
        key = _key(each, "tflite")
        if key in onnx and each.artifact.manifest is not None:
            said = lstm_runtimes.sentence(
                _timed(each), _timed(onnx[key]), each.artifact.manifest.layers
            )
            found += [] if said is None else [said]
    return found


def _key(result: BenchResult, target: str) -> _Key | None:
    """Return what the files of a model have in common that may be compared; None for others."""
    manifest = result.artifact.manifest
    if manifest is None or manifest.target != target:
        return None
    return result.host, result.latency.threads, manifest.weights_sha256


def _timed(result: BenchResult) -> tuple[str, float]:
    return Path(result.artifact.file).name, result.latency.p50_s
