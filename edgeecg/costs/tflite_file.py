"""Reading the structure of a ``.tflite`` file; every offset is checked before it is used.

A TFLite model is a FlatBuffer (identifier ``TFL3``) with the schema of
``tensorflow/lite/schema/schema.fbs``, whose field numbers never change. This module does not use
the generated classes of a runtime, so that files can also be counted on a board that has only
``tflite-runtime``, and so that a corrupt file is an error before native code loads it.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from edgeecg.costs import _flatbuffer
from edgeecg.costs._damaged import DamagedError
from edgeecg.costs._flatbuffer import Table
from edgeecg.errors import ArtifactError

IDENTIFIER = b"TFL3"

COMPRESSED = b"edgeecg.artifact+zlib:"
"""Stands before a text of the metadata that is compressed by zlib."""

_LARGEST_TEXT_BYTES = 1 << 24

_Item = TypeVar("_Item")

# numpy's type for each TensorType of the schema; None for those with no fixed size per element.
_TYPES: dict[int, tuple[str, str | None]] = {
    0: ("FLOAT32", "<f4"),
    1: ("FLOAT16", "<f2"),
    2: ("INT32", "<i4"),
    3: ("UINT8", "|u1"),
    4: ("INT64", "<i8"),
    5: ("STRING", None),
    6: ("BOOL", "|b1"),
    7: ("INT16", "<i2"),
    8: ("COMPLEX64", "<c8"),
    9: ("INT8", "|i1"),
    10: ("FLOAT64", "<f8"),
    15: ("UINT32", "<u4"),
    16: ("UINT16", "<u2"),
    17: ("INT4", None),
}

# BuiltinOperator of the schema, in the order of its numbers.
_OPERATOR_NAMES = """
ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE
EMBEDDING_LOOKUP FLOOR FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D
LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6
RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM CALL
CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND
SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE
BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST
PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN
TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW ARG_MIN
FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK REDUCE_MIN
FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU
SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU
REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE
NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL
PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG REAL COMPLEX_ABS
HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL CONV_3D_TRANSPOSE VAR_HANDLE
READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE RANDOM_UNIFORM
MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1
"""
_OPERATORS = tuple(_OPERATOR_NAMES.split())


@dataclass(frozen=True)
class Tensor:
    """One tensor of the main graph.

    Attributes:
        name: Its name in the file.
        type: TensorType, e.g. ``"FLOAT32"``.
        shape: Sizes of its axes; 1 for an axis without a fixed length.
        free: Axes without a fixed length.
        data: Its constant values, of shape ``shape``; None when it is computed at run time, or when
            its elements have no fixed size (strings, 4-bit).
        constant: Whether the file contains its values.
        nbytes: Bytes of the constant, or of the activation at run time.
        zero_points: Quantisation zero points, empty for float.
        scales: Quantisation scales, empty for float.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    free: tuple[int, ...]
    data: NDArray[np.generic] | None
    constant: bool
    nbytes: int
    zero_points: tuple[int, ...]
    scales: tuple[float, ...]


@dataclass(frozen=True)
class Operator:
    """One operation of the main graph.

    Attributes:
        op: BuiltinOperator, e.g. ``"CONV_2D"``.
        inputs: Input tensors; None for an optional one that is absent.
        outputs: Output tensors.
    """

    op: str
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]


@dataclass(frozen=True)
class Graph:
    """The main graph of a file: input tensors, output tensors, operations in execution order."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    operators: tuple[Operator, ...]


def unpacks(operator: Operator) -> bool:
    """Return whether an operation converts stored float16 weights to float32.

    LiteRT does this once, when it loads the file or in the first run.

    Args:
        operator: The operation.
    """
    source = operator.inputs[0] if operator.inputs else None
    return (
        operator.op == "DEQUANTIZE"
        and len(operator.outputs) == 1
        and source is not None
        and source.constant
        and source.type == "FLOAT16"
    )


def _buffer(content: bytes, buffers: list[Table], index: int) -> NDArray[np.generic]:
    """Return the bytes of one buffer, which in large files lie after the FlatBuffer."""
    if not 0 <= index < len(buffers):
        raise DamagedError(f"there is no buffer {index} of {len(buffers)}")
    table = buffers[index]
    start, size = table.number(1, "<Q"), table.number(2, "<Q")
    if start <= 1:
        return table.array(0, "|u1")
    if start + size > len(content):
        raise DamagedError(f"buffer {index} starts at byte {start}")
    return np.frombuffer(content, np.uint8, size, start)


def _tensor(content: bytes, buffers: list[Table], table: Table) -> Tensor:
    shape = tuple(table.integers(0))
    if any(size < 0 for size in shape):
        raise DamagedError(f"a tensor has the shape {shape}")
    name, code = table.text(3), table.number(1, "<b")
    if code not in _TYPES:
        raise DamagedError(f"tensor '{name}' has the unknown type {code}")
    kind, dtype = _TYPES[code]
    raw = _buffer(content, buffers, table.number(2, "<I"))
    elements = math.prod(shape)
    data: NDArray[np.generic] | None = None
    if raw.size and dtype is not None:
        if raw.nbytes != elements * np.dtype(dtype).itemsize:
            raise DamagedError(f"tensor '{name}' of shape {shape} holds {raw.nbytes} bytes")
        try:
            data = raw.view(dtype).reshape(shape)
        except ValueError as error:
            # More axes than numpy has, or longer ones.
            raise DamagedError(f"tensor '{name}' has the shape {shape} ({error})") from error
    # A 4-bit tensor packs two elements in a byte.
    at_run_time = elements * np.dtype(dtype).itemsize if dtype else (elements + 1) // 2
    quantization = table.table(4)
    return Tensor(
        name=name,
        type=kind,
        shape=shape,
        free=tuple(axis for axis, size in enumerate(table.integers(7)) if size < 0),
        data=data,
        constant=raw.size > 0,
        nbytes=raw.nbytes if raw.size else at_run_time,
        zero_points=tuple(quantization.integers(3, "<i8")) if quantization else (),
        scales=tuple(quantization.array(2, "<f4").tolist()) if quantization else (),
    )


def _operator_name(table: Table) -> str:
    # Files older than schema 3a have the number in a byte; newer files have both fields.
    code = max(table.number(0, "<b"), table.number(3, "<i"))
    return _OPERATORS[code] if 0 <= code < len(_OPERATORS) else f"BUILTIN_{code}"


def _pick(items: Sequence[_Item], index: int, kind: str) -> _Item:
    if not 0 <= index < len(items):
        raise DamagedError(f"there is no {kind} {index} of {len(items)}")
    return items[index]


def _graph(content: bytes) -> Graph:
    root = _flatbuffer.root(content, IDENTIFIER)
    buffers, subgraphs = root.tables(4), root.tables(2)
    names = [_operator_name(table) for table in root.tables(1)]
    main = _pick(subgraphs, 0, "subgraph")
    tensors = [_tensor(content, buffers, table) for table in main.tables(0)]
    operators: list[Operator] = []
    for table in main.tables(3):
        op = _pick(names, table.number(0, "<I"), "operator code")
        inputs = [None if i == -1 else _pick(tensors, i, "tensor") for i in table.integers(1)]
        outputs = [_pick(tensors, i, "tensor") for i in table.integers(2)]
        operators.append(Operator(op, tuple(inputs), tuple(outputs)))
    return Graph(
        inputs=tuple(_pick(tensors, i, "tensor") for i in main.integers(1)),
        outputs=tuple(_pick(tensors, i, "tensor") for i in main.integers(2)),
        operators=tuple(operators),
    )


def read(path: Path) -> Graph:
    """Read the main graph of a ``.tflite`` file.

    Raises:
        ArtifactError: The file is not a sound TFLite model.
    """
    try:
        return _graph(path.read_bytes())
    except DamagedError as error:
        raise _not_tflite(path, error) from error


def metadata(path: Path, name: str) -> str | None:
    """Return the text that a ``.tflite`` file has under a metadata name, or None.

    Raises:
        ArtifactError: The file is not a sound TFLite model.
    """
    content = path.read_bytes()
    try:
        root = _flatbuffer.root(content, IDENTIFIER)
        for entry in root.tables(6):
            if entry.text(0) == name:
                raw = _buffer(content, root.tables(4), entry.number(1, "<I"))
                return _text(raw.tobytes())
    except (DamagedError, UnicodeDecodeError, zlib.error) as error:
        raise _not_tflite(path, error) from error
    return None


def _text(raw: bytes) -> str:
    """Return the text of a buffer, which may be compressed by zlib."""
    if not raw.startswith(COMPRESSED):
        # Some programs pad a buffer to its alignment.
        return raw.rstrip(b"\0").decode("utf-8")
    stream = zlib.decompressobj()
    text = stream.decompress(raw[len(COMPRESSED) :], _LARGEST_TEXT_BYTES)
    if not stream.eof:
        raise DamagedError("a compressed text is cut off, or longer than 16 MiB")
    return text.decode("utf-8")


def _not_tflite(path: Path, error: Exception) -> ArtifactError:
    return ArtifactError(
        f"{path} is not a sound TFLite file.",
        f"While reading its structure: {error}.",
        "It is truncated, corrupt or of another format; export or copy it again.",
    )
