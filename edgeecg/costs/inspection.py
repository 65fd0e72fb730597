"""Content and costs of any ``.tflite`` or ``.onnx`` file; see :func:`inspect_file`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from edgeecg.costs import (
    file_graph_onnx,
    file_graph_tflite,
    number_types,
    onnx_file,
    proxy,
    slow_operations,
    tflite_file,
)
from edgeecg.costs.file_graph import FileGraph, arena_bytes
from edgeecg.costs.input_shapes import Shapes
from edgeecg.costs.number_types import NumberTypes
from edgeecg.errors import EdgeECGError, UsageError
from edgeecg.files import sha256
from edgeecg.schema import (
    MANIFEST_KEY,
    Artifact,
    InspectedOperation,
    InspectedTensor,
    Inspection,
    LayerCost,
    ProxyCoefficients,
    QuantizationSummary,
)

_Sum = Callable[[LayerCost], int]


def inspect_file(
    path: Path, shapes: Shapes | None = None, int8_dot_product: bool | None = None
) -> Inspection:
    """Read what is in a model file and what it costs; nothing of it runs in this process.

    Args:
        path: A ``.tflite`` or ``.onnx`` file, exported by edgeecg or by another program.
        shapes: Shapes of its inputs that have free axes.
        int8_dot_product: Whether this machine has int8 dot-product instructions; None if unknown.

    Raises:
        UsageError: The file has another suffix, or the shape of an input is unknown.
        EdgeECGError: There is no such file, or it cannot be read.
        ArtifactError: The file is damaged, or one of its data files is missing or elsewhere.
        SchemaError: Its manifest is damaged or of another version.
    """
    try:
        graph, types, text, size = _read(path, shapes or {})
    except OSError as error:
        raise EdgeECGError(
            f"{path} cannot be read.",
            f"The system reports: {error.strerror or error}.",
            "Check the name and the permissions of the file.",
        ) from error
    manifest = None if text is None else Artifact.from_json(text, f"the manifest in {path}")
    operations = tuple(_operations(graph))
    reasons: dict[str, str] = {}
    arena = arena_bytes(graph)
    if arena is None:
        reasons["arena_bytes"] = graph.no_shapes or "The size of a tensor is not known."
    totals = {
        "macs": _total(graph, lambda cost: cost.macs, reasons, "macs"),
        "weight_bytes": _total(graph, lambda cost: cost.weight_bytes, reasons, "weight_bytes"),
        "activation_bytes": _total(
            graph, lambda cost: cost.activation_bytes, reasons, "activation_bytes"
        ),
    }
    return Inspection(
        file=str(path),
        sha256=sha256(path),
        size_bytes=size,
        format=graph.format,
        dtype=types.weights,
        activation_dtype=types.activations,
        inputs=tuple(graph.tensors[place] for place in graph.inputs),
        outputs=tuple(graph.tensors[place] for place in graph.outputs),
        classes=None if manifest is None else manifest.classes,
        model=None if manifest is None else manifest.model,
        target=None if manifest is None else manifest.target,
        ops=operations,
        **totals,
        arena_bytes=arena,
        proxy_executed=_relative_proxy(graph, manifest, reasons),
        reasons=reasons,
        quantization=_summary(graph.tensors),
        tensors=graph.tensors,
        slow=slow_operations.find(graph, int8_dot_product),
    )


def _read(path: Path, shapes: Shapes) -> tuple[FileGraph, NumberTypes, str | None, int]:
    """Return graph, number types, manifest and size of a file."""
    if path.suffix not in (".tflite", ".onnx"):
        raise UsageError(
            f"{path} cannot be inspected.",
            f"Its suffix is '{path.suffix}'; .tflite and .onnx can be read.",
            "Give a model file of one of these formats.",
        )
    size = path.stat().st_size
    if path.suffix == ".tflite":
        types = number_types.of_tflite(tflite_file.read(path))
        text = tflite_file.metadata(path, MANIFEST_KEY)
        return file_graph_tflite.read(path, shapes), types, text, size
    found = onnx_file.read(path)
    size += sum(each.stat().st_size for each in onnx_file.data_files(path, found))
    types, text = number_types.of_onnx(found), onnx_file.metadata(path, MANIFEST_KEY)
    return file_graph_onnx.read(path, shapes), types, text, size


def _operations(graph: FileGraph) -> list[InspectedOperation]:
    costs = [each.cost for each in graph.operations]
    known = [cost for cost in costs if cost is not None]
    coefficients = ProxyCoefficients()
    whole = proxy.executed(proxy.totals(known), coefficients) if len(known) == len(costs) else 0.0
    return [
        InspectedOperation(
            index=index,
            name=each.name,
            op=each.op,
            dtype=None if each.cost is None else each.cost.dtype,
            macs=None if each.cost is None else each.cost.macs,
            weight_bytes=None if each.cost is None else each.cost.weight_bytes,
            activation_bytes=None if each.cost is None else each.cost.activation_bytes,
            nonzero_fraction=None if each.cost is None else each.cost.nonzero_fraction,
            proxy_share=None
            if each.cost is None or not whole
            else min(1.0, proxy.layer_energy(each.cost, coefficients) / whole),
            reason=each.reason,
        )
        for index, each in enumerate(graph.operations)
    ]


def _total(graph: FileGraph, part: _Sum, reasons: dict[str, str], name: str) -> int | None:
    total = 0
    for operation in graph.operations:
        if operation.cost is None:
            reasons[name] = graph.no_shapes or operation.reason or "An operation is unknown."
            return None
        total += part(operation.cost)
    return total


def _relative_proxy(
    graph: FileGraph, manifest: Artifact | None, reasons: dict[str, str]
) -> float | None:
    costs = [each.cost for each in graph.operations if each.cost is not None]
    if len(costs) < len(graph.operations):
        reasons["proxy_executed"] = "An operation could not be counted."
        return None
    base = None if manifest is None or manifest.baseline is None else manifest.baseline.costs
    found = proxy.relative(proxy.totals(costs), base, ProxyCoefficients())
    if found.reason is not None:
        reasons["proxy_executed"] = found.reason
    return found.executed


def _summary(tensors: tuple[InspectedTensor, ...]) -> QuantizationSummary:
    return QuantizationSummary(
        per_tensor=sum(len(each.scales) == 1 for each in tensors),
        per_channel=sum(len(each.scales) > 1 for each in tensors),
        unquantized=sum(not each.scales for each in tensors),
        by_dtype=dict(sorted(Counter(each.dtype for each in tensors).items())),
    )
