"""A tiny run, exported once to each target."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_run import build, silent, write_run
from torch import nn

from edgeecg import resources
from edgeecg.data import Dataset
from edgeecg.exporters import _pipeline, _speed
from edgeecg.exporters._float32 import Conversions
from edgeecg.runs import RunFolder
from edgeecg.schema import ExportRecipe, ModelCard


@pytest.fixture
def run(tmp_path: Path, model_card: ModelCard) -> RunFolder:
    """A finished run, nothing exported."""
    return write_run(tmp_path / "runs" / "tiny", model_card)


# The searched target times some ten files; tests/exporters/test_exporters_search.py is about it.
TARGETS = [name for name in resources.target_names() if not resources.load_target(name).search]


@pytest.fixture(scope="session", params=TARGETS)
def recipe(request: pytest.FixtureRequest) -> ExportRecipe:
    """Every target that is not searched, in turn."""
    return resources.load_target(str(request.param))


@pytest.fixture(scope="session")
def exported(
    toy_dataset: Dataset, model_card: ModelCard, tmp_path_factory: pytest.TempPathFactory
) -> RunFolder:
    """A run with both its models exported to every target; made once, since it takes a while."""
    run = write_run(tmp_path_factory.mktemp("runs") / "exported", model_card)
    recipes = [
        # The random weights of a tiny model classify at random; scores have tests of their own.
        resources.load_target(name).model_copy(update={"max_score_drop": None})
        for name in TARGETS
    ]
    with pytest.MonkeyPatch.context() as patch:
        # Times are compared for 0.3 s otherwise; their values do not matter here.
        patch.setattr(_speed, "_TURN_SECONDS", 0.0005)
        _pipeline.export_run(run, recipes, toy_dataset, silent)
    return run


@pytest.fixture(scope="session")
def onnx_content(toy_dataset: Dataset) -> bytes:
    """The tiny baseline as ONNX, without manifest."""
    return Conversions(toy_dataset).file(build("baseline"), resources.load_target("onnx"))


@pytest.fixture
def converted(monkeypatch: pytest.MonkeyPatch, onnx_content: bytes) -> ExportRecipe:
    """Skip the slow converters: every conversion gives the tiny baseline's ONNX file."""

    def convert(self: Conversions, model: nn.Module, recipe: ExportRecipe) -> bytes:
        return onnx_content

    monkeypatch.setattr(Conversions, "file", convert)
    return resources.load_target("onnx")
