"""A tiny run, exported once to each target."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_run import build, silent, write_run
from torch import nn

from edgeecg import resources
from edgeecg.data import Dataset
from edgeecg.exporters import _pipeline
from edgeecg.runs import RunFolder
from edgeecg.schema import ExportRecipe, ModelCard


@pytest.fixture
def run(tmp_path: Path, model_card: ModelCard) -> RunFolder:
    """A finished run, nothing exported."""
    return write_run(tmp_path / "runs" / "tiny", model_card)


@pytest.fixture(scope="session", params=resources.target_names())
def recipe(request: pytest.FixtureRequest) -> ExportRecipe:
    """Every target in turn."""
    return resources.load_target(str(request.param))


@pytest.fixture(scope="session")
def exported(
    toy_dataset: Dataset, model_card: ModelCard, tmp_path_factory: pytest.TempPathFactory
) -> RunFolder:
    """A run with both its models exported to every target; made once, since it takes a while."""
    run = write_run(tmp_path_factory.mktemp("runs") / "exported", model_card)
    recipes = [resources.load_target(name) for name in resources.target_names()]
    _pipeline.export_run(run, recipes, toy_dataset, silent)
    return run


@pytest.fixture(scope="session")
def onnx_content(toy_dataset: Dataset) -> bytes:
    """The tiny baseline as ONNX, without manifest."""
    return _pipeline.convert(build("baseline"), resources.load_target("onnx"), toy_dataset)


@pytest.fixture
def converted(monkeypatch: pytest.MonkeyPatch, onnx_content: bytes) -> ExportRecipe:
    """Skip the slow converters: every conversion gives the tiny baseline's ONNX file."""

    def convert(model: nn.Module, recipe: ExportRecipe, dataset: Dataset) -> bytes:
        return onnx_content

    monkeypatch.setattr(_pipeline, "convert", convert)
    return resources.load_target("onnx")
