"""Counts instructions of an inference on emulated cores, beside latency here and the proxy.

Every model is reduced by the search of ``--budget`` alone, without fine-tuning: how much a model
executes does not depend on what it has learned. The dense and the reduced model are exported in
each target of the settings. The files of a model are timed in one call of ``edgeecg bench`` on this
machine, and their instructions are counted twice on each emulated core. Needs the records, for
calibration, and the image of ``edgeecg emulator build``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from edgeecg import models
from edgeecg.benchmark import instructions
from edgeecg.benchmark.arguments import NO_METER
from edgeecg.benchmark.config import BenchConfig
from edgeecg.benchmark.run import measure
from edgeecg.data import DataRequest, Dataset, load_dataset
from edgeecg.devices.emulator.cores import CORES
from edgeecg.evaluation.inference import predict
from edgeecg.models import parameters
from edgeecg.schema import BenchResult, InstructionReport, Role
from edgeecg.training.sampling import balanced_subset

from ..experiment import Context, Experiment
from ..reduced import exported, macs, reduced, shipped
from ..tasks import Task

PACKAGES = ("torch", "torch-pruning", "litert-torch", "ai-edge-litert", "ai-edge-quantizer")
CALIBRATION_WINDOWS, PROBE_WINDOWS = 128, 64


def tasks(experiment: Experiment, context: Context) -> Iterable[Task]:
    """Return a task for each model, with a row for each of its files."""
    targets = experiment.settings["targets"]
    for run in experiment.runs:
        model = run.model or run.label
        made = partial(_rows, model, experiment.settings)
        yield Task({"model": model}, made, rows=2 * len(targets))


def _rows(name: str, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a row for each file of a model.

    Args:
        name: Architecture, with weights in the package.
        settings: ``budget``; ``targets`` by the names of their files in the table; ``suite`` of the
            latency; ``cores`` to count on.
    """
    budget: str = settings["budget"]
    targets: dict[str, str] = settings["targets"]
    shape, dense = models.architecture(name), models.load(*shipped(name))
    dataset = load_dataset(DataRequest(source=shape.DATASET, task=shape.TASK))
    both: dict[Role, nn.Module] = {
        "baseline": dense,
        "compressed": reduced(dense, name, None, budget),
    }
    with tempfile.TemporaryDirectory() as folder:
        files: dict[tuple[Role, str], Path] = {
            (role, dtype): _written(model, name, role, target, dataset, Path(folder))
            for role, model in both.items()
            for dtype, target in targets.items()
        }
        paths = list(files.values())
        config = BenchConfig(meter=NO_METER, baseline=paths[0], suite=settings["suite"])
        timed = measure(paths, config).results
        counted = {
            core.name: [_counted(paths, core.device) for _ in "12"]
            for core in CORES
            if core.name in settings["cores"]
        }
    return [
        {
            "role": role,
            "dtype": dtype,
            "budget": None if role == "baseline" else budget,
            "parameters": parameters(both[role]),
            "macs_ratio": macs(both[role], name) / macs(dense, name),
            **_timed(timed, place),
            **_emulated(counted, place),
        }
        for place, (role, dtype) in enumerate(files)
    ]


def _written(
    model: nn.Module, name: str, role: Role, target: str, dataset: Dataset, folder: Path
) -> Path:
    """Write one file and its probe set, and return its path."""
    windows: NDArray[np.float32] = dataset.train.x[
        balanced_subset(dataset.train.y, CALIBRATION_WINDOWS)
    ]
    path = folder / f"{name}-{role}-{target}.tflite"
    exported(model, name, role, path, target, windows)
    x = np.ascontiguousarray(dataset.val.x[:PROBE_WINDOWS], np.float32)
    np.savez(path.with_name(f"{path.stem}.probe.npz"), x=x, logits=predict(model, x))
    return path


def _counted(paths: Sequence[Path], device: str) -> InstructionReport:
    return instructions.count(paths, device, baseline=paths[0], operations=False)


def _timed(results: Sequence[BenchResult], place: int) -> dict[str, Any]:
    """Return what one call of bench measured of a file on this machine."""
    result, dense = results[place], results[0]
    return {
        "macs": result.proxy.macs,
        "size_bytes": result.artifact.size_bytes,
        "proxy_ideal": result.proxy.ideal,
        "proxy_executed": result.proxy.executed,
        "same_labels": result.parity.label_agreement,
        "x86_p50_s": result.latency.p50_s,
        "x86_ratio": result.latency.p50_s / dense.latency.p50_s,
        "runtime": result.runtime,
    }


def _emulated(counted: dict[str, list[InstructionReport]], place: int) -> dict[str, Any]:
    """Return the counts of a file on every core, and how far two runs differ."""
    found: dict[str, Any] = {}
    for core, reports in counted.items():
        first, second = (each.results[place].instructions.per_inference for each in reports)
        dense = reports[0].results[0].instructions.per_inference
        found[f"{core}_instructions"] = first
        found[f"{core}_ratio"] = first / dense
        found[f"{core}_difference"] = abs(second - first) / first
    if not counted:
        return found
    report = next(iter(counted.values()))[0]
    return found | {
        "emulated": True,
        "emulator": report.results[0].instructions.emulator,
        "kernel": report.image.kernel,
        "image": report.image.recipe,
    }
