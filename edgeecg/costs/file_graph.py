"""The graph of a model file of any format, as far as ``edgeecg inspect`` needs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgeecg.schema import Format, InspectedTensor, LayerCost


@dataclass(frozen=True)
class FileOperation:
    """One operation.

    Attributes:
        op: The operation, as its format calls it.
        name: Its name, or that of its first output.
        inputs: Places of its inputs in the list of tensors; absent ones are left out.
        outputs: Places of its outputs.
        cost: Counted costs, or None.
        reason: Why ``cost`` is None, or None.
    """

    op: str
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    cost: LayerCost | None
    reason: str | None = None


@dataclass(frozen=True)
class FileGraph:
    """The main graph of a file.

    Attributes:
        format: File format.
        tensors: All tensors.
        inputs: Places of the inputs of the file.
        outputs: Places of its outputs.
        operations: Operations in the order of execution.
        no_shapes: Why shapes of tensors are unknown, or None.
    """

    format: Format
    tensors: tuple[InspectedTensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operations: tuple[FileOperation, ...]
    no_shapes: str | None = None

    def moving(self, places: Sequence[int]) -> list[InspectedTensor]:
        """Return those of some tensors that are computed at run time."""
        return [self.tensors[place] for place in places if not self.tensors[place].constant]


def arena_bytes(graph: FileGraph) -> int | None:
    """Return the largest total size of the tensors that are needed at one time.

    A tensor is needed from the operation that computes it to the last one that reads it; an output
    of the file until the end. A tensor that no operation computes and that is not an input of the
    file is a state, which is kept all the time. Alignment, scratch buffers of the kernels, and
    operations that work in place are not considered.

    Args:
        graph: The graph.

    Returns:
        Bytes, or None when the size of a tensor is unknown.
    """
    last = len(graph.operations)
    born = dict.fromkeys(graph.inputs, 0)
    read: dict[int, int] = {}
    for index, operation in enumerate(graph.operations):
        for place in operation.inputs:
            read[place] = index
        for place in operation.outputs:
            born.setdefault(place, index)
    changes = [0] * (last + 2)
    for place in {*born, *read}:
        tensor = graph.tensors[place]
        if tensor.constant:
            continue
        if tensor.nbytes is None:
            return None
        state = place not in born
        start = 0 if state else born[place]
        end = last if state or place in graph.outputs else max(read.get(place, start), start)
        changes[start] += tensor.nbytes
        changes[end + 1] -= tensor.nbytes
    peak = now = 0
    for change in changes:
        now += change
        peak = max(peak, now)
    return peak
