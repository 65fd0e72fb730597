"""Package weights cut to a budget in one step and exported: files to be timed or counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from edgeecg import models, resources
from edgeecg.compression import budget
from edgeecg.costs import proxy
from edgeecg.costs.counting import count
from edgeecg.errors import UnknownNameError
from edgeecg.exporters import exporter, quiet
from edgeecg.exporters._publish import embedded
from edgeecg.files import write_bytes
from edgeecg.models import layer_costs, parameters
from edgeecg.runs import git_revision
from edgeecg.schema import (
    Artifact,
    Budget,
    CompressionConfig,
    MeasuredCosts,
    ModelCard,
    Parity,
    Role,
    TrainingConfig,
)

_NO_WINDOWS = np.zeros(0, np.float32)


def shipped(name: str) -> tuple[Path, ModelCard]:
    """Return the package's weights of a model and their card.

    Raises:
        UnknownNameError: The package has none.
    """
    found = models.shipped(name)
    if found is None:
        raise UnknownNameError("model with weights in the package", name, models.names())
    return found


def reduced(dense: nn.Module, name: str, costs: MeasuredCosts | None, asked: str) -> nn.Module:
    """Cut a model to a budget in one step, as ``edgeecg compress`` searches for it."""
    config = CompressionConfig(
        training=TrainingConfig(model=name), costs=costs, budgets=(Budget.parse(asked),)
    )
    goal = budget.goal(dense, models.architecture(name), config)
    if goal is None:
        raise ValueError(f"'{asked}' is not a budget")
    return budget.prune_to_budget(dense, dense, config, goal, 1.0)


def macs(model: nn.Module, name: str) -> int:
    """Return the MACs of one inference."""
    return sum(layer.macs for layer in layer_costs(model, models.architecture(name).INPUT_SHAPE))


def exported(
    model: nn.Module,
    name: str,
    role: Role,
    path: Path,
    target: str,
    calibration: NDArray[np.float32] = _NO_WINDOWS,
) -> Path:
    """Write a model as the exporter does, with its manifest, and return the path."""
    shape, recipe = models.architecture(name), resources.load_target(target)
    card = shipped(name)[1]
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
        run="benchmarks",
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
