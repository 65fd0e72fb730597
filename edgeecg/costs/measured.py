"""Measured layer costs: predicting the latency of a pruned model from that of the dense one.

The file of the dense model was profiled operation by operation. An operation that multiplies
belongs to its layer (:mod:`edgeecg.costs.attribution`); every other one (activations, norms,
additions, softmax, reshapes) belongs to the last layer before it in the order of execution. Or the
device was calibrated, and the seconds are predicted from MACs and bytes. The latency of a pruned
model is then predicted as

    t = fixed + sum over its layers of  own * MACs / dense MACs + after * bytes / dense bytes

``own`` are the seconds of the layer's multiplications and ``after`` those of the operations after
them; bytes are the activations that the layer reads and writes. ``fixed`` does not depend on
pruning: the call of the runtime, and the operations before the first layer. A removed layer takes
no time. Neither the size of the weights nor the lower efficiency of narrow layers is modelled:
this is a prediction, and 'edgeecg bench' on the file of the pruned model is the measurement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from hashlib import sha256
from pathlib import Path

from edgeecg import resources
from edgeecg.costs import calibration
from edgeecg.costs.attribution import attribute
from edgeecg.errors import UsageError
from edgeecg.files import read_bytes
from edgeecg.schema import (
    Artifact,
    BenchReport,
    BenchResult,
    LayerCost,
    LayerSeconds,
    LayerTime,
    MeasuredCosts,
)

HOW = (
    "Export the dense model with 'edgeecg export MODEL --target tflite', and give what "
    "'edgeecg bench MODEL-baseline-tflite.tflite --json costs.json' writes on the board."
)
"""What a user does to get layer costs."""


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
            this model is used. A device profile (``NAME.toml``) with a calibration gives predicted
            costs instead.
        model: Name of the architecture.
        dense: Every layer of its dense model.

    Raises:
        UsageError: There is no such file, it has not the layer seconds of exactly one dense float32
            file of this model, or that file takes no longer than an empty graph.
        SchemaError: The file is damaged.
    """
    content = read_bytes(path, f"The layer costs '{path}'", UsageError, HOW)
    if path.suffix == ".toml":
        return _calibrated(path, sha256(content).hexdigest(), model, dense)
    report = BenchReport.from_json(content, str(path))
    result, manifest = _dense(report, model)
    found = attribute(manifest.layers, dense, manifest.format)
    _compare(found.macs, dense)
    names = {layer.name for layer in dense}
    layer_of = {node: layer for node, layer in found.layers.items() if layer in names}
    nodes = {node.name for node in manifest.layers}
    fixed, own, after = _attributed(result.layers, nodes, layer_of)
    missing = sorted(names - set(own))
    if missing:
        raise _refused(
            f"The runtime gives no separate time for {', '.join(missing)}.",
            "Measure the file with another version of the runtime, or leave --costs out.",
        )
    # The time of the empty graph belongs to the call of the runtime and not to a layer.
    whole = sum(operation.seconds for operation in result.layers)
    call = result.breakdown.empty_graph_s or 0.0
    if call >= whole:
        raise _refused(
            f"The file takes {1e6 * whole:.1f} µs and an empty graph {1e6 * call:.1f} µs, so that "
            "nothing is known of its layers.",
            "Measure on an idle machine, or leave --costs out.",
        )
    part = 1 - call / whole
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


def _calibrated(path: Path, digest: str, model: str, dense: Sequence[LayerCost]) -> MeasuredCosts:
    """Return the costs that the calibration of a device predicts for the layers of a model."""
    profile = resources.load_device(str(path))
    found = profile.calibration
    if found is None:
        raise _refused(
            f"The device profile '{path}' has no calibration.",
            "Write one with 'edgeecg calibrate NAME.toml' on the board.",
        )
    reason = calibration.uncalibrated(dense, found)
    if reason is not None:
        raise _refused(reason, HOW)
    fitted = found.seconds
    layers: dict[str, LayerSeconds] = {}
    fixed_s = fitted.fixed
    for layer in dense:
        cost = {
            name: amount * calibration.coefficient(name, fitted)
            for name, amount in calibration.terms(layer).items()
        }
        after_s = fitted.per_byte * layer.activation_bytes
        # What does not shrink when channels are removed: the call, and the steps of the kernel.
        kept_s = sum(s for name, s in cost.items() if calibration.stays(name))
        fixed_s += kept_s
        layers[layer.name] = LayerSeconds(
            # The weights of a layer shrink with its multiplications.
            own_s=sum(cost.values()) - kept_s - after_s,
            after_s=after_s,
            macs=layer.macs,
            activation_bytes=layer.activation_bytes,
        )
    return MeasuredCosts(
        model=model,
        device=profile.name,
        emulated=found.emulated,
        runtime=found.runtime,
        threads=found.threads,
        layers=layers,
        fixed_s=fixed_s,
        artifact_sha256=digest,
        bench_sha256=digest,
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
    operations: Sequence[LayerTime], nodes: Set[str], layer_of: Mapping[str, str]
) -> tuple[float, dict[str, float], dict[str, float]]:
    """Assign the seconds of every operation to a layer.

    Args:
        operations: The operations in the order of execution.
        nodes: Names of all nodes of the file.
        layer_of: Layers, by the names of the nodes that multiply.

    Returns:
        The seconds before the first layer; by layer, those of the layer itself; by layer, those of
        the operations after it.
    """
    before, last = 0.0, ""
    own: dict[str, float] = {}
    after: dict[str, float] = {}
    for operation in operations:
        layer = layer_of.get(_node(operation.name, nodes))
        if layer is not None:
            own[layer] = own.get(layer, 0.0) + operation.seconds
            last = layer
        elif last:
            after[last] = after.get(last, 0.0) + operation.seconds
        else:
            before += operation.seconds
    return before, own, after


def _node(operation: str, nodes: Set[str]) -> str:
    """Return the node that an operation was made from, or an empty string when unknown.

    ONNX Runtime names a fused operation after its first node, a slash, and the kind of fusion.
    """
    while operation and operation not in nodes:
        operation = operation.rpartition("/")[0]
    return operation


def _refused(why: str, todo: str) -> UsageError:
    return UsageError("The measured layer costs do not fit the model.", why, todo)
