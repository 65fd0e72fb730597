"""Reading messages in the wire format of protocol buffers; every length is checked.

A field is its number and either an integer or a slice of bytes: text, packed numbers or a message.
"""

from __future__ import annotations

from collections.abc import Iterator

from edgeecg.costs._damaged import DamagedError

Field = int | memoryview


def fields(message: memoryview) -> Iterator[tuple[int, Field]]:
    """Yield number and value of every field of a message.

    Raises:
        DamagedError: A field does not fit into the message.
    """
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        kind = key & 7
        if kind == 0:
            value, position = _varint(message, position)
            yield key >> 3, value
            continue
        if kind == 2:
            size, position = _varint(message, position)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise DamagedError(f"byte {position} starts a field of the unknown type {kind}")
        if position + size > len(message):
            raise DamagedError(f"a field of {size} bytes does not fit")
        yield key >> 3, message[position : position + size]
        position += size


def content(value: Field) -> memoryview:
    """Return the bytes of a field.

    Raises:
        DamagedError: The field is an integer.
    """
    if isinstance(value, int):
        raise DamagedError("a number is in the place of bytes")
    return value


def text(value: Field) -> str:
    """Return the text of a field.

    Raises:
        DamagedError: The field is an integer.
    """
    return bytes(content(value)).decode("utf-8", errors="replace")


def number(value: Field) -> int:
    """Return the integer of a field.

    Raises:
        DamagedError: The field is bytes.
    """
    if not isinstance(value, int):
        raise DamagedError("bytes are in the place of a number")
    return value


def numbers(value: Field) -> list[int]:
    """Return the integer of a field, or the integers of a packed field.

    Raises:
        DamagedError: The last integer is incomplete.
    """
    if isinstance(value, int):
        return [value]
    found: list[int] = []
    position = 0
    while position < len(value):
        each, position = _varint(value, position)
        found.append(each)
    return found


def submessage(message: memoryview, field: int) -> memoryview:
    """Return the content of the last field with this number; empty without one.

    Raises:
        DamagedError: A field does not fit into the message.
    """
    found = [content(value) for each, value in fields(message) if each == field]
    return found[-1] if found else memoryview(b"")


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(message) and shift < 64:
        byte = message[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
    raise DamagedError("a number is incomplete")
