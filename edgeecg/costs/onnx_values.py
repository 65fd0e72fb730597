"""Types and values of the constants of a ``.onnx`` file, without the package ``onnx``."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeecg.costs._damaged import DamagedError
from edgeecg.costs._protobuf import Field, content, fields, number, numbers, text
from edgeecg.costs.onnx_file import EXTERNAL, Constant

# TensorProto.DataType: name, and numpy's type; None where numpy has none of its own.
TYPES: dict[int, tuple[str, str | None]] = {
    1: ("float32", "<f4"),
    2: ("uint8", "|u1"),
    3: ("int8", "|i1"),
    4: ("uint16", "<u2"),
    5: ("int16", "<i2"),
    6: ("int32", "<i4"),
    7: ("int64", "<i8"),
    8: ("string", None),
    9: ("bool", "|b1"),
    10: ("float16", "<f2"),
    11: ("float64", "<f8"),
    12: ("uint32", "<u4"),
    13: ("uint64", "<u8"),
    16: ("bfloat16", None),
}
"""Name and numpy type of every element type whose values can be read."""

# The fields of TensorProto that hold values as bytes, each with numpy's type.
_AS_BYTES = {4: "<f4", 9: None, 10: "<f8"}
_AS_INTEGERS = (5, 7, 11)
_64_BITS = 2**64 - 1


def values(constant: Constant, folder: Path) -> NDArray[np.generic] | None:
    """Return the values of a constant, or None for a type that numpy does not have.

    Args:
        constant: The constant.
        folder: The folder of the file, in which its data files are.

    Raises:
        DamagedError: The values do not have the size of its shape.
        OSError: A data file cannot be read.
    """
    dtype = TYPES.get(constant.type, ("", None))[1]
    if dtype is None:
        return None
    raw = bytearray()
    stored: str | None = dtype
    integers: list[int] = []
    entries: dict[str, str] = {}
    external = False
    for each, value in fields(constant.message):
        if each in _AS_BYTES:
            stored = _AS_BYTES[each] or dtype
            raw += content(value)
        elif each in _AS_INTEGERS:
            integers += [number & _64_BITS for number in numbers(value)]
        elif each == 13:
            key, found = _entry(value)
            entries[key] = found
        elif each == 14:
            external = number(value) == EXTERNAL
    if external:
        raw += _external(folder, entries)
    return _array(constant, dtype, raw, stored or dtype, integers)


def _entry(value: Field) -> tuple[str, str]:
    entry = {key: text(part) for key, part in fields(content(value))}
    return entry.get(1, ""), entry.get(2, "")


def _external(folder: Path, entries: dict[str, str]) -> bytes:
    try:
        start, size = int(entries.get("offset") or 0), int(entries.get("length") or -1)
    except ValueError as error:
        raise DamagedError(
            f"the place of a constant in its data file is wrong ({error})"
        ) from error
    if start < 0:
        raise DamagedError("a constant starts before its data file")
    with (folder / entries["location"]).open("rb") as opened:
        opened.seek(start)
        return opened.read(size)


def _array(
    constant: Constant, dtype: str, raw: bytearray, stored: str, integers: list[int]
) -> NDArray[np.generic]:
    elements = math.prod(constant.shape)
    if integers:
        # Negative numbers are stored as 64 bits; a float16 is stored as its bits.
        wide = np.array(integers, np.uint64)
        found = wide.astype(np.uint16).view(dtype) if dtype == "<f2" else wide.astype(dtype)
    elif len(raw) % np.dtype(stored).itemsize == 0:
        found = np.frombuffer(bytes(raw), stored)
    else:
        raise DamagedError(f"a constant of shape {constant.shape} holds {len(raw)} bytes")
    if found.size != elements:
        raise DamagedError(f"a constant of shape {constant.shape} holds {found.size} values")
    try:
        return found.reshape(constant.shape)
    except ValueError as error:
        # More axes than numpy has, or longer ones.
        raise DamagedError(f"a constant has the shape {constant.shape} ({error})") from error
