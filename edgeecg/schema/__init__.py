"""The values that pass between the stages, one file per kind.

Every value is frozen and validated, refuses unknown keys, and reads and writes versioned JSON: see
:class:`edgeecg.schema.value.Value`. A name is imported from its file when it is first used, so that
``edgeecg bench --help`` need not load all of them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgeecg.schema.artifacts import (
        Artifact as Artifact,
        Baseline as Baseline,
        Parity as Parity,
        Rejection as Rejection,
        ScoreDrop as ScoreDrop,
        Speed as Speed,
    )
    from edgeecg.schema.calibration import (
        CalibratedEstimate as CalibratedEstimate,
        Calibration as Calibration,
        CalibrationGraph as CalibrationGraph,
        CalibrationReport as CalibrationReport,
        FittedCosts as FittedCosts,
    )
    from edgeecg.schema.compression import (
        CompressionConfig as CompressionConfig,
        CustomModule as CustomModule,
    )
    from edgeecg.schema.compression_log import (
        CompressionLog as CompressionLog,
        CompressionStep as CompressionStep,
        Rollback as Rollback,
    )
    from edgeecg.schema.constraints import (
        Budget as Budget,
        BudgetCheck as BudgetCheck,
        BudgetKind as BudgetKind,
        Guard as Guard,
    )
    from edgeecg.schema.costs import (
        CostTotals as CostTotals,
        LayerCost as LayerCost,
        Proxy as Proxy,
        ProxyCoefficients as ProxyCoefficients,
    )
    from edgeecg.schema.data import (
        DataSummary as DataSummary,
        Preprocessing as Preprocessing,
        Reference as Reference,
        Rhythm as Rhythm,
    )
    from edgeecg.schema.device_info import (
        DeviceInfo as DeviceInfo,
        DeviceState as DeviceState,
    )
    from edgeecg.schema.documents import (
        DetectRule as DetectRule,
        DeviceProfile as DeviceProfile,
        ExportRecipe as ExportRecipe,
        Processor as Processor,
        Suite as Suite,
    )
    from edgeecg.schema.energy import (
        Energy as Energy,
        EnergyWindow as EnergyWindow,
    )
    from edgeecg.schema.fidelity import (
        FEWEST_BEATS as FEWEST_BEATS,
        Fidelity as Fidelity,
        FidelityShare as FidelityShare,
    )
    from edgeecg.schema.filters import (
        FilterCoefficients as FilterCoefficients,
    )
    from edgeecg.schema.findings import (
        Finding as Finding,
    )
    from edgeecg.schema.inspection import (
        InspectedOperation as InspectedOperation,
        InspectedTensor as InspectedTensor,
        Inspection as Inspection,
        QuantizationSummary as QuantizationSummary,
        SlowKind as SlowKind,
        SlowOperations as SlowOperations,
    )
    from edgeecg.schema.instructions import (
        EmulatorImage as EmulatorImage,
        InstructionReport as InstructionReport,
        InstructionResult as InstructionResult,
        Instructions as Instructions,
        OperationInstructions as OperationInstructions,
    )
    from edgeecg.schema.measured_costs import (
        LayerSeconds as LayerSeconds,
        MeasuredCosts as MeasuredCosts,
    )
    from edgeecg.schema.measurement import (
        ArtifactRef as ArtifactRef,
        BenchReport as BenchReport,
        BenchResult as BenchResult,
        Breakdown as Breakdown,
        DataFile as DataFile,
        FileFailure as FileFailure,
        Latency as Latency,
        LayerTime as LayerTime,
        Memory as Memory,
    )
    from edgeecg.schema.models import (
        ModelCard as ModelCard,
        ModelSummary as ModelSummary,
    )
    from edgeecg.schema.quantization import (
        QuantizationLog as QuantizationLog,
        Quantize as Quantize,
        QuantizedFile as QuantizedFile,
    )
    from edgeecg.schema.remote import (
        Fleet as Fleet,
        Host as Host,
        HostClock as HostClock,
        HostFailure as HostFailure,
    )
    from edgeecg.schema.scores import (
        ClassScore as ClassScore,
        Ec57 as Ec57,
        Interval as Interval,
        Scores as Scores,
    )
    from edgeecg.schema.search import (
        Front as Front,
        SearchConfig as SearchConfig,
        SearchTrial as SearchTrial,
        Space as Space,
    )
    from edgeecg.schema.training import (
        Augmentation as Augmentation,
        TrainingConfig as TrainingConfig,
    )
    from edgeecg.schema.value import (
        MANIFEST_KEY as MANIFEST_KEY,
        MODEL_SUFFIXES as MODEL_SUFFIXES,
        ActivationDType as ActivationDType,
        ClassMapName as ClassMapName,
        Count as Count,
        DType as DType,
        Format as Format,
        Fraction as Fraction,
        Positive as Positive,
        Role as Role,
        Seconds as Seconds,
        Sha256 as Sha256,
        Source as Source,
        Split as Split,
        Task as Task,
        Value as Value,
    )

_NAMES = {
    "artifacts": "Artifact Baseline Parity Rejection ScoreDrop Speed",
    "calibration": "CalibratedEstimate Calibration CalibrationGraph CalibrationReport FittedCosts",
    "compression": "CompressionConfig CustomModule",
    "compression_log": "CompressionLog CompressionStep Rollback",
    "constraints": "Budget BudgetCheck BudgetKind Guard",
    "costs": "CostTotals LayerCost Proxy ProxyCoefficients",
    "data": "DataSummary Preprocessing Reference Rhythm",
    "device_info": "DeviceInfo DeviceState",
    "documents": "DetectRule DeviceProfile ExportRecipe Processor Suite",
    "energy": "Energy EnergyWindow",
    "fidelity": "FEWEST_BEATS FidelityShare Fidelity",
    "filters": "FilterCoefficients",
    "findings": "Finding",
    "inspection": "InspectedOperation InspectedTensor Inspection QuantizationSummary SlowKind "
    "SlowOperations",
    "instructions": "EmulatorImage InstructionReport InstructionResult Instructions "
    "OperationInstructions",
    "measured_costs": "LayerSeconds MeasuredCosts",
    "measurement": "ArtifactRef BenchReport BenchResult Breakdown DataFile FileFailure Latency "
    "LayerTime Memory",
    "models": "ModelCard ModelSummary",
    "quantization": "QuantizationLog Quantize QuantizedFile",
    "remote": "Fleet Host HostClock HostFailure",
    "scores": "ClassScore Ec57 Interval Scores",
    "search": "Front SearchConfig SearchTrial Space",
    "training": "Augmentation TrainingConfig",
    "value": "ActivationDType ClassMapName Count DType Format Fraction MANIFEST_KEY MODEL_SUFFIXES "
    "Positive Role Seconds Sha256 Source Split Task Value",
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    """Import a value from its file when it is first used."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    found = getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Return all names, loaded or not."""
    return sorted({*globals(), *_MODULE_OF})
