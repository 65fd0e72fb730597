"""Measured layer costs: from a bench's seconds to those of a model that was cut.

The dense model's file was profiled operation by operation. An operation that multiplies belongs to
the layer it is named after; every other one (activations, norms, additions, softmax, reshapes)
belongs to the last layer before it in the order of execution. The seconds of a model that was cut
are then predicted so:

    t = fixed + sum over its layers of  own * MACs / dense MACs + after * bytes / dense bytes

``own`` are the multiplications' seconds and ``after`` those of what follows them; bytes are the
activations that the layer reads and writes. ``fixed`` is what stays whatever is cut: the call of
the runtime, and what runs before the first layer. A layer that has gone takes nothing. The weights'
own size plays no part, and neither does how well a narrow layer fills the processor's registers:
it is a prediction, and a bench of the cut model's file is the measurement.
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
"""How a user gets layer costs."""


def module_of(node: str) -> str:
    """Return the module that a node of one of our ONNX files is named after, "" for none."""
    return _NUMBER.sub("", node).partition("/")[0]


def layer_seconds(layer: LayerCost, costs: MeasuredCosts) -> float:
    """Return the seconds that a layer, cut or not, is predicted to take with what follows it.

    Args:
        layer: Counted as it is now.
        costs: Measured on the dense model, which has a layer of this name.
    """
    dense = costs.layers[layer.name]
    moved = layer.activation_bytes / dense.activation_bytes
    return dense.own_s * layer.macs / dense.macs + dense.after_s * moved


def seconds(layers: Iterable[LayerCost], costs: MeasuredCosts) -> float:
    """Return the seconds that one inference of a model is predicted to take.

    Args:
        layers: Every layer of the model as it is now.
        costs: Measured on the dense model.
    """
    return costs.fixed_s + sum(layer_seconds(layer, costs) for layer in layers)


def check(costs: MeasuredCosts, model: str, dense: Sequence[LayerCost]) -> None:
    """Refuse costs that were measured on another model.

    Args:
        costs: Measured.
        model: Name of the architecture that is to be compressed.
        dense: Every layer of its dense model.

    Raises:
        UsageError: The architecture or the shape of a layer differs.
    """
    if costs.model != model:
        raise _refused(
            f"They are those of '{costs.model}', and '{model}' is to be compressed.", HOW
        )
    _compare({name: layer.macs for name, layer in costs.layers.items()}, dense)


def read(path: Path, model: str, dense: Sequence[LayerCost]) -> MeasuredCosts:
    """Read the layer costs of a dense model from what ``edgeecg bench --json`` wrote.

    Args:
        path: The JSON. Of several files measured in it, the dense float32 one of this model counts.
        model: Name of the architecture.
        dense: Every layer of its dense model.

    Raises:
        UsageError: There is no such file, or it does not hold the layer seconds of just one dense
            float32 file of this very model.
        SchemaError: It is damaged.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"The layer costs '{path}' cannot be read.", f"The system said: {error.strerror}.", HOW
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
    lost = sorted(names - set(own))
    if lost:
        raise _refused(
            f"The runtime gives no time of its own for {', '.join(lost)}.",
            "Bench the file with another version of the runtime, or leave --costs out.",
        )
    # Of the median, what a graph that does nothing takes is the call's and no layer's.
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
    """Return the one result of the dense float32 file of a model that knows its layers' seconds."""
    known = [(each, each.artifact.manifest) for each in report.results]
    ours = [(each, held) for each, held in known if held is not None]
    mine = [(each, held) for each, held in ours if held.model == model]
    if not mine:
        models = ", ".join(sorted({f"'{held.model}'" for _, held in ours})) or "foreign files alone"
        raise _refused(f"Measured were {models}, and '{model}' is to be compressed.", HOW)
    dense = [
        (each, held)
        for each, held in mine
        if held.role == "baseline" and held.dtype == "float32" == each.artifact.dtype
    ]
    if not dense:
        files = ", ".join(sorted(held.name for _, held in mine))
        raise _refused(f"Measured were {files}, and no dense float32 file among them.", HOW)
    found = [(each, held) for each, held in dense if each.layers]
    if not found:
        reasons = " ".join(dict.fromkeys(each.layers_reason or "" for each, _ in dense))
        raise _refused(f"They lack the seconds of the layers. {reasons}", HOW)
    if len(found) > 1:
        files = ", ".join(each.artifact.file for each, _ in found)
        raise _refused(
            f"Several dense files of '{model}' were measured: {files}.",
            "Give a JSON with one of them: edgeecg bench FILE --json costs.json",
        )
    return found[0]


def _compare(measured: Mapping[str, int], dense: Sequence[LayerCost]) -> None:
    """Compare the MACs of every layer with those that were measured.

    Raises:
        UsageError: A layer is not there or has other MACs.
    """
    for layer in dense:
        found = measured.get(layer.name, 0)
        if found != layer.macs:
            raise _refused(
                f"Layer '{layer.name}' has {layer.macs:,} MACs here, and the measured file has "
                f"{f'{found:,} in it' if found else 'no such layer'}.",
                f"{HOW} Files of an earlier version name their layers otherwise.",
            )


def _attributed(
    operations: Sequence[LayerTime], nodes: Mapping[str, int], layers: set[str]
) -> tuple[float, dict[str, float], dict[str, float]]:
    """Give every operation's seconds to a layer.

    Args:
        operations: As the runtime ran them.
        nodes: MACs of every node of the file.
        layers: Names of the model's layers.

    Returns:
        Seconds before the first layer; by layer, of the layer itself; and of what follows it.
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
    """Return the node that an operation was made from; "" where its name does not say it.

    ONNX Runtime calls a fusion as the node it began with and what it did, behind a slash.
    """
    while operation and operation not in nodes:
        operation = operation.rpartition("/")[0]
    return operation


def _refused(why: str, todo: str) -> UsageError:
    return UsageError("The measured layer costs do not fit.", why, todo)
