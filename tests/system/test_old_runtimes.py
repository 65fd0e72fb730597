"""Every model in every target runs in runtimes of earlier years, with today's answers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import old_runtimes
import pytest
from numpy.typing import NDArray

from edgeecg import models, resources, runtimes
from edgeecg.costs import tflite_file
from edgeecg.exporters import exporter, formats, quiet
from edgeecg.schema import ModelCard, Task
from edgeecg.training.sampling import balanced_subset
from edgeecg.training.start import as_trained, load_records

pytestmark = pytest.mark.system

WINDOWS, CALIBRATION = 64, 16
LARGEST_DIFFERENCE = 0.15
"""Of a logit in int8, some steps of its scale."""
FORMATS = {"tflite": old_runtimes.TFLITE, "onnx": old_runtimes.ONNX}

NEEDS_NEWER = "Node number [0-9]+ \\(SUM\\) failed to invoke"
"""tflite-runtime 2.14 cannot add int16 numbers whose scale is another one than that of the sum."""


class Exported(NamedTuple):
    """Files of all models, and what an old runtime computed."""

    folder: Path
    found: dict[str, Any]


def windows(card: ModelCard, split: str, count: int) -> NDArray[np.float32]:
    """Return synthetic windows as a model takes them, as many of each class."""
    config = as_trained(card).model_copy(update={"data": "synthetic"})
    part = getattr(load_records(config, models.architecture(card.name)), split)
    return np.ascontiguousarray(part.x[balanced_subset(part.y, count)], np.float32)


def write_all(name: str, folder: Path) -> None:
    """Write the package's weights of a model to every target, and the windows to run."""
    shape, found = models.architecture(name), models.shipped(name)
    assert found is not None
    model = models.load(*found)
    calibration = windows(found[1], "train", CALIBRATION)
    np.save(folder / f"{name}.npy", windows(found[1], "val", WINDOWS))
    recipes = [resources.load_target(target) for target in resources.target_names()]
    with quiet():
        for each in formats():
            converted = exporter(each).to_float32(model, shape.INPUT_SHAPE)
            for recipe in recipes:
                if recipe.format == each:
                    # A searched target where its search begins.
                    content = exporter(each).write(converted, recipe, calibration)
                    (folder / f"{name}@{recipe.name}.{each}").write_bytes(content)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The package's models in every target, run once in the old environment."""
    interpreter = old_runtimes.python()
    if interpreter is None:
        pytest.skip("tflite-runtime needs Python 3.11")
    folder = tmp_path_factory.mktemp("old")
    for name in models.names():
        if models.shipped(name) is not None:
            write_all(name, folder)
    return Exported(folder, old_runtimes.outputs(interpreter, folder))


def labels(logits: NDArray[np.float32], task: Task) -> NDArray[Any]:
    return logits.argmax(axis=1) if task == "beats" else logits > 0


def margin(logits: NDArray[np.float32], task: Task) -> NDArray[Any]:
    """Return how far each answer is from another one: for beats, of each window."""
    if task == "records":
        return np.abs(logits)
    ordered = np.sort(logits, axis=1)
    return ordered[:, -1] - ordered[:, -2]


def sums_int16(path: Path) -> bool:
    """Return whether a file adds int16 numbers."""
    operators = tflite_file.read(path).operators
    return any(each.op == "SUM" and each.outputs[0].type == "INT16" for each in operators)


@pytest.mark.parametrize("target", resources.target_names())
@pytest.mark.parametrize("name", [name for name in models.names() if models.shipped(name)])
def test_an_old_runtime_gives_the_labels_of_todays(
    name: str, target: str, exported: Exported
) -> None:
    suffix = resources.load_target(target).format
    path = exported.folder / f"{name}@{target}.{suffix}"
    said = exported.found[path.name]
    assert said["runtime"] == FORMATS[suffix]
    if suffix == "tflite" and sums_int16(path):
        assert target == "tflite-int16x8"
        assert re.search(NEEDS_NEWER, said["error"])
        return
    assert "error" not in said, said["error"]
    session, task = runtimes.for_file(path).load(path), models.architecture(name).TASK
    x = np.load(exported.folder / f"{name}.npy")
    today = np.concatenate([session.run(window[np.newaxis]) for window in x])
    # A network that answers the same whatever it is given would show nothing.
    assert len(np.unique(labels(today, task), axis=0)) > 1
    then = np.array(said["logits"], np.float32)
    difference = np.abs(then - today).max()
    assert difference < LARGEST_DIFFERENCE
    # Kernels of int8 round differently: an answer on the edge between two classes may change.
    sure = margin(today, task) > 2 * difference
    assert sure.mean() > 0.9
    np.testing.assert_array_equal(labels(then, task)[sure], labels(today, task)[sure])
