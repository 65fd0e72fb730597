"""Exported files and their manifests."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from edgeecg.schema.costs import CostTotals, LayerCost
from edgeecg.schema.data import Preprocessing
from edgeecg.schema.scores import Scores
from edgeecg.schema.value import (
    ClassMapName,
    Count,
    DType,
    Format,
    Fraction,
    Role,
    Sha256,
    Source,
    Task,
    Value,
)


class Parity(Value):
    """Agreement of a file's outputs with the reference outputs of the PyTorch model.

    Attributes:
        n: Probe windows compared, or None when there was no probe set.
        max_abs_diff: Largest absolute difference of a logit, or None.
        label_agreement: Part of the windows with the same most likely class (records: with the
            same classes at a probability of 0.50), or None.
        reason: Why there are no figures, or None.
    """

    n: Count | None
    max_abs_diff: Annotated[float, Field(ge=0.0)] | None
    label_agreement: Fraction | None
    reason: str | None = None


class Baseline(Value):
    """The dense float32 file that a file's proxy is relative to.

    Attributes:
        weights_sha256: Hash of the baseline's weights.
        costs: Costs counted from the baseline's exported float32 file of the same format.
    """

    weights_sha256: Sha256
    costs: CostTotals


class Artifact(Value):
    """The manifest of an exported file: embedded in it, and beside it as ``FILE.json``.

    Attributes:
        name: Stem of the file, e.g. ``resnet1d_attn-compressed-tflite-int8``.
        role: Dense baseline, or what compression made of it.
        format: File format.
        dtype: Type the weights are stored and multiplied in.
        target: Export target, a file name of ``export/``.
        model: Architecture.
        run: Name of the run folder it came from.
        parameters: Parameters of the module it was exported from.
        classes: Class names in the order of the outputs.
        input_shape: ``(batch, leads, samples)``, float32.
        preprocessing: How a lead becomes an input.
        data: Source of the records behind the model.
        task: One class per input, or any number.
        class_map: From annotations to classes, as in ``DataSummary``.
        weights_sha256: Hash of the weights it was exported from.
        layers: Costs counted from this file, layer by layer.
        costs: Their sum.
        baseline: What the proxy is relative to, or None when unknown.
        verification: Agreement with PyTorch on the probe set, right after writing.
        test: Scores of this very file on the test records, or None when not computed.
        versions: Versions of the packages that made it.
        git_revision: Revision of the code, or None outside a checkout.
        file: File name; None in the embedded copy.
        sha256: Hash of the file; None in the embedded copy, which cannot hold its own hash.
        size_bytes: Size of the file; None in the embedded copy.
    """

    version: ClassVar[str] = "edgeecg.artifact/1"

    name: str
    role: Role
    format: Format
    dtype: DType
    target: str
    model: str
    run: str
    parameters: Count
    classes: tuple[str, ...]
    input_shape: tuple[int, int, int]
    preprocessing: Preprocessing
    data: Source
    task: Task = "beats"
    class_map: ClassMapName | Literal["superclasses"] = "aami"
    weights_sha256: Sha256
    layers: tuple[LayerCost, ...]
    costs: CostTotals
    baseline: Baseline | None
    verification: Parity
    test: Scores | None
    versions: dict[str, str]
    git_revision: str | None
    file: str | None = None
    sha256: Sha256 | None = None
    size_bytes: Count | None = None
