"""Small ONNX files for the latency breakdown and for calibration.

They are written without the package ``onnx``, which is not installed on a device: a dozen fields of
``onnx.proto3`` (ModelProto, GraphProto, NodeProto, AttributeProto, TensorProto, ValueInfoProto),
whose numbers never change, in the protocol-buffer wire format.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edgeecg.runtimes import _ladder

_SIZE = 256
_FLOAT, _INT8 = 1, 3
_INTS = 7
_IR_VERSION = 8
_OPSET = 17

_Layer = Callable[[str, str, str], bytes]
"""Encodes an operation on the tensor, with the weights, with the result of these names."""


def empty() -> bytes:
    """Return a model with one Identity on one number, which costs only the call itself."""
    return _model(_node("Identity", ["x"], "y"), b"", (1,), (1,))


def matrix_product() -> tuple[bytes, int]:
    """Return a float32 product of two 256 x 256 matrices and its MACs (256 cubed)."""
    return _dense(_SIZE, _SIZE, _SIZE), _SIZE**3


def ladder() -> Iterator[tuple[str, bytes]]:
    """Yield graphs of increasing size with their names, in float32 and in int8.

    int8 is in the QDQ format, as ``edgeecg export`` writes it.
    """
    yield from _ladder.graphs(_dense, _convolutions, _one_lead, _maxima)


def _dense(rows: int, inputs: int, outputs: int, quantised: bool = False) -> bytes:
    def product(x: str, weights: str, y: str) -> bytes:
        return _node("MatMul", [x, weights], y)

    return _chain([product], (inputs, outputs), ((rows, inputs), (rows, outputs)), quantised)


def _convolutions(samples: int, channels: int, kernel: int, layers: int, quantised: bool) -> bytes:
    """Return convolutions over time, one after another, of equal numbers of channels."""
    shape = (1, channels, samples)
    layer = functools.partial(_convolution, kernel=kernel)
    return _chain([layer] * layers, (channels, channels, kernel), (shape, shape), quantised)


def _one_lead(samples: int, channels: int, kernel: int, quantised: bool) -> bytes:
    shapes = ((1, 1, samples), (1, channels, samples))
    layer = functools.partial(_convolution, kernel=kernel)
    return _chain([layer], (channels, 1, kernel), shapes, quantised)


def _chain(
    layers: Sequence[_Layer],
    weights: tuple[int, ...],
    shapes: tuple[tuple[int, ...], tuple[int, ...]],
    quantised: bool,
) -> bytes:
    """Return operations one after another, each with weights of its own.

    Args:
        layers: Encode the operations.
        weights: Shape of the weights of each.
        shapes: Shapes of input and output.
        quantised: Whether weights and activations are int8: every operation stands between
            DequantizeLinear and QuantizeLinear, which ONNX Runtime replaces by its int8 kernels.
    """
    nodes: list[bytes] = []
    stored: list[bytes] = []
    place = "x"
    if quantised:
        stored += [_scalar("scale", 1 / 127), _scalar("zero", 0)]
        place = _quantised("x", "x_int8", nodes)
    for number, layer in enumerate(layers):
        name = f"w{number}"
        stored.append(_initializer(f"{name}_int8" if quantised else name, weights, quantised))
        if quantised:
            nodes.append(_node("DequantizeLinear", [f"{name}_int8", "scale", "zero"], name))
        last = number == len(layers) - 1
        y = "y" if last and not quantised else f"a{number}"
        nodes.append(layer(place, name, y))
        place = _quantised(y, "y" if last else f"a{number}_float", nodes) if quantised else y
    return _graph(nodes, b"".join(stored), *shapes)


def _quantised(name: str, result: str, nodes: list[bytes]) -> str:
    """Add what quantises a tensor and dequantises it again, and return the result's name."""
    nodes.append(_node("QuantizeLinear", [name, "scale", "zero"], f"{name}_quantised"))
    nodes.append(_node("DequantizeLinear", [f"{name}_quantised", "scale", "zero"], result))
    return result


def _maxima(samples: int, channels: int, kernel: int, quantised: bool) -> bytes | None:
    """Return a pooling in float32; its operation says nothing of int8 in this format."""
    if quantised:
        return None
    attributes = _integers("kernel_shape", [kernel]) + _integers("strides", [kernel])
    node = _node("MaxPool", ["x"], "y") + attributes
    return _model(node, b"", (1, channels, samples), (1, channels, samples // kernel))


def _convolution(x: str, weights: str, y: str, kernel: int) -> bytes:
    """Encode a convolution whose output is as long as its input."""
    pads = _integers("pads", [kernel // 2, kernel // 2])
    return _node("Conv", [x, weights], y) + _integers("kernel_shape", [kernel]) + pads


def _initializer(name: str, shape: tuple[int, ...], quantised: bool) -> bytes:
    weights = np.random.default_rng(0).uniform(-1, 1, shape)
    return _tensor(name, np.round(weights * 127).astype("i1") if quantised else weights)


def _scalar(name: str, value: float) -> bytes:
    """Encode a float32, or an int8 where the value is a whole number."""
    return _tensor(name, np.array(value, "i1" if isinstance(value, int) else "<f4"))


def _tensor(name: str, values: NDArray[np.generic]) -> bytes:
    small = values.dtype == np.int8
    content = values if small else values.astype("<f4")
    tensor = b"".join(_field(1, size) for size in values.shape)
    tensor += _field(2, _INT8 if small else _FLOAT)
    return _field(5, tensor + _field(8, name) + _field(9, content.tobytes()))


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
