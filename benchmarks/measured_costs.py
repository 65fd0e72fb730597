"""Predicted beside measured latency: does a budget of latency keep its word?

For each model the dense .onnx file is benched for its layers' seconds, the model is cut to a
latency by the search of ``--budget latency`` alone (the package's weights, no fine-tuning: how fast
a model is does not depend on what it has learned), and the cut files are benched in one call beside
the dense one. Needs a machine that does nothing else::

    python benchmarks/measured_costs.py
"""

from __future__ import annotations

import json
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from edgeecg import models, resources
from edgeecg.benchmark.config import BenchConfig
from edgeecg.benchmark.meter_choice import NO_METER
from edgeecg.benchmark.protocol import measure
from edgeecg.compression import budget
from edgeecg.costs import measured, proxy
from edgeecg.costs.counting import count
from edgeecg.exporters import exporter, quiet
from edgeecg.exporters._publish import embedded
from edgeecg.files import write_bytes, write_text
from edgeecg.models import layer_costs, parameters
from edgeecg.runs import git_revision
from edgeecg.schema import (
    Artifact,
    Budget,
    CompressionConfig,
    MeasuredCosts,
    Parity,
    Role,
    TrainingConfig,
)

RESULT = Path(__file__).resolve().parent / "results" / "measured_costs.json"
MODELS = ("resnet1d_attn", "cnn_lstm_attn", "conv_transformer")
BUDGETS = ("latency=0.5", "latency=0.3")
TARGET = "onnx"
CONFIG = BenchConfig(meter=NO_METER)
_NO_WINDOWS = np.zeros(0, np.float32)
PACKAGES = ("torch", "torch-pruning", "onnx", "onnxscript", "onnxruntime")


def main() -> None:
    """Measure every model and write the result."""
    rows: list[dict[str, Any]] = []
    for name in MODELS:
        with tempfile.TemporaryDirectory() as folder:
            rows += compared(name, Path(folder))
        print(*rows[-len(BUDGETS) :], sep="\n", flush=True)
    document = {
        "title": "Latency of models that were cut, predicted and measured",
        "rows": rows,
        "suite": resources.load_suite(CONFIG.suite).model_dump(mode="json"),
        "git_revision": git_revision(),
        "machine": rows[0]["machine"],
        "versions": {"python": platform.python_version(), **{p: version(p) for p in PACKAGES}},
    }
    write_text(RESULT, json.dumps(document, indent=1) + "\n")


def compared(name: str, folder: Path) -> list[dict[str, Any]]:
    """Return one row per budget of one model.

    Args:
        name: Architecture, with weights in the package.
        folder: Where its files may lie.
    """
    shipped = models.shipped(name)
    assert shipped is not None
    dense, shape = models.load(*shipped), models.architecture(name)
    layers = layer_costs(dense, shape.INPUT_SHAPE)
    files = [exported(dense, name, "baseline", folder / "dense.onnx")]
    report = measure(files, CONFIG)
    path = folder / "costs.json"
    write_text(path, report.to_json())
    costs = measured.read(path, name, layers)
    cut = [reduced(dense, name, costs, each) for each in BUDGETS]
    files += [
        exported(model, name, "compressed", folder / f"{number}.onnx")
        for number, model in enumerate(cut)
    ]
    first, *others = measure(files, CONFIG).results
    return [
        {
            "model": name,
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
            "machine": f"{result.device.machine}, {result.device.cpu}",
            "runtime": result.runtime,
            "threads": result.latency.threads,
        }
        for each, model, result in zip(BUDGETS, cut, others, strict=True)
    ]


def reduced(dense: nn.Module, name: str, costs: MeasuredCosts | None, asked: str) -> nn.Module:
    """Cut a model to a budget in one step, as ``edgeecg compress`` searches for it."""
    config = CompressionConfig(
        training=TrainingConfig(model=name), costs=costs, budgets=(Budget.parse(asked),)
    )
    goal = budget.goal(dense, models.architecture(name), config)
    assert goal is not None
    return budget.cut_to(dense, dense, config, goal, 1.0)


def macs(model: nn.Module, name: str) -> int:
    """Return the MACs of one inference."""
    return sum(layer.macs for layer in layer_costs(model, models.architecture(name).INPUT_SHAPE))


def exported(
    model: nn.Module,
    name: str,
    role: Role,
    path: Path,
    target: str = TARGET,
    calibration: NDArray[np.float32] = _NO_WINDOWS,
) -> Path:
    """Write a model as the exporter does, with its manifest, and return the path."""
    shape, recipe = models.architecture(name), resources.load_target(target)
    shipped = models.shipped(name)
    assert shipped is not None
    card = shipped[1]
    with quiet():
        module = exporter(recipe.format)
        content = module.export(model.eval(), recipe, calibration, shape.INPUT_SHAPE)
        write_bytes(path, content)
    layers = count(path)
    manifest = Artifact(
        name=path.stem,
        role=role,
        format=recipe.format,
        dtype=recipe.dtype,
        target=recipe.name,
        model=name,
        run="measured_costs",
        parameters=parameters(model),
        classes=card.classes,
        input_shape=(1, *shape.INPUT_SHAPE),
        preprocessing=card.preprocessing,
        data=card.data.source,
        task=shape.TASK,
        class_map=card.data.class_map,
        weights_sha256=card.weights_sha256,
        layers=layers,
        costs=proxy.totals(layers),
        baseline=None,
        verification=Parity(
            n=None, max_abs_diff=None, label_agreement=None, reason="It is here to be timed."
        ),
        test=None,
        versions={},
        git_revision=git_revision(),
    )
    write_bytes(path, module.embed(content, embedded(manifest)))
    return path


if __name__ == "__main__":
    main()
