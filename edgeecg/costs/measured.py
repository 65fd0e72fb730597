"""Measured layer costs: predicting the latency of a pruned model from that of the dense one.

The file of the dense model was profiled operation by operation. An operation that multiplies
belongs to the layer it is named after; every other one (activations, norms, additions, softmax,
reshapes) belongs to the last layer before it in the order of execution. The latency of a pruned
model is then predicted as

    t = fixed + sum over its layers of  own * MACs / dense MACs + after * bytes / dense bytes

``own`` are the seconds of the layer's multiplications and ``after`` those of the operations after
them; bytes are the activations that the layer reads and writes. ``fixed`` does not depend on
pruning: the call of the runtime, and the operations before the first layer. A removed layer takes
no time. Neither the size of the weights nor the lower efficiency of narrow layers is modelled:
this is a prediction, and 'edgeecg bench' on the file of the pruned model is the measurement.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from edgeecg.errors import UsageError
from edgeecg.schema import (
    Artifact,
    BenchReport,
    BenchResult,
    LayerCost,
    LayerSeconds,
    LayerTime,
    MeasuredCosts,
)

_NUMBER = re.compile(r":\d+$")
HOW = (
    "Export the dense model with 'edgeecg export MODEL --target onnx', and give what "
    "'edgeecg bench FILE-baseline-onnx.onnx --json costs.json' writes on the board."
)
"""What a user does to get layer costs."""


def module_of(node: str) -> str:
    """Return the module that a node of an ONNX file is named after, or an empty string.

    Args:
        node: Name of the node, in a file that edgeecg exported.
    """
    return _NUMBER.sub("", node).partition("/")[0]


def layer_seconds(layer: LayerCost, costs: MeasuredCosts) -> float:
    """Return the predicted seconds of a layer and the operations after it.

    Args:
        layer: The layer, pruned or not.
        costs: Measured costs of the dense model, which has a layer of this name.
    """
    dense = costs.layers[layer.name]
    moved = layer.activation_bytes / dense.activation_bytes
    return dense.own_s * layer.macs / dense.macs + dense.after_s * moved


def seconds(layers: Iterable[LayerCost], costs: MeasuredCosts) -> float:
    """Return the predicted seconds of one inference of a model.

    Args:
        layers: Every layer of the model, pruned or not.
        costs: Measured costs of the dense model.
    """
    return costs.fixed_s + sum(layer_seconds(layer, costs) for layer in layers)


def check(costs: MeasuredCosts, model: str, dense: Sequence[LayerCost]) -> None:
    """Refuse costs that were measured on another model.

    Args:
        costs: Measured costs.
        model: Name of the architecture that will be compressed.
        dense: Every layer of its dense model.

    Raises:
        UsageError: The architecture or the shape of a layer differs.
    """
    if costs.model != model:
        raise _refused(
            f"They are the costs of '{costs.model}', and '{model}' will be compressed.", HOW
        )
    _compare({name: layer.macs for name, layer in costs.layers.items()}, dense)


def read(path: Path, model: str, dense: Sequence[LayerCost]) -> MeasuredCosts:
    """Read the layer costs of a dense model from a report of ``edgeecg bench --json``.

    Args:
        path: The report. If it has the results of several files, that of the dense float32 file of
            this model is used.
        model: Name of the architecture.
        dense: Every layer of its dense model.

    Raises:
        UsageError: There is no such file, or it has not the layer seconds of exactly one dense
            float32 file of this model.
        SchemaError: The file is damaged.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"The layer costs '{path}' cannot be read.",
            f"The operating system reports: {error.strerror}.",
            HOW,
        ) from error
    report = BenchReport.from_json(content, str(path))
    result, manifest = _dense(report, model)
    nodes = {layer.name: layer.macs for layer in manifest.layers}
    counted: dict[str, int] = {}
    for node, macs in nodes.items():
        counted[module_of(node)] = counted.get(module_of(node), 0) + macs
    _compare(counted, dense)
    names = {layer.name for layer in dense}
    fixed, own, after = _attributed(result.layers, nodes, names)
    missing = sorted(names - set(own))
    if missing:
        raise _refused(
            f"The runtime gives no separate time for {', '.join(missing)}.",
            "Measure the file with another version of the runtime, or leave --costs out.",
        )
    # The time of the empty graph belongs to the call of the runtime and not to a layer.
    whole = sum(operation.seconds for operation in result.layers)
    call = min(result.breakdown.empty_graph_s or 0.0, whole)
    part = 1 - call / whole if whole else 1.0
    return MeasuredCosts(
        model=model,
        device=result.device.name,
        emulated=result.device.emulated,
        runtime=result.runtime,
        threads=result.latency.threads,
        layers={
            layer.name: LayerSeconds(
                own_s=part * own[layer.name],
                after_s=part * after.get(layer.name, 0.0),
                macs=layer.macs,
                activation_bytes=layer.activation_bytes,
            )
            for layer in dense
        },
        fixed_s=call + part * fixed,
        artifact_sha256=result.artifact.sha256,
        bench_sha256=sha256(content).hexdigest(),
    )


def _dense(report: BenchReport, model: str) -> tuple[BenchResult, Artifact]:
    """Return the result of the dense float32 file of a model, which must have layer seconds."""
    known = [(each, each.artifact.manifest) for each in report.results if each.artifact.manifest]
    of_model = [(each, manifest) for each, manifest in known if manifest.model == model]
    if not of_model:
        models = sorted({f"'{manifest.model}'" for _, manifest in known})
        raise _refused(
            f"The report is about {', '.join(models) or 'foreign files only'}, and '{model}' will "
            "be compressed.",
            HOW,
        )
    dense = [
        (each, manifest)
        for each, manifest in of_model
        if manifest.role == "baseline" and manifest.dtype == "float32" == each.artifact.dtype
    ]
    if not dense:
        files = ", ".join(sorted(manifest.name for _, manifest in of_model))
        raise _refused(f"The report is about {files}, none of which is dense and float32.", HOW)
    found = [(each, manifest) for each, manifest in dense if each.layers]
    if not found:
        reasons = " ".join(dict.fromkeys(each.layers_reason or "" for each, _ in dense))
        raise _refused(f"The report has no layer seconds. {reasons}", HOW)
    if len(found) > 1:
        files = ", ".join(each.artifact.file for each, _ in found)
        raise _refused(
            f"The report is about several dense files of '{model}': {files}.",
            "Give a report of one of them: edgeecg bench FILE --json costs.json",
        )
    return found[0]


def _compare(measured: Mapping[str, int], dense: Sequence[LayerCost]) -> None:
    """Compare the MACs of every layer with those of the measured file.

    Raises:
        UsageError: A layer is missing or has other MACs.
    """
    for layer in dense:
        found = measured.get(layer.name, 0)
        if found != layer.macs:
            raise _refused(
                f"Layer '{layer.name}' has {layer.macs:,} MACs in the model and "
                f"{f'{found:,}' if found else 'does not exist'} in the measured file.",
                f"{HOW} Files of an earlier version have other layer names.",
            )


def _attributed(
    operations: Sequence[LayerTime], nodes: Mapping[str, int], layers: set[str]
) -> tuple[float, dict[str, float], dict[str, float]]:
    """Assign the seconds of every operation to a layer.

    Args:
        operations: The operations in the order of execution.
        nodes: MACs of every node of the file.
        layers: Names of the model's layers.

    Returns:
        The seconds before the first layer; by layer, those of the layer itself; by layer, those of
        the operations after it.
    """
    before, last = 0.0, ""
    own: dict[str, float] = {}
    after: dict[str, float] = {}
    for operation in operations:
        node = _node(operation.name, nodes)
        layer = module_of(node) if nodes.get(node) else ""
        if layer in layers:
            own[layer] = own.get(layer, 0.0) + operation.seconds
            last = layer
        elif last:
            after[last] = after.get(last, 0.0) + operation.seconds
        else:
            before += operation.seconds
    return before, own, after


def _node(operation: str, nodes: Mapping[str, int]) -> str:
    """Return the node that an operation was made from, or an empty string when unknown.

    ONNX Runtime names a fused operation after its first node, a slash, and the kind of fusion.
    """
    while operation and operation not in nodes:
        operation = operation.rpartition("/")[0]
    return operation


def _refused(why: str, todo: str) -> UsageError:
    return UsageError("The measured layer costs do not fit the model.", why, todo)
