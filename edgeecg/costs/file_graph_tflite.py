"""The graph of a ``.tflite`` file for ``edgeecg inspect``."""

from __future__ import annotations

from pathlib import Path

from edgeecg.costs import count_tflite
from edgeecg.costs.file_graph import FileGraph, FileOperation
from edgeecg.costs.input_shapes import Shapes
from edgeecg.costs.layers import UncountableError
from edgeecg.costs.tflite_file import Operator, Tensor
from edgeecg.schema import InspectedTensor, LayerCost


def read(path: Path, shapes: Shapes) -> FileGraph:
    """Read the main graph of a ``.tflite`` file; a free axis has length 1.

    Args:
        path: The file.
        shapes: Not used: the file has the shapes of all tensors for one shape of its inputs.

    Raises:
        ArtifactError: The file is not a sound TFLite file.
    """
    graph = count_tflite.read(path)
    # Names may be given twice; the reader makes one object for each tensor.
    places: dict[int, int] = {}
    tensors: list[InspectedTensor] = []

    def place(tensor: Tensor) -> int:
        if id(tensor) not in places:
            places[id(tensor)] = len(tensors)
            tensors.append(_tensor(tensor))
        return places[id(tensor)]

    inputs = tuple(place(tensor) for tensor in graph.inputs)
    operations: list[FileOperation] = []
    for index, layer in enumerate(graph.operators):
        cost, reason = _counted(path, index, layer)
        operations.append(
            FileOperation(
                op=layer.op,
                name=(layer.outputs[0].name if layer.outputs else "") or f"operation {index}",
                inputs=tuple(place(tensor) for tensor in layer.inputs if tensor is not None),
                outputs=tuple(place(tensor) for tensor in layer.outputs),
                cost=cost,
                reason=reason,
            )
        )
    outputs = tuple(place(tensor) for tensor in graph.outputs)
    return FileGraph("tflite", tuple(tensors), inputs, outputs, tuple(operations))


def _counted(path: Path, index: int, layer: Operator) -> tuple[LayerCost | None, str | None]:
    try:
        return count_tflite.cost(path, index, layer), None
    except UncountableError as error:
        return None, error.why


def _tensor(tensor: Tensor) -> InspectedTensor:
    return InspectedTensor(
        name=tensor.name,
        dtype=tensor.type.lower(),
        shape=tensor.shape,
        nbytes=tensor.nbytes,
        constant=tensor.constant,
        # Infinite and NaN scales of a damaged file have no JSON.
        scales=tuple(scale for scale in tensor.scales if abs(scale) < float("inf")),
        zero_points=tensor.zero_points,
    )
