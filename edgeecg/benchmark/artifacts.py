"""Checking a file before it is measured, and counting what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from edgeecg.costs import proxy, tflite_file
from edgeecg.costs.counting import count
from edgeecg.costs.layers import UncountableError
from edgeecg.errors import ArtifactError, EdgeECGError, MissingDependencyError
from edgeecg.files import sha256
from edgeecg.runtimes import Runtime, Session, for_file
from edgeecg.schema import (
    Artifact,
    ArtifactRef,
    CostTotals,
    DType,
    Format,
    LayerCost,
    Proxy,
    ProxyCoefficients,
)

# Operations that only a quantised ONNX graph contains.
_QUANTISED_ONNX = (b"DequantizeLinear", b"QLinearConv", b"ConvInteger", b"MatMulInteger")


@dataclass(frozen=True)
class ModelFile:
    """A model file that has passed the checks of :func:`examine`.

    Attributes:
        path: The file.
        runtime: The runtime that runs it.
        sha256: Hash of the file.
        layers: Costs counted from the file, or None when they cannot be counted.
        uncounted: Why ``layers`` is None, or None.
    """

    path: Path
    runtime: Runtime
    sha256: str
    layers: tuple[LayerCost, ...] | None
    uncounted: str | None


def examine(path: Path) -> ModelFile:
    """Check a file and count its costs, before native code loads it.

    Args:
        path: The file.

    Raises:
        UsageError: No runtime runs files of this suffix.
        EdgeECGError: There is no such file.
        ArtifactError: The file is corrupt, or is not the one that the manifest beside it describes.
    """
    runtime = for_file(path)
    if not path.is_file():
        raise EdgeECGError(
            f"There is no file '{path}'.",
            "Nothing lies at this path, or it is a folder.",
            "Check the name; 'edgeecg export' writes to runs/NAME/artifacts/.",
        )
    digest = sha256(path)
    _check_hash(_manifest_beside(path), digest, path)
    try:
        return ModelFile(path, runtime, digest, count(path), None)
    except (UncountableError, MissingDependencyError) as error:
        # On a device, which lacks the package onnx, the manifest has what the exporter counted.
        return ModelFile(path, runtime, digest, None, f"{error.what} {error.why}")


def read_manifest(file: ModelFile, session: Session) -> Artifact | None:
    """Return the manifest in the file, or the one beside it, or None for a foreign file.

    Args:
        file: The file.
        session: The same file, loaded.

    Raises:
        SchemaError: The manifest is damaged or of another version.
    """
    text = session.manifest_json()
    if text is not None:
        return Artifact.from_json(text, source=f"the manifest in {file.path}")
    return _manifest_beside(file.path)


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
        size_bytes=file.path.stat().st_size,
        manifest=manifest,
    )


def relative_proxy(
    file: ModelFile, manifest: Artifact | None, coefficients: ProxyCoefficients
) -> tuple[Proxy, CostTotals | None]:
    """Return the proxy of a file, relative to that of its baseline.

    Args:
        file: The file.
        manifest: Its manifest, which holds the baseline's costs; None for a foreign file.
        coefficients: The device's coefficients.

    Returns:
        The proxy, with a reason for what is None, and the costs it was computed from.
    """
    layers = file.layers
    if layers is None and manifest is not None:
        layers = manifest.layers
    if layers is None:
        missing = Proxy(
            ideal=None, executed=None, macs=None, weight_bytes=None, reason=file.uncounted
        )
        return missing, None
    costs = proxy.totals(layers)
    return proxy.relative(costs, _baseline_costs(manifest), coefficients), costs


def _baseline_costs(manifest: Artifact | None) -> CostTotals | None:
    return None if manifest is None or manifest.baseline is None else manifest.baseline.costs


def _manifest_beside(path: Path) -> Artifact | None:
    beside = path.with_suffix(".json")
    if not beside.is_file():
        return None
    return Artifact.from_json(beside.read_bytes(), source=str(beside))


def _check_hash(beside: Artifact | None, digest: str, path: Path) -> None:
    if beside is not None and beside.sha256 is not None and beside.sha256 != digest:
        raise ArtifactError(
            f"{path} is not the file that was exported.",
            f"Its SHA-256 starts with {digest[:12]}, and with {beside.sha256[:12]} in "
            f"{path.with_suffix('.json').name}.",
            "It was changed or damaged since; export or copy both files again.",
        )


def _dtype(file: ModelFile, manifest: Artifact | None) -> DType:
    """Return the type most MACs run in; without a count, the type of the weights in the file."""
    if file.layers is not None and any(layer.macs for layer in file.layers):
        by_type = proxy.totals(file.layers).macs
        return max(by_type, key=lambda dtype: by_type[dtype])
    if manifest is not None:
        return manifest.dtype
    if file.runtime.FORMAT == "tflite":
        types = [
            tensor.type
            for operator in tflite_file.read(file.path).operators
            for tensor in operator.inputs
            if tensor is not None and tensor.constant and len(tensor.shape) > 1
        ]
        return "int8" if any(kind in ("INT8", "UINT8", "INT4") for kind in types) else "float32"
    content = file.path.read_bytes()
    return "int8" if any(name in content for name in _QUANTISED_ONNX) else "float32"
