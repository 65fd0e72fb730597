"""Opening a file to be measured: that it is what its manifest says, and what it costs by count."""

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

# Operations that only a quantised ONNX graph has.
_QUANTISED_ONNX = (b"DequantizeLinear", b"QLinearConv", b"ConvInteger", b"MatMulInteger")


@dataclass(frozen=True)
class Subject:
    """A file whose structure is sound and whose content is the one that was exported.

    Attributes:
        path: The file.
        runtime: What runs it.
        sha256: Hash of the file.
        layers: Costs counted from the file, or None.
        uncounted: Why there are none, or None.
    """

    path: Path
    runtime: Runtime
    sha256: str
    layers: tuple[LayerCost, ...] | None
    uncounted: str | None


def examine(path: Path) -> Subject:
    """Check a file before any native code sees it.

    Raises:
        UsageError: No runtime runs files of this suffix.
        EdgeECGError: There is no such file.
        ArtifactError: The file is corrupt, or not the one its sidecar manifest describes.
    """
    runtime = for_file(path)
    if not path.is_file():
        raise EdgeECGError(
            f"There is no file '{path}'.",
            "A file to measure was expected at this place.",
            "Check the name; 'edgeecg export' writes to runs/NAME/artifacts/.",
        )
    digest = sha256(path)
    _compare(_sidecar(path), digest, path)
    try:
        return Subject(path, runtime, digest, count(path), None)
    except UncountableError as error:
        return Subject(path, runtime, digest, None, f"{error.what} {error.why}")
    except MissingDependencyError as error:
        # A device counts no .onnx: what the exporter counted stands in the manifest.
        return Subject(path, runtime, digest, None, f"{error.what} {error.why}")


def manifest(subject: Subject, session: Session) -> Artifact | None:
    """Return the manifest embedded in the file, or the one beside it, or None for a foreign file.

    Raises:
        SchemaError: There is one, and it is damaged or of another version.
    """
    text = session.manifest_json()
    if text is not None:
        return Artifact.from_json(text, source=f"the manifest in {subject.path}")
    return _sidecar(subject.path)


def reference(subject: Subject, held: Artifact | None) -> ArtifactRef:
    """Return what a result says about the file."""
    return ArtifactRef(
        file=str(subject.path),
        sha256=subject.sha256,
        format=cast(Format, subject.runtime.FORMAT),
        dtype=_dtype(subject, held),
        size_bytes=subject.path.stat().st_size,
        manifest=held,
    )


def relative_proxy(
    subject: Subject, held: Artifact | None, coefficients: ProxyCoefficients
) -> tuple[Proxy, CostTotals | None]:
    """Return both readings of the proxy, relative to what the baseline executes.

    Args:
        subject: The file.
        held: Its manifest, which knows the baseline.
        coefficients: The device's.

    Returns:
        The proxy, with a reason for what is None, and the absolute counts behind it.
    """
    layers = subject.layers
    if layers is None and held is not None:
        layers = held.layers
    if layers is None:
        missing = Proxy(
            ideal=None, executed=None, macs=None, weight_bytes=None, reason=subject.uncounted
        )
        return missing, None
    costs = proxy.totals(layers)
    base = held.baseline.costs if held is not None and held.baseline is not None else None
    ideal = executed = None
    reason = "The file does not say what its baseline is." if base is None else None
    if base is not None:
        whole = proxy.executed(base, coefficients)
        ideal = proxy.ideal(costs, coefficients) / whole
        executed = proxy.executed(costs, coefficients) / whole
    counted = Proxy(
        ideal=ideal,
        executed=executed,
        macs=sum(costs.macs.values()),
        weight_bytes=costs.weight_bytes,
        reason=reason,
    )
    return counted, costs


def _sidecar(path: Path) -> Artifact | None:
    beside = path.with_suffix(".json")
    if not beside.is_file():
        return None
    return Artifact.from_json(beside.read_bytes(), source=str(beside))


def _compare(beside: Artifact | None, digest: str, path: Path) -> None:
    if beside is not None and beside.sha256 is not None and beside.sha256 != digest:
        raise ArtifactError(
            f"{path} is not the file that was exported.",
            f"Its SHA-256 is {digest[:12]}..., {path.with_suffix('.json').name} says "
            f"{beside.sha256[:12]}...",
            "It was changed or damaged on the way; export or copy both files again.",
        )


def _dtype(subject: Subject, held: Artifact | None) -> DType:
    """Return the type most MACs run in; without a count, the type of the weights in the file."""
    if subject.layers is not None and any(layer.macs for layer in subject.layers):
        by_type = proxy.totals(subject.layers).macs
        return max(by_type, key=lambda dtype: by_type[dtype])
    if held is not None:
        return held.dtype
    if subject.runtime.FORMAT == "tflite":
        types = [
            tensor.type
            for operator in tflite_file.read(subject.path).operators
            for tensor in operator.inputs
            if tensor is not None and tensor.constant and len(tensor.shape) > 1
        ]
        return "int8" if any(kind in ("INT8", "UINT8", "INT4") for kind in types) else "float32"
    content = subject.path.read_bytes()
    return "int8" if any(name in content for name in _QUANTISED_ONNX) else "float32"
