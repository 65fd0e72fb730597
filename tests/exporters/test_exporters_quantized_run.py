"""A run that was prepared for int8 tells export which layers to keep in float32."""

from __future__ import annotations

import pytest
from tiny_run import silent
from torch import nn

from edgeecg import resources
from edgeecg.data import Dataset
from edgeecg.errors import EdgeECGError, ExportError, SchemaError
from edgeecg.exporters import _pipeline
from edgeecg.exporters._checked_file import ExportJob
from edgeecg.exporters._float32 import Conversions
from edgeecg.exporters._source_model import SourceModel
from edgeecg.runs import RunFolder
from edgeecg.schema import ClassScore, ExportRecipe, QuantizationLog, Scores

SCORES = Scores(
    data="synthetic",
    split="val",
    n=3,
    accuracy=1.0,
    macro_f1=0.69,
    per_class={"S": ClassScore(recall=0.43, precision=1, f1=0.6, support=1)},
)
LOG = QuantizationLog(
    mode="ptq",
    kept="ptq",
    target="tflite-int8",
    calibration_windows=256,
    train_loss=(),
    metric="macro-F1",
    val_float32=0.7,
    val_int8=0.69,
    lost={"dense": 0.02, "head": 0.0},
    threshold=0.005,
    most=1,
    float_layers=("dense",),
    val=SCORES,
    ranges={"input": (-1.0, 2.0)},
)
INT8 = resources.load_target("onnx").model_copy(update={"dtype": "int8"})


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, onnx_content: bytes) -> list[ExportRecipe]:
    """Skip converters and checks; record the recipes of the conversions, the baseline first."""
    seen: list[ExportRecipe] = []

    def convert(self: Conversions, model: nn.Module, recipe: ExportRecipe) -> bytes:
        seen.append(recipe)
        return onnx_content

    def verify_and_publish(job: ExportJob, source: SourceModel, content: bytes) -> None:
        del job, source, content

    monkeypatch.setattr(Conversions, "file", convert)
    monkeypatch.setattr(_pipeline, "verify_and_publish", verify_and_publish)
    return seen


def test_float_layers_apply_to_the_compressed_model_only(
    run: RunFolder, toy_dataset: Dataset, asked: list[ExportRecipe]
) -> None:
    run.quantization.write_text(LOG.to_json(), encoding="utf-8")
    _pipeline.export_run(run, [INT8], toy_dataset, silent)
    assert [recipe.float_layers for recipe in asked] == [(), (), ("dense",)]
    assert [recipe.dtype for recipe in asked] == ["float32", "int8", "int8"]


def test_a_run_that_was_not_quantised_has_no_float_layers(
    run: RunFolder, toy_dataset: Dataset, asked: list[ExportRecipe]
) -> None:
    _pipeline.export_run(run, [INT8], toy_dataset, silent)
    assert {recipe.float_layers for recipe in asked} == {()}


def test_a_damaged_quantization_log_is_named(
    run: RunFolder, toy_dataset: Dataset, asked: list[ExportRecipe]
) -> None:
    run.quantization.write_text(LOG.to_json().replace('"ptq"', '"pqt"'), encoding="utf-8")
    with pytest.raises(SchemaError, match=r"quantization\.json.*mode"):
        _pipeline.export_run(run, [INT8], toy_dataset, silent)
    assert len(asked) == 2


def test_a_model_whose_guard_is_violated_in_int8_is_exported_in_float32_only(
    run: RunFolder, toy_dataset: Dataset, asked: list[ExportRecipe]
) -> None:
    broken = {"qat": {"S:recall>=0.5": 0.41}, "ptq": {"S:recall>=0.5": 0.43}}
    log = LOG.model_copy(update={"mode": "qat", "kept": "none", "broken": broken})
    run.quantization.write_text(log.to_json(), encoding="utf-8")
    with pytest.raises(ExportError, match=r"S:recall>=0\.5 \(0\.430\): the model stays"):
        _pipeline.export_run(run, [INT8], toy_dataset, silent)
    asked.clear()
    _pipeline.export_run(run, [resources.load_target("onnx")], toy_dataset, silent)
    assert {recipe.dtype for recipe in asked} == {"float32"}


@pytest.mark.parametrize("role", ["baseline", "compressed"])
@pytest.mark.parametrize("recipe", [INT8, resources.load_target("onnx")])
def test_only_a_baseline_that_disagrees_in_int8_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
    run: RunFolder,
    toy_dataset: Dataset,
    asked: list[ExportRecipe],
    role: str,
    recipe: ExportRecipe,
) -> None:
    def verify_and_publish(job: ExportJob, source: SourceModel, content: bytes) -> str:
        del job, content
        if source.card.role == role:
            raise ExportError(f"The {role} disagrees.", "It differs.", "Choose another.")
        return source.card.role

    monkeypatch.setattr(_pipeline, "verify_and_publish", verify_and_publish)
    told: list[EdgeECGError] = []
    if role == "baseline" and recipe is INT8:
        made = _pipeline.export_run(run, [recipe], toy_dataset, silent, told.append)
        assert made == ["compressed"]
        assert [error.what for error in told] == ["The baseline disagrees."]
    else:
        with pytest.raises(ExportError, match=f"The {role} disagrees"):
            _pipeline.export_run(run, [recipe], toy_dataset, silent, told.append)
        assert told == []
    with pytest.raises(ExportError, match=f"The {role} disagrees"):
        _pipeline.export_run(run, [recipe], toy_dataset, silent)
