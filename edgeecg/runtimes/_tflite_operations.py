"""Files of a single operation each, cut out of a ``.tflite`` file with LiteRT's schema."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, cast

_TO_OTHER_GRAPHS = frozenset({"CallOptionsT", "CallOnceOptionsT", "IfOptionsT", "WhileOptionsT"})


def single_operations(content: bytes) -> Iterator[bytes]:
    """Yield a file for every operation of the main graph, in the order of execution.

    Its inputs are the operation's inputs that are computed at run time, its outputs the operation's
    outputs. Constants and states keep their values.

    Args:
        content: A sound ``.tflite`` file.

    Raises:
        ValueError: An operation runs another graph of the file.
    """
    from ai_edge_litert import schema_py_generated

    # The generated classes have no types.
    schema = cast(Any, schema_py_generated)
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    for operator in model.subgraphs[0].operators:
        options = type(operator.builtinOptions).__name__
        if options in _TO_OTHER_GRAPHS or operator.builtinOptions2 is not None:
            raise ValueError("an operation runs another graph of the file")
        yield _Cutting(schema, model).file(operator)


class _Cutting:
    """Builds the file of one operation."""

    def __init__(self, schema: Any, model: Any) -> None:
        self._schema = schema
        self._whole = model
        self._made = schema.ModelT()
        self._graph = schema.SubGraphT()
        self._made.version = model.version
        self._made.subgraphs = [self._graph]
        # Buffer 0 is empty by convention: tensors without values refer to it.
        self._made.buffers = [schema.BufferT()]
        self._graph.tensors = []
        self._places: dict[int, int] = {}

    def file(self, operator: Any) -> bytes:
        """Return the bytes of the file with this operation alone."""
        import flatbuffers

        kept = copy.copy(operator)
        self._made.operatorCodes = [self._whole.operatorCodes[operator.opcodeIndex]]
        kept.opcodeIndex = 0
        for field in ("inputs", "outputs", "intermediates"):
            places = getattr(operator, field)
            setattr(
                kept, field, None if places is None else [self._tensor(each) for each in places]
            )
        self._graph.operators = [kept]
        self._graph.inputs = [
            place for place in dict.fromkeys(kept.inputs) if place >= 0 and self._is_given(place)
        ]
        self._graph.outputs = list(kept.outputs)
        builder = flatbuffers.Builder(1024)
        builder.Finish(self._made.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _tensor(self, index: int) -> int:
        if index < 0:
            return index
        if index not in self._places:
            tensor = copy.copy(self._whole.subgraphs[0].tensors[index])
            buffer = self._whole.buffers[tensor.buffer]
            tensor.buffer = 0
            if buffer.data is not None:
                self._made.buffers.append(buffer)
                tensor.buffer = len(self._made.buffers) - 1
            self._places[index] = len(self._graph.tensors)
            self._graph.tensors.append(tensor)
        return self._places[index]

    def _is_given(self, place: int) -> bool:
        tensor = self._graph.tensors[place]
        return not tensor.buffer and not tensor.isVariable
