"""Serialises a ``ModelT``: buffers aligned, equal vectors written once."""

from __future__ import annotations

from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

_ALIGNMENT = 16
_FILE_IDENTIFIER = b"TFL3"


def packed(model: Any) -> bytes:
    """Serialise a ``ModelT`` with its buffers aligned and without repeated vectors.

    The TFLite schema requires buffers at multiples of 16 bytes, so that a runtime can use the
    weights in place; neither the converter nor the generated Python packer aligns them. Nor do they
    share equal vectors: the zero points of a layer with 32 output channels are 32 zeros of 8 bytes,
    once for its weights and once for its biases.
    """
    model.buffers = [
        _AlignedBuffer(None if buffer.data is None else bytes(buffer.data))
        for buffer in model.buffers
    ]
    builder = _SharingBuilder()
    builder.Finish(model.Pack(builder), file_identifier=_FILE_IDENTIFIER)
    return bytes(builder.Output())


class _SharingBuilder(flatbuffers.Builder):
    """Writes equal vectors of numbers once, wherever they are used."""

    def __init__(self) -> None:
        super().__init__(1024)
        self._vectors: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: NDArray[Any]) -> int:  # noqa: N802 - overrides flatbuffers' name
        key = (x.dtype.str, x.tobytes())
        if key not in self._vectors:
            self._vectors[key] = int(super().CreateNumpyVector(x))
        return self._vectors[key]


class _AlignedBuffer:
    """A ``BufferT`` that is packed at a multiple of 16 bytes."""

    def __init__(self, data: bytes | None) -> None:
        self.data = data

    def Pack(self, builder: Any) -> int:  # noqa: N802 - the name that ModelT.Pack calls
        vector = None
        if self.data:
            builder.StartVector(1, len(self.data), _ALIGNMENT)
            builder.head -= len(self.data)
            builder.Bytes[builder.head : builder.head + len(self.data)] = self.data
            vector = builder.EndVector()
        schema.BufferStart(builder)
        if vector is not None:
            schema.BufferAddData(builder, vector)
        return int(schema.BufferEnd(builder))
