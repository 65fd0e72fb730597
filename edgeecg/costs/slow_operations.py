"""Which operations of a file are slow, on which runtime, and why."""

from __future__ import annotations

from collections.abc import Callable

from edgeecg.costs import lstm_runtimes
from edgeecg.costs.file_graph import FileGraph, FileOperation
from edgeecg.schema import SlowOperations

_QUANTISE = frozenset({"QUANTIZE", "QuantizeLinear"})
_DEQUANTISE = frozenset({"DEQUANTIZE", "DequantizeLinear"})
_TRANSPOSE = frozenset({"TRANSPOSE", "Transpose"})
_FLOAT = frozenset({"float32", "float16", "float64", "bfloat16"})

# Operations for which the XNNPACK delegate of LiteRT has kernels for signed 8-bit tensors.
_XNNPACK_INT8 = frozenset(
    {"ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "DEQUANTIZE", "ELU"}
    | {"EXPAND_DIMS", "FULLY_CONNECTED", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "MAX_POOL_2D"}
    | {"MEAN", "MUL", "PAD", "QUANTIZE", "RELU", "RELU6", "RELU_N1_TO_1", "RESHAPE"}
    | {"RESIZE_BILINEAR", "SLICE", "SPLIT", "SQUEEZE", "STRIDED_SLICE", "SUB", "TANH", "TRANSPOSE"}
    | {"DEPTH_TO_SPACE", "SPACE_TO_DEPTH", "TRANSPOSE_CONV"}
)
# Operations that ONNX Runtime joins with the DequantizeLinear before and the QuantizeLinear after
# them to one operation on 8-bit tensors, or runs on them as they are.
_ORT_INT8 = frozenset(
    {"Add", "AveragePool", "Clip", "Concat", "Conv", "Flatten", "Gather", "Gemm"}
    | {"GlobalAveragePool", "LeakyRelu", "MatMul", "MaxPool", "Mul", "Pad", "ReduceMean", "Relu"}
    | {"Reshape", "Resize", "Sigmoid", "Slice", "Softmax", "Split", "Squeeze", "Transpose"}
    | {"Unsqueeze", "Where"}
)
_LOOPS = {
    **dict.fromkeys(
        (
            "UNIDIRECTIONAL_SEQUENCE_LSTM",
            "BIDIRECTIONAL_SEQUENCE_LSTM",
            "UNIDIRECTIONAL_SEQUENCE_RNN",
            "BIDIRECTIONAL_SEQUENCE_RNN",
        ),
        "It runs step by step, outside of XNNPACK: each step waits for the one before, and its "
        "products of a matrix and one vector are limited by reading the weights. ONNX Runtime "
        "multiplies the inputs of all steps at once.",
    ),
    "WHILE": "LiteRT interprets the graph of its body again in every step, outside of XNNPACK.",
    **dict.fromkeys(
        ("LSTM", "GRU", "RNN"),
        "It runs step by step: each step waits for the one before, and its products of a matrix "
        "and one vector are limited by reading the weights.",
    ),
    **dict.fromkeys(
        ("Loop", "Scan"), "ONNX Runtime interprets the graph of its body again in every step."
    ),
}


def find(graph: FileGraph, int8_dot_product: bool | None = None) -> tuple[SlowOperations, ...]:
    """Return what is slow in a file.

    Args:
        graph: The graph of the file.
        int8_dot_product: Whether this machine has int8 dot-product instructions; None if unknown.
    """
    found = [
        *_float_islands(graph),
        *_requantised(graph),
        *_transposes(graph),
        *_outside_xnnpack(graph),
        *_loops(graph),
        *_integer_lstms(graph),
        *_without_dot_product(graph, int8_dot_product),
        *_float16(graph),
        *_custom(graph),
    ]
    return tuple(found)


def _runtime(graph: FileGraph) -> str:
    return "litert" if graph.format == "tflite" else "onnxruntime"


def _indices(graph: FileGraph, chosen: Callable[[FileOperation], bool]) -> tuple[int, ...]:
    return tuple(index for index, each in enumerate(graph.operations) if chosen(each))


def _float_islands(graph: FileGraph) -> list[SlowOperations]:
    """Return groups of float operations between a dequantisation and a quantisation."""
    made_by = {place: i for i, each in enumerate(graph.operations) for place in each.outputs}
    inside = [_is_float(graph, each) for each in graph.operations]
    group = list(range(len(graph.operations)))

    def root(index: int) -> int:
        while group[index] != index:
            index = group[index]
        return index

    entered: set[int] = set()
    left: set[int] = set()
    for index, operation in enumerate(graph.operations):
        sources = [made_by[p] for p in operation.inputs if p in made_by]
        if inside[index]:
            for source in sources:
                if inside[source]:
                    group[root(source)] = root(index)
                elif _dequantises(graph, source):
                    entered.add(index)
        elif operation.op in _QUANTISE:
            left |= {source for source in sources if inside[source]}
    members: dict[int, list[int]] = {}
    for index, each in enumerate(inside):
        if each:
            members.setdefault(root(index), []).append(index)
    return [
        SlowOperations(
            kind="float_island",
            runtime=_runtime(graph),
            ops=tuple(indices),
            why=f"{_names(graph, indices)} in float32 inside of the int8 graph: the activations "
            "are converted to float32 before and to int8 after.",
        )
        for indices in members.values()
        if entered.intersection(indices) and left.intersection(indices)
    ]


def _is_float(graph: FileGraph, operation: FileOperation) -> bool:
    if operation.op in _QUANTISE | _DEQUANTISE:
        return False
    if graph.format == "onnx" and operation.op in _ORT_INT8:
        return False
    moving = graph.moving([*operation.inputs, *operation.outputs])
    return any(tensor.dtype in _FLOAT for tensor in moving)


def _dequantises(graph: FileGraph, index: int) -> bool:
    operation = graph.operations[index]
    return operation.op in _DEQUANTISE and bool(graph.moving(operation.inputs[:1]))


def _requantised(graph: FileGraph) -> list[SlowOperations]:
    made_by = {p: i for i, each in enumerate(graph.operations) for p in each.outputs}
    pairs: list[int] = []
    for index, operation in enumerate(graph.operations):
        source = made_by.get(operation.inputs[0]) if operation.inputs else None
        if source is None or operation.op not in _QUANTISE:
            continue
        if _dequantises(graph, source):
            pairs += [source, index]
    if not pairs:
        return []
    why = "A dequantisation is followed by a quantisation and nothing between them: both only copy."
    return [
        SlowOperations(
            kind="requantization", runtime=_runtime(graph), ops=tuple(sorted({*pairs})), why=why
        )
    ]


def _transposes(graph: FileGraph) -> list[SlowOperations]:
    indices = _indices(
        graph, lambda each: each.op in _TRANSPOSE and bool(graph.moving(each.inputs))
    )
    if not indices:
        return []
    counted = [graph.operations[index].cost for index in indices]
    moved = sum(cost.activation_bytes for cost in counted if cost is not None)
    why = f"They multiply nothing and read and write {moved:,} bytes of activations."
    return [SlowOperations(kind="transpose", runtime="all", ops=indices, why=why)]


def _outside_xnnpack(graph: FileGraph) -> list[SlowOperations]:
    if graph.format != "tflite":
        return []

    def leaves(operation: FileOperation) -> bool:
        moving = graph.moving([*operation.inputs, *operation.outputs])
        return (
            any(tensor.dtype == "int8" for tensor in moving)
            and operation.op not in _XNNPACK_INT8
            and operation.op not in _LOOPS
        )

    indices = _indices(graph, leaves)
    if not indices:
        return []
    why = (
        f"XNNPACK has no int8 kernels for {_kinds(graph, indices)}: LiteRT runs them with its "
        "older kernels, and the graph is split there."
    )
    return [SlowOperations(kind="outside_xnnpack", runtime="litert", ops=indices, why=why)]


def _loops(graph: FileGraph) -> list[SlowOperations]:
    found: dict[str, list[int]] = {}
    for index, operation in enumerate(graph.operations):
        if operation.op in _LOOPS:
            found.setdefault(_LOOPS[operation.op], []).append(index)
    return [
        SlowOperations(kind="recurrent_loop", runtime=_runtime(graph), ops=tuple(indices), why=why)
        for why, indices in found.items()
    ]


def _integer_lstms(graph: FileGraph) -> list[SlowOperations]:
    """Return LSTM operations of a TFLite file whose values are integers, and not only weights."""
    indices = _indices(
        graph,
        lambda each: (
            each.op.endswith("SEQUENCE_LSTM")
            and any(tensor.dtype == "int8" for tensor in graph.moving(each.inputs[:1]))
        ),
    )
    if not indices:
        return []
    why = f"{lstm_runtimes.WHY_INT8}: there they take longer in int8 than in float32."
    return [SlowOperations(kind="recurrent_loop", runtime="litert", ops=indices, why=why)]


def _without_dot_product(graph: FileGraph, here: bool | None) -> list[SlowOperations]:
    indices = _indices(
        graph,
        lambda each: each.cost is not None and each.cost.dtype == "int8" and each.cost.macs > 0,
    )
    if not indices or here:
        return []
    place = "This CPU has none" if here is False else "It is unknown whether this CPU has them"
    why = (
        "int8 products are faster than float32 only with dot-product instructions (ARM: dotprod, "
        f"i8mm; x86: VNNI, AMX). {place}: int8 may be slower than float32 here."
    )
    return [SlowOperations(kind="no_dot_product", runtime="all", ops=indices, why=why)]


def _float16(graph: FileGraph) -> list[SlowOperations]:
    indices = _indices(
        graph,
        lambda each: (
            graph.format == "onnx"
            and each.op != "Cast"
            and any(tensor.dtype == "float16" for tensor in graph.moving(each.outputs))
        ),
    )
    if not indices:
        return []
    why = (
        "ONNX Runtime has few float16 kernels for CPUs: it converts the tensors to float32 before "
        "most of these operations and back after them."
    )
    return [SlowOperations(kind="float16_on_cpu", runtime="onnxruntime", ops=indices, why=why)]


def _custom(graph: FileGraph) -> list[SlowOperations]:
    indices = _indices(
        graph,
        lambda each: (
            each.op in ("CUSTOM", "DELEGATE")
            or (each.reason is not None and "not part of ONNX" in each.reason)
        ),
    )
    if not indices:
        return []
    why = "They are not part of the format: a runtime needs an extension to run them at all."
    return [SlowOperations(kind="custom_operation", runtime=_runtime(graph), ops=indices, why=why)]


def _kinds(graph: FileGraph, indices: tuple[int, ...] | list[int]) -> str:
    return ", ".join(dict.fromkeys(graph.operations[index].op for index in indices))


def _names(graph: FileGraph, indices: list[int]) -> str:
    return f"{_kinds(graph, indices)} {'runs' if len(indices) == 1 else 'run'}"
