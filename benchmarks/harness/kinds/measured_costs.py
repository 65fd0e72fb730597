"""Sets predicted beside measured latency of models that were cut to a budget of latency.

For each model the dense .onnx file is benched for its layers' seconds, the model is cut to a
latency by the search of ``--budget latency`` alone (the package's weights, no fine-tuning: how fast
a model is does not depend on what it has learned), and the cut files are benched in one call beside
the dense one. Needs a machine that does nothing else.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from edgeecg import models, resources
from edgeecg.benchmark.config import BenchConfig
from edgeecg.benchmark.meter_choice import NO_METER
from edgeecg.benchmark.protocol import measure
from edgeecg.costs import measured
from edgeecg.files import write_text
from edgeecg.models import layer_costs, parameters

from ..experiment import Context, Experiment
from ..reduced import exported, macs, reduced, shipped
from ..tasks import Task

TARGET = "onnx"
PACKAGES = ("torch", "torch-pruning", "onnx", "onnxscript", "onnxruntime")


def tasks(experiment: Experiment, context: Context) -> Iterable[Task]:
    """Return a task for each model, with a row for each budget."""
    budgets, suite = experiment.settings["budgets"], experiment.settings["suite"]
    for run in experiment.runs:
        model = run.model or run.label
        made = partial(_rows, model, budgets, suite)
        yield Task({"model": model}, made, rows=len(budgets))


def _rows(name: str, budgets: Sequence[str], suite: str) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        return compared(name, budgets, suite, Path(folder))


def compared(name: str, budgets: Sequence[str], suite: str, folder: Path) -> list[dict[str, Any]]:
    """Return one row per budget of one model.

    Args:
        name: Architecture, with weights in the package.
        budgets: As on the command line.
        suite: How the files are measured.
        folder: Where its files may lie.
    """
    dense, shape = models.load(*shipped(name)), models.architecture(name)
    config = BenchConfig(meter=NO_METER, suite=suite)
    layers = layer_costs(dense, shape.INPUT_SHAPE)
    files = [exported(dense, name, "baseline", folder / "dense.onnx", TARGET)]
    path = folder / "costs.json"
    write_text(path, measure(files, config).to_json())
    costs = measured.read(path, name, layers)
    cut = [reduced(dense, name, costs, each) for each in budgets]
    files += [
        exported(model, name, "compressed", folder / f"{number}.onnx", TARGET)
        for number, model in enumerate(cut)
    ]
    first, *others = measure(files, config).results
    return [
        {
            "budget": each,
            "predicted": measured.seconds(layer_costs(model, shape.INPUT_SHAPE), costs)
            / measured.seconds(layers, costs),
            "measured": result.latency.p50_s / first.latency.p50_s,
            "macs": macs(model, name) / macs(dense, name),
            "parameters": parameters(model) / parameters(dense),
            "dense_p50_s": first.latency.p50_s,
            "p50_s": result.latency.p50_s,
            "device": result.device.name,
            "emulated": result.device.emulated,
            "runtime": result.runtime,
            "threads": result.latency.threads,
            "suite": resources.load_suite(suite).model_dump(mode="json"),
        }
        for each, model, result in zip(budgets, cut, others, strict=True)
    ]
