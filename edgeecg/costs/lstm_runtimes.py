"""Why LSTM layers are slow in LiteRT: beside ONNX Runtime, and in int8 on x86."""

from __future__ import annotations

from collections.abc import Iterable

from edgeecg.schema import LayerCost

WHY = (
    "LiteRT multiplies the inputs of an LSTM in every step anew, a matrix and one vector at a "
    "time; ONNX Runtime multiplies those of all steps at once"
)
WHY_INT8 = (
    "LiteRT has vector instructions for the integer products of an LSTM on ARM only, and on x86 "
    "computes them one by one"
)
_WORTH_SAYING = 1.3
_SUFFIX = "SEQUENCE_LSTM"


def in_int8(layers: Iterable[LayerCost]) -> bool:
    """Whether a file has LSTM operations whose products are in int8."""
    return any(each.op.endswith(_SUFFIX) and each.dtype == "int8" for each in layers)


def sentence(
    litert: tuple[str, float], onnxruntime: tuple[str, float], layers: Iterable[LayerCost]
) -> str | None:
    """Return by how much LiteRT is slower, and why; None where it is not or there is no LSTM.

    Args:
        litert: Name of a ``.tflite`` file, and its median time in seconds.
        onnxruntime: The same of the ``.onnx`` file of the same model.
        layers: The operations of the ``.tflite`` file.
    """
    ratio = litert[1] / onnxruntime[1]
    if ratio <= _WORTH_SAYING or not any(each.op.endswith(_SUFFIX) for each in layers):
        return None
    return f"{litert[0]} takes {ratio:.1f} times as long as {onnxruntime[0]}: {WHY}."
