"""Small ONNX files for the latency breakdown and for calibration.

They are written without the package ``onnx``, which is not installed on a device: a dozen fields of
``onnx.proto3`` (ModelProto, GraphProto, NodeProto, AttributeProto, TensorProto, ValueInfoProto),
whose numbers never change, in the protocol-buffer wire format.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edgeecg.runtimes import _ladder

_SIZE = 256
_FLOAT = 1
_INTS = 7
_IR_VERSION = 8
_OPSET = 17


def empty() -> bytes:
    """Return a model with one Identity on one number, which costs only the call itself."""
    return _model(_node("Identity", ["x"], "y"), b"", (1,), (1,))


def matrix_product() -> tuple[bytes, int]:
    """Return a float32 product of two 256 x 256 matrices and its MACs (256 cubed)."""
    return _dense(_SIZE, _SIZE, _SIZE), _SIZE**3


def ladder() -> Iterator[tuple[str, bytes]]:
    """Yield float32 graphs of increasing size with their names."""
    for size in _ladder.DENSE:
        yield _ladder.dense_name(*size, "float32"), _dense(*size)
    for size in _ladder.CONVOLUTIONS:
        yield _ladder.convolution_name(*size, "float32"), _convolutions(*size)
    for size in _ladder.DEPTHWISE:
        yield _ladder.one_lead_name(*size, "float32"), _one_lead(*size)
    for size in _ladder.POOLING:
        yield _ladder.maximum_name(*size, "float32"), _maxima(*size)


def _dense(rows: int, inputs: int, outputs: int) -> bytes:
    weights = _initializer("w", (inputs, outputs))
    return _model(_node("MatMul", ["x", "w"], "y"), weights, (rows, inputs), (rows, outputs))


def _convolutions(samples: int, channels: int, kernel: int, layers: int) -> bytes:
    """Return convolutions over time, one after another, of equal numbers of channels."""
    names = ["x", *(f"a{layer}" for layer in range(1, layers)), "y"]
    nodes = [
        _convolution(names[layer], f"w{layer}", names[layer + 1], kernel) for layer in range(layers)
    ]
    weights = [_initializer(f"w{layer}", (channels, channels, kernel)) for layer in range(layers)]
    shape = (1, channels, samples)
    return _graph(nodes, b"".join(weights), shape, shape)


def _one_lead(samples: int, channels: int, kernel: int) -> bytes:
    weights = _initializer("w", (channels, 1, kernel))
    node = _convolution("x", "w", "y", kernel)
    return _model(node, weights, (1, 1, samples), (1, channels, samples))


def _maxima(samples: int, channels: int, kernel: int) -> bytes:
    attributes = _integers("kernel_shape", [kernel]) + _integers("strides", [kernel])
    node = _node("MaxPool", ["x"], "y") + attributes
    return _model(node, b"", (1, channels, samples), (1, channels, samples // kernel))


def _convolution(x: str, weights: str, y: str, kernel: int) -> bytes:
    """Encode a convolution whose output is as long as its input."""
    pads = _integers("pads", [kernel // 2, kernel // 2])
    return _node("Conv", [x, weights], y) + _integers("kernel_shape", [kernel]) + pads


def _initializer(name: str, shape: tuple[int, ...]) -> bytes:
    weights = np.random.default_rng(0).uniform(-1, 1, shape).astype("<f4")
    tensor = b"".join(_field(1, size) for size in shape)
    return _field(5, tensor + _field(2, _FLOAT) + _field(8, name) + _field(9, weights.tobytes()))


def _integers(name: str, values: list[int]) -> bytes:
    """Encode an attribute of a node."""
    content = _field(1, name) + b"".join(_field(8, value) for value in values)
    return _field(5, content + _field(20, _INTS))


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
    return _graph([node], initializers, x, y)


def _graph(
    nodes: list[bytes], initializers: bytes, x: tuple[int, ...], y: tuple[int, ...]
) -> bytes:
    graph = b"".join(_field(1, node) for node in nodes) + _field(2, "graph") + initializers
    graph += _field(11, _value("x", x)) + _field(12, _value("y", y))
    return _field(1, _IR_VERSION) + _field(7, graph) + _field(8, _field(2, _OPSET))
