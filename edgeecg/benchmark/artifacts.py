"""Checking a file before it is measured, and counting what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from edgeecg.benchmark.arguments import require_file
from edgeecg.costs import number_types, onnx_file, proxy, tflite_file
from edgeecg.costs.counting import count
from edgeecg.costs.input_shapes import Input, Shapes, concrete
from edgeecg.costs.layers import UncountableError
from edgeecg.costs.number_types import NumberTypes
from edgeecg.errors import ArtifactError, MissingDependencyError, SchemaError
from edgeecg.files import sha256
from edgeecg.runtimes import Runtime, for_file
from edgeecg.schema import (
    Artifact,
    ArtifactRef,
    CostTotals,
    DataFile,
    DType,
    Format,
    LayerCost,
    Proxy,
    ProxyCoefficients,
)


@dataclass(frozen=True)
class ModelFile:
    """A model file that has passed the checks of :func:`examine`.

    Attributes:
        path: The file.
        runtime: The runtime that runs it.
        sha256: Hash of the file.
        data_files: Files beside it that hold its weights.
        inputs: Its inputs.
        shapes: Shapes of its inputs during the measurement.
        types: Types of its weights and activations.
        layers: Costs counted from the file, or None when they cannot be counted.
        uncounted: Why ``layers`` is None, or None.
    """

    path: Path
    runtime: Runtime
    sha256: str
    data_files: tuple[DataFile, ...]
    inputs: tuple[Input, ...]
    shapes: Shapes
    types: NumberTypes
    layers: tuple[LayerCost, ...] | None
    uncounted: str | None

    @property
    def batch(self) -> int:
        """Number of windows of one run: the length of the first axis of the first input."""
        shape = next(iter(self.shapes.values()), ())
        return shape[0] if len(shape) > 1 else 1


def examine(path: Path, shapes: Shapes | None = None) -> ModelFile:
    """Check a file and count its costs, before native code loads it.

    Args:
        path: The file.
        shapes: Shapes of its inputs that have free axes.

    Raises:
        UsageError: No runtime runs files of this suffix, or the shape of an input is unknown.
        EdgeECGError: There is no such file.
        ArtifactError: The file is corrupt, the manifest beside it cannot be read, or describes
            another file.
    """
    runtime = for_file(path)
    require_file(path)
    digest = sha256(path)
    _check_hash(_manifest_beside(path), digest, path)
    inputs, types, data_files = _structure(path)
    found = concrete(path, inputs, shapes or {})
    try:
        layers, uncounted = count(path, found), None
    except UncountableError as error:
        layers, uncounted = None, f"The MACs cannot be counted. {error.why}"
    except MissingDependencyError as error:
        # On a device, which lacks the package onnx, the manifest has what the exporter counted.
        layers, uncounted = None, f"{error.what} {error.why}"
    return ModelFile(
        path=path,
        runtime=runtime,
        sha256=digest,
        data_files=data_files,
        inputs=inputs,
        shapes=found,
        types=types,
        layers=layers,
        uncounted=uncounted,
    )


def _structure(path: Path) -> tuple[tuple[Input, ...], NumberTypes, tuple[DataFile, ...]]:
    """Return inputs, number types and data files, read without a runtime or another package."""
    if path.suffix == ".onnx":
        graph = onnx_file.read(path)
        files = onnx_file.data_files(path, graph)
        described = tuple(
            DataFile(file=each.name, sha256=sha256(each), data_bytes=each.stat().st_size)
            for each in files
        )
        return graph.inputs, number_types.of_onnx(graph), described
    tflite = tflite_file.read(path)
    inputs = tuple(
        Input(
            tensor.name,
            tuple("" if axis in tensor.free else size for axis, size in enumerate(tensor.shape)),
        )
        for tensor in tflite.inputs
    )
    return inputs, number_types.of_tflite(tflite), ()


def read_manifest(file: ModelFile, embedded: str | None) -> Artifact | None:
    """Return the manifest in the file, or the one beside it, or None for a foreign file.

    Args:
        file: The file.
        embedded: The text embedded under ``schema.MANIFEST_KEY``, or None.

    Raises:
        ArtifactError: The manifest is damaged or of another version.
    """
    if embedded is None:
        return _manifest_beside(file.path)
    try:
        return Artifact.from_json(embedded, source="It")
    except SchemaError as error:
        raise ArtifactError(
            f"The manifest in {file.path} cannot be used.",
            f"{error.what} {error.why}",
            "Export the file again, with this version of edgeecg.",
        ) from error


def reference(file: ModelFile, manifest: Artifact | None) -> ArtifactRef:
    """Return the description of a file that its results carry.

    Args:
        file: The file.
        manifest: Its manifest, or None for a foreign file.
    """
    return ArtifactRef(
        file=str(file.path),
        sha256=file.sha256,
        format=cast(Format, file.runtime.FORMAT),
        dtype=_dtype(file, manifest),
        activation_dtype=file.types.activations,
        size_bytes=file.path.stat().st_size + sum(each.data_bytes for each in file.data_files),
        data_files=file.data_files,
        manifest=manifest,
    )


def costs(file: ModelFile, manifest: Artifact | None) -> CostTotals | None:
    """Return the counted costs of a file, or None when neither file nor manifest has them.

    Args:
        file: The file.
        manifest: Its manifest, or None for a foreign file.
    """
    layers = file.layers
    if layers is None and manifest is not None:
        layers = manifest.layers
    return None if layers is None else proxy.totals(layers)


def relative_proxy(
    file: ModelFile,
    manifest: Artifact | None,
    coefficients: ProxyCoefficients,
    baseline: CostTotals | None = None,
) -> Proxy:
    """Return the proxy of a file, relative to that of its baseline.

    Args:
        file: The file.
        manifest: Its manifest, which holds the baseline's costs; None for a foreign file.
        coefficients: The device's coefficients.
        baseline: Costs of the baseline; those in the manifest when None.

    Returns:
        The proxy, with a reason for what is None.
    """
    counted = costs(file, manifest)
    if counted is None:
        return Proxy(ideal=None, executed=None, macs=None, weight_bytes=None, reason=file.uncounted)
    if baseline is None and manifest is not None and manifest.baseline is not None:
        baseline = manifest.baseline.costs
    return proxy.relative(counted, baseline, coefficients)


def _manifest_beside(path: Path) -> Artifact | None:
    beside = path.with_suffix(".json")
    if not beside.is_file():
        return None
    try:
        return Artifact.from_file(beside)
    except (OSError, SchemaError) as error:
        why = f"{error.what} {error.why}" if isinstance(error, SchemaError) else f"{error}."
        raise ArtifactError(
            f"{path} cannot be measured with the {beside.name} beside it.",
            f"That file should be its manifest. {why}",
            f"Export or copy both files again, or move {beside.name} elsewhere.",
        ) from error


def _check_hash(beside: Artifact | None, digest: str, path: Path) -> None:
    if beside is not None and beside.sha256 is not None and beside.sha256 != digest:
        raise ArtifactError(
            f"{path} is not the file that was exported.",
            f"Its SHA-256 starts with {digest[:12]}, and with {beside.sha256[:12]} in "
            f"{path.with_suffix('.json').name}.",
            "It was changed or damaged since; export or copy both files again.",
        )


def _dtype(file: ModelFile, manifest: Artifact | None) -> DType:
    """Return the type of the weights.

    For a ``.tflite`` file it is the type of the weights that are multiplied most often. A ``.onnx``
    file is treated alike whether or not the package onnx, which counts it, is installed.
    """
    if file.path.suffix == ".onnx" or file.types.weights == "float16":
        return file.types.weights
    if file.layers is not None and any(layer.macs for layer in file.layers):
        by_type = proxy.totals(file.layers).macs
        return max(by_type, key=lambda dtype: by_type[dtype])
    return file.types.weights if manifest is None else manifest.dtype
