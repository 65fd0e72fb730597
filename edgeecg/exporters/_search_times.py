"""Operation times of another device, which decide what a searched target keeps in float32.

Instructions on an emulated core are as good for that: ``edgeecg bench --device emulated:CORE``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeecg.costs.attribution import attribute
from edgeecg.errors import ExportError, UsageError
from edgeecg.files import read_bytes
from edgeecg.schema import Artifact, ArtifactRef, BenchReport, InstructionReport, LayerCost

_HOW = (
    "Export the model with '--target tflite --target tflite-int8', and give what "
    "'edgeecg bench FILE.tflite FILE-int8.tflite --json FILE.json' writes on the device."
)


@dataclass(frozen=True)
class Benched:
    """What the times of another device say about a model.

    Attributes:
        slower: Layers that take at least as long in int8 as in float32, in the order of the model.
        ratio: Time, or instructions, of the int8 file relative to the float32 file if these layers
            were as fast as in float32. Conversions between the two types are not included.
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
        UsageError: There is no such file.
        ExportError: It has no operation times of both files of the model.
        SchemaError: The file is damaged.
    """
    content = read_bytes(path, f"The operation times '{path}'", UsageError, _HOW)
    files, counted = _measured(content, str(path))
    plain = _file(files, weights_sha256, "tflite")
    int8 = _file(files, weights_sha256, "tflite-int8")
    in_float, in_int8 = _by_layer(plain, layers), _by_layer(int8, layers)
    slower = tuple(
        layer.name
        for layer in layers
        if layer.name in in_int8 and _slower(in_int8[layer.name], in_float.get(layer.name), counted)
    )
    saved = sum(in_int8[name] - in_float[name] for name in slower)
    total, reference = (sum(each for _, each in file.operations) for file in (int8, plain))
    return Benched(slower, (total - saved) / reference if reference else 1.0)


def _slower(in_int8: float, in_float: float | None, counted: bool) -> bool:
    """Whether a layer should stay float32: instructions are counted in steps, and often equal."""
    if not in_float:
        return False
    return in_int8 > in_float if counted else in_int8 >= in_float


@dataclass(frozen=True)
class _File:
    """What was measured of a file: names of its operations, with seconds or instructions."""

    manifest: Artifact
    operations: tuple[tuple[str, float], ...]


def _measured(content: bytes, source: str) -> tuple[list[_File], bool]:
    """Return the files of a report that were profiled, and whether instructions were counted.

    Raises:
        SchemaError: The report is damaged.
    """
    try:
        document: object = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    counted = isinstance(document, dict) and document.get("schema") == InstructionReport.version
    profiled: list[tuple[ArtifactRef, list[tuple[str, float]]]]
    if counted:
        profiled = [
            (each.artifact, [(one.name, one.instructions) for one in each.instructions.operations])
            for each in InstructionReport.from_json(content, source).results
        ]
    else:
        profiled = [
            (each.artifact, [(one.name, one.seconds) for one in each.layers])
            for each in BenchReport.from_json(content, source).results
        ]
    return [
        _File(artifact.manifest, tuple(operations))
        for artifact, operations in profiled
        if artifact.manifest is not None and operations
    ], counted


def _file(files: Sequence[_File], weights_sha256: str, target: str) -> _File:
    for each in files:
        if each.manifest.weights_sha256 == weights_sha256 and each.manifest.target == target:
            return each
    raise ExportError(
        "The operation times do not fit the model.",
        f"The report has no times of the operations of its '{target}' file.",
        _HOW,
    )


def _by_layer(file: _File, layers: Sequence[LayerCost]) -> Mapping[str, float]:
    """Return what every layer takes that the runtime measures separately."""
    layer_of = attribute(file.manifest.layers, layers, "tflite").layers
    found: dict[str, float] = {}
    for name, taken in file.operations:
        # The runtime's name starts with that of the node.
        node = max(
            (each for each in layer_of if f"{name} ".startswith(f"{each} ")),
            key=len,
            default=None,
        )
        if node is not None:
            found[layer_of[node]] = found.get(layer_of[node], 0.0) + taken
    return found
