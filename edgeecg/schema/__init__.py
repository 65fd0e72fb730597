"""The values that pass between rooms, one file per kind of door.

Frozen, validated when made, JSON with a version. Units stand in the names (``_s``, ``_j``, ``_w``,
``_hz``, ``_bytes``, ``_mv``). What was not measured is ``None`` beside a reason, never 0. Unknown
keys are refused by name.
"""

from edgeecg.schema.artifacts import Artifact, Baseline, Parity
from edgeecg.schema.compression import (
    CompressionConfig,
    CompressionLog,
    CompressionStep,
    CustomModule,
    Rollback,
)
from edgeecg.schema.constraints import Budget, BudgetKind, Guard
from edgeecg.schema.costs import CostTotals, LayerCost, Proxy, ProxyCoefficients
from edgeecg.schema.data import DataSummary, Preprocessing, Reference, Rhythm
from edgeecg.schema.documents import DetectRule, DeviceProfile, ExportRecipe, Suite
from edgeecg.schema.measured_costs import LayerSeconds, MeasuredCosts
from edgeecg.schema.measurement import (
    ArtifactRef,
    BenchReport,
    BenchResult,
    Breakdown,
    DeviceInfo,
    DeviceState,
    Energy,
    Latency,
    LayerTime,
    Memory,
)
from edgeecg.schema.models import ModelCard, ModelSummary
from edgeecg.schema.quantization import QuantizationLog, Quantize
from edgeecg.schema.scores import ClassScore, Ec57, Interval, Scores
from edgeecg.schema.training import Augmentation, TrainingConfig
from edgeecg.schema.value import (
    MANIFEST_KEY,
    ClassMapName,
    Count,
    DType,
    Format,
    Fraction,
    Positive,
    Role,
    Seconds,
    Sha256,
    Source,
    Split,
    Task,
    Value,
)

__all__ = [
    "MANIFEST_KEY",
    "Artifact",
    "ArtifactRef",
    "Augmentation",
    "Baseline",
    "BenchReport",
    "BenchResult",
    "Breakdown",
    "Budget",
    "BudgetKind",
    "ClassMapName",
    "ClassScore",
    "CompressionConfig",
    "CompressionLog",
    "CompressionStep",
    "CostTotals",
    "Count",
    "CustomModule",
    "DType",
    "DataSummary",
    "DetectRule",
    "DeviceInfo",
    "DeviceProfile",
    "DeviceState",
    "Ec57",
    "Energy",
    "ExportRecipe",
    "Format",
    "Fraction",
    "Guard",
    "Interval",
    "Latency",
    "LayerCost",
    "LayerSeconds",
    "LayerTime",
    "MeasuredCosts",
    "Memory",
    "ModelCard",
    "ModelSummary",
    "Parity",
    "Positive",
    "Preprocessing",
    "Proxy",
    "ProxyCoefficients",
    "QuantizationLog",
    "Quantize",
    "Reference",
    "Rhythm",
    "Role",
    "Rollback",
    "Scores",
    "Seconds",
    "Sha256",
    "Source",
    "Split",
    "Suite",
    "Task",
    "TrainingConfig",
    "Value",
]
