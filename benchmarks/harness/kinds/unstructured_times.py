"""Times files in which single weights are zero, beside the dense float32 file of the same model.

The package's weights of a model are pruned in one step, without fine-tuning: how long a file takes
does not depend on what it has learned. The dense file and the pruned ones are timed in one call of
``edgeecg bench``. Needs the records, for calibration, and a machine that does nothing else.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from edgeecg import models
from edgeecg.benchmark.arguments import NO_METER
from edgeecg.benchmark.config import BenchConfig
from edgeecg.benchmark.run import measure
from edgeecg.data import DataRequest, load_dataset
from edgeecg.pruning.masks import nonzero_masks, zero_weights
from edgeecg.schema import BenchResult, CompressionConfig, TrainingConfig
from edgeecg.training.sampling import balanced_subset

from ..experiment import Context, Experiment, Run
from ..reduced import exported, shipped
from ..tasks import Task

TARGETS = {"float32": "tflite", "int8": "tflite-int8"}
PACKAGES = ("torch", "litert-torch", "ai-edge-litert", "ai-edge-quantizer")
CALIBRATION_WINDOWS = 128


def tasks(experiment: Experiment, context: Context) -> Iterable[Task]:
    """Return a task for each model, with a row for its float32 and one for its int8 file."""
    suite: str = experiment.settings["suite"]
    for run in experiment.runs:
        made = partial(_rows, run, suite)
        yield Task({"model": run.model or run.label}, made, rows=len(TARGETS))


def _rows(run: Run, suite: str) -> list[dict[str, Any]]:
    name = run.model or run.label
    shape, dense = models.architecture(name), models.load(*shipped(name))
    windows = load_dataset(DataRequest(source=shape.DATASET, task=shape.TASK)).train
    calibration = windows.x[balanced_subset(windows.y, CALIBRATION_WINDOWS)]
    zeroed = _zeroed(dense, name, run.options)
    with tempfile.TemporaryDirectory() as folder:
        files = [exported(dense, name, "baseline", Path(folder) / "dense.tflite", "tflite")]
        files += [
            exported(
                zeroed, name, "compressed", Path(folder) / f"{dtype}.tflite", target, calibration
            )
            for dtype, target in TARGETS.items()
        ]
        config = BenchConfig(meter=NO_METER, baseline=files[0], suite=suite)
        first, *others = measure(files, config).results
    return [
        {
            "dtype": dtype,
            "options": run.options,
            "zero": _zero_share(zeroed, shape.INPUT_SHAPE),
            **_timed(result, first),
        }
        for dtype, result in zip(TARGETS, others, strict=True)
    ]


def _zeroed(dense: nn.Module, name: str, options: dict[str, Any]) -> nn.Module:
    """Return a copy of a model with single weights zeroed, as ``edgeecg compress`` chooses them."""
    config = CompressionConfig(training=TrainingConfig(model=name), **options)
    model = copy.deepcopy(dense)
    zero_weights(model, config, 1.0, models.architecture(name).INPUT_SHAPE)
    return model


def _zero_share(model: nn.Module, sample_shape: tuple[int, int]) -> float:
    """Return the share of the weights of all layers that are zero."""
    kept = torch.cat([mask.flatten() for mask in nonzero_masks(model, sample_shape).values()])
    return 1.0 - float(kept.float().mean())


def _timed(result: BenchResult, dense: BenchResult) -> dict[str, Any]:
    return {
        "size_bytes": result.artifact.size_bytes,
        "proxy_ideal": result.proxy.ideal,
        "proxy_executed": result.proxy.executed,
        "p50_s": result.latency.p50_s,
        "ratio": result.latency.p50_s / dense.latency.p50_s,
        "runtime": result.runtime,
        "load_before": result.device.before.load,
    }
