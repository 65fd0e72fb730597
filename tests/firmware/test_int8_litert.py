"""The kernels against LiteRT's reference kernels, on one-operation models."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from int8_library import Int8, Int32, Library, Scaling

# LiteRT and its generated schema carry no types.
interpreter: Any = pytest.importorskip("ai_edge_litert.interpreter")
schema: Any = pytest.importorskip("ai_edge_litert.schema_py_generated")
flatbuffers: Any = pytest.importorskip("flatbuffers")


@dataclass(frozen=True)
class Layer:
    """A quantised layer in LiteRT's terms; weights ``(outputs, ...)``, a scale for each output."""

    x: Int8
    weights: Int8
    bias: Int32
    input_scale: float
    output_scale: float
    weight_scales: npt.NDArray[np.float32]
    input_zero_point: int
    output_zero_point: int

    def scaling(self) -> Scaling:
        """Split each real multiplier into 31 bits and a power of two, as TFLite's spec does."""
        factors = (
            float(np.float32(self.input_scale)) * self.weight_scales.astype(np.float64)
        ) / float(np.float32(self.output_scale))
        parts = [math.frexp(float(factor)) for factor in factors]
        multiplier = [round(mantissa * 2**31) for mantissa, _ in parts]
        assert all(2**30 <= m < 2**31 for m in multiplier)
        return Scaling(
            self.input_zero_point,
            self.output_zero_point,
            np.array(multiplier, dtype=np.int32),
            np.array([exponent for _, exponent in parts], dtype=np.int32),
            self.bias,
        )


def _layer(seed: int, x_shape: tuple[int, ...], weights_shape: tuple[int, ...]) -> Layer:
    draw = np.random.default_rng(seed)
    outputs = weights_shape[0]
    return Layer(
        x=draw.integers(-128, 128, x_shape).astype(np.int8),
        weights=draw.integers(-127, 128, weights_shape).astype(np.int8),
        bias=draw.integers(-9000, 9000, outputs).astype(np.int32),
        input_scale=0.021,
        output_scale=0.35,
        weight_scales=draw.uniform(0.002, 0.02, outputs).astype(np.float32),
        input_zero_point=int(draw.integers(-128, 128)),
        output_zero_point=int(draw.integers(-40, 40)),
    )


def _tensor(name: str, shape: list[int], kind: int, buffer: int, scales: Any, zero: Any) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = name, shape, kind, buffer
    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale = np.asarray(scales, dtype=np.float32)
    tensor.quantization.zeroPoint = np.asarray(zero, dtype=np.int64)
    tensor.quantization.quantizedDimension = 0
    return tensor


def _buffer(content: bytes = b"") -> Any:
    buffer = schema.BufferT()
    buffer.data = list(content) or None
    return buffer


def _run(layer: Layer, code: int, options: tuple[int, Any], out_shape: list[int]) -> Int8:
    """Write a model of one operation and run it with LiteRT's reference kernels."""
    int8, int32 = schema.TensorType.INT8, schema.TensorType.INT32
    outputs = len(layer.bias)
    bias_scales = np.float32(layer.input_scale) * layer.weight_scales
    none = np.zeros(outputs)
    conv = layer.weights.ndim == 3
    x_shape = [1, 1, *layer.x.shape] if conv else [1, *layer.x.shape]
    weights = layer.weights.shape
    w_shape = [weights[0], 1, *weights[1:]] if conv else list(weights)
    graph = schema.SubGraphT()
    graph.tensors = [
        _tensor("x", x_shape, int8, 1, [layer.input_scale], [layer.input_zero_point]),
        _tensor("w", w_shape, int8, 2, layer.weight_scales, none),
        _tensor("b", [outputs], int32, 3, bias_scales, none),
        _tensor("y", out_shape, int8, 4, [layer.output_scale], [layer.output_zero_point]),
    ]
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0, 1, 2], [3]
    operator.builtinOptionsType, operator.builtinOptions = options
    graph.inputs, graph.outputs, graph.operators = [0], [3], [operator]
    opcode = schema.OperatorCodeT()
    opcode.builtinCode = opcode.deprecatedBuiltinCode = code
    opcode.version = 5
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs = 3, [opcode], [graph]
    model.buffers = [
        *(_buffer(), _buffer(), _buffer(layer.weights.tobytes())),
        *(_buffer(layer.bias.astype("<i4").tobytes()), _buffer()),
    ]
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    run = interpreter.Interpreter(
        model_content=bytes(builder.Output()),
        experimental_op_resolver_type=interpreter.OpResolverType.BUILTIN_REF,
        num_threads=1,
    )
    run.allocate_tensors()
    run.set_tensor(run.get_input_details()[0]["index"], layer.x.reshape(x_shape))
    run.invoke()
    found: Int8 = run.get_tensor(run.get_output_details()[0]["index"])
    return found


@pytest.mark.parametrize("seed", range(12))
def test_fully_connected_equals_litert(kernels: Library, seed: int) -> None:
    layer = _layer(seed, (48,), (11, 48))
    options = schema.FullyConnectedOptionsT()
    expected = _run(
        layer,
        schema.BuiltinOperator.FULLY_CONNECTED,
        (schema.BuiltinOptions.FullyConnectedOptions, options),
        [1, 11],
    )
    ours = kernels.fully_connected(layer.x, layer.weights, layer.scaling())
    assert len(np.unique(ours)) > 5
    np.testing.assert_array_equal(ours, expected[0])


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("stride", [1, 2])
def test_conv1d_equals_litert(kernels: Library, seed: int, stride: int) -> None:
    layer = _layer(seed, (32, 3), (8, 5, 3))
    options = schema.Conv2DOptionsT()
    options.padding = schema.Padding.SAME
    options.strideH = options.dilationHFactor = options.dilationWFactor = 1
    options.strideW = stride
    length = 32 // stride
    # SAME: as many outputs as steps; what is over of the padding goes to the right.
    over = (length - 1) * stride + 5 - 32
    expected = _run(
        layer,
        schema.BuiltinOperator.CONV_2D,
        (schema.BuiltinOptions.Conv2DOptions, options),
        [1, 1, length, 8],
    )
    pad = (over // 2, over - over // 2)
    ours = kernels.conv1d(layer.x, layer.weights, layer.scaling(), stride, pad)
    assert len(np.unique(ours)) > 5
    np.testing.assert_array_equal(ours, expected[0, 0])
