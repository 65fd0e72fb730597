"""Reading FlatBuffers (https://flatbuffers.dev/internals), with every offset checked first.

A file begins with the offset of its root table and an identifier of four bytes. The fields of a
table have numbers, which the schema of the file gives a meaning.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from edgeecg.costs._damaged import DamagedError


class Table:
    """One table: fields by number. A field that is absent is 0, empty or None."""

    def __init__(self, content: bytes, position: int) -> None:
        """Read where the fields are.

        Args:
            content: The whole file.
            position: Where the table starts.

        Raises:
            DamagedError: It is not inside the file; the other methods raise it likewise.
        """
        self._content = content
        self._position = position
        self._vtable = position - self._number("<i", position)
        self._slots = (self._number("<H", self._vtable) - 4) // 2

    def _number(self, layout: str, position: int) -> int:
        if position < 0 or position + struct.calcsize(layout) > len(self._content):
            raise DamagedError(f"an offset points to byte {position}")
        return struct.unpack_from(layout, self._content, position)[0]

    def _field(self, number: int) -> int | None:
        if number >= self._slots:
            return None
        offset = self._number("<H", self._vtable + 4 + 2 * number)
        return self._position + offset if offset else None

    def number(self, field: int, layout: str) -> int:
        """Return a number, of a layout of the module ``struct``."""
        position = self._field(field)
        return 0 if position is None else self._number(layout, position)

    def _vector(self, field: int, item_bytes: int) -> tuple[int, int]:
        position = self._field(field)
        if position is None:
            return 0, 0
        start = position + self._number("<I", position)
        count = self._number("<I", start)
        if start + 4 + count * item_bytes > len(self._content):
            raise DamagedError(f"a list of {count} entries starts at byte {start}")
        return start + 4, count

    def array(self, field: int, dtype: str) -> NDArray[np.generic]:
        """Return a list of numbers as an array over the content."""
        item = np.dtype(dtype)
        start, count = self._vector(field, item.itemsize)
        return np.frombuffer(self._content, item, count, start)

    def integers(self, field: int, dtype: str = "<i4") -> list[int]:
        """Return a list of whole numbers."""
        return [int(value) for value in self.array(field, dtype)]

    def text(self, field: int) -> str:
        """Return a text; what is not UTF-8 is replaced."""
        return self.array(field, "|u1").tobytes().decode("utf-8", errors="replace")

    def table(self, field: int) -> Table | None:
        """Return a table that a field refers to."""
        position = self._field(field)
        if position is None:
            return None
        return Table(self._content, position + self._number("<I", position))

    def tables(self, field: int) -> list[Table]:
        """Return a list of tables."""
        start, count = self._vector(field, 4)
        places = range(start, start + 4 * count, 4)
        return [Table(self._content, place + self._number("<I", place)) for place in places]


def root(content: bytes, identifier: bytes) -> Table:
    """Return the root table of a file.

    Args:
        content: The whole file.
        identifier: Its bytes 4 to 8.

    Raises:
        DamagedError: The identifier is another, or the table is not inside the file.
    """
    if len(content) < 8 or content[4:8] != identifier:
        raise DamagedError(f"bytes 4 to 8 should be {identifier!r} and are {content[4:8]!r}")
    return Table(content, int.from_bytes(content[:4], "little"))
