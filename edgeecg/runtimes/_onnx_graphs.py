"""The two small ONNX files that the latency breakdown needs.

They are written without the package ``onnx``, which is not installed on a device: a dozen fields of
``onnx.proto3`` (ModelProto, GraphProto, NodeProto, TensorProto, ValueInfoProto), whose numbers
never change, in the protocol-buffer wire format.
"""

from __future__ import annotations

import numpy as np

_SIZE = 256
_FLOAT = 1
_IR_VERSION = 8
_OPSET = 17


def empty() -> bytes:
    """Return a model with one Identity on one number, which costs only the call itself."""
    return _model(_node("Identity", ["x"], "y"), b"", (1,), (1,))


def matrix_product() -> tuple[bytes, int]:
    """Return a float32 product of two 256 x 256 matrices and its MACs (256 cubed)."""
    weights = np.random.default_rng(0).uniform(-1, 1, (_SIZE, _SIZE)).astype("<f4")
    tensor = b"".join(_field(1, size) for size in weights.shape)
    tensor += _field(2, _FLOAT) + _field(8, "w") + _field(9, weights.tobytes())
    shape = (_SIZE, _SIZE)
    model = _model(_node("MatMul", ["x", "w"], "y"), _field(5, tensor), shape, shape)
    return model, _SIZE**3


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(number: int, value: int | str | bytes) -> bytes:
    """Encode one field: a varint for a number, length-delimited for text and messages."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _node(op: str, inputs: list[str], output: str) -> bytes:
    return b"".join(_field(1, name) for name in inputs) + _field(2, output) + _field(4, op)


def _value(name: str, shape: tuple[int, ...]) -> bytes:
    axes = b"".join(_field(1, _field(1, size)) for size in shape)
    return _field(1, name) + _field(2, _field(1, _field(1, _FLOAT) + _field(2, axes)))


def _model(node: bytes, initializers: bytes, x: tuple[int, ...], y: tuple[int, ...]) -> bytes:
    graph = _field(1, node) + _field(2, "graph") + initializers
    graph += _field(11, _value("x", x)) + _field(12, _value("y", y))
    return _field(1, _IR_VERSION) + _field(7, graph) + _field(8, _field(2, _OPSET))
