"""Operation times of another device, which decide what a searched target keeps in float32."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeecg.costs.attribution import attribute
from edgeecg.errors import UsageError
from edgeecg.schema import Artifact, BenchReport, BenchResult, LayerCost

_HOW = (
    "Export the model with '--target tflite --target tflite-int8', and give what "
    "'edgeecg bench FILE.tflite FILE-int8.tflite --json FILE.json' writes on the device."
)


@dataclass(frozen=True)
class Benched:
    """What the times of another device say about a model.

    Attributes:
        slower: Layers that take at least as long in int8 as in float32, in the order of the model.
        ratio: Time of the int8 file relative to the float32 file if these layers were as fast as in
            float32. Conversions between the two types are not included.
    """

    slower: tuple[str, ...]
    ratio: float


def read(path: Path, weights_sha256: str, layers: Sequence[LayerCost]) -> Benched:
    """Read a report of ``edgeecg bench --json`` on the float32 and the int8 file of a model.

    Args:
        path: The report.
        weights_sha256: Hash of the weights of the model.
        layers: Every layer of the model.

    Raises:
        UsageError: There is no such file, or it has no operation times of both files.
        SchemaError: The file is damaged.
    """
    try:
        report = BenchReport.from_json(path.read_bytes(), str(path))
    except OSError as error:
        raise UsageError(
            f"The operation times '{path}' cannot be read.",
            f"The operating system reports: {error.strerror}.",
            _HOW,
        ) from error
    plain = _result(report, weights_sha256, "tflite")
    int8 = _result(report, weights_sha256, "tflite-int8")
    in_float, in_int8 = _seconds(*plain, layers), _seconds(*int8, layers)
    slower = tuple(
        layer.name
        for layer in layers
        if layer.name in in_int8 and in_int8[layer.name] >= in_float.get(layer.name, 0.0) > 0
    )
    saved = sum(in_int8[name] - in_float[name] for name in slower)
    total, reference = (sum(each.seconds for each in found[0].layers) for found in (int8, plain))
    return Benched(slower, (total - saved) / reference if reference else 1.0)


def _result(report: BenchReport, weights_sha256: str, target: str) -> tuple[BenchResult, Artifact]:
    for each in report.results:
        manifest = each.artifact.manifest
        if manifest is None or manifest.weights_sha256 != weights_sha256 or not each.layers:
            continue
        if manifest.target == target:
            return each, manifest
    raise UsageError(
        "The operation times do not fit the model.",
        f"The report has no times of the operations of its '{target}' file.",
        _HOW,
    )


def _seconds(
    result: BenchResult, manifest: Artifact, layers: Sequence[LayerCost]
) -> Mapping[str, float]:
    """Return the time of every layer that the runtime times separately."""
    layer_of = attribute(manifest.layers, layers, "tflite").layers
    found: dict[str, float] = {}
    for operation in result.layers:
        # The runtime's name starts with that of the node.
        node = max(
            (name for name in layer_of if f"{operation.name} ".startswith(f"{name} ")),
            key=len,
            default=None,
        )
        if node is not None:
            found[layer_of[node]] = found.get(layer_of[node], 0.0) + operation.seconds
    return found
