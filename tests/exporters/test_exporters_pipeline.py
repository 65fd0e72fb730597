"""The run folder after errors and interruptions."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tiny_run import silent, write_model
from torch import nn

from edgeecg import files, models, resources
from edgeecg.data import Dataset, Windows
from edgeecg.errors import ArtifactError, EdgeECGError, ExportError, SchemaError, UnknownNameError
from edgeecg.evaluation.inference import predict
from edgeecg.evaluation.metrics import score_predictor
from edgeecg.evaluation.predictors import load_predictor
from edgeecg.exporters import _float32, _pipeline, exporter, formats
from edgeecg.exporters._float32 import Conversions
from edgeecg.exporters._source_model import load_sources
from edgeecg.runs import RunFolder
from edgeecg.schema import Artifact, ExportRecipe, ModelCard, Rejection


class FakeExporter:
    """A format whose converter does what the test sets."""

    PACKAGES = ("torch",)

    def __init__(self, behaviour: Callable[[], bytes]) -> None:
        self.behaviour = behaviour

    def to_float32(self, model: nn.Module, sample_shape: tuple[int, int]) -> bytes:
        return self.behaviour()


def listing(run: RunFolder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.artifacts.glob("*")}


@pytest.fixture
def baseline_as_both(run: RunFolder) -> RunFolder:
    """A run whose compressed model is the baseline again, as the faked conversion is."""
    card = ModelCard.from_json(run.baseline_card.read_bytes(), "card")
    run.model_weights.write_bytes(run.baseline_weights.read_bytes())
    same = card.model_copy(update={"role": "compressed", "parent_sha256": card.weights_sha256})
    run.model_card.write_text(same.to_json(), encoding="utf-8")
    return run


def test_unknown_format_lists_the_known_ones() -> None:
    assert formats() == ["onnx", "tflite"]
    with pytest.raises(UnknownNameError, match=r"onnx, tflite"):
        exporter("tflight")


def test_two_exports_of_one_run_give_the_same_bytes(
    baseline_as_both: RunFolder, toy_dataset: Dataset, converted: ExportRecipe
) -> None:
    _pipeline.export_run(baseline_as_both, [converted], toy_dataset, silent)
    first = listing(baseline_as_both)
    assert len(first) == 6
    _pipeline.export_run(baseline_as_both, [converted], toy_dataset, silent)
    assert listing(baseline_as_both) == first


def test_file_that_disagrees_with_pytorch_is_not_published(
    run: RunFolder, toy_dataset: Dataset, converted: ExportRecipe
) -> None:
    # The faked conversion gives the baseline for both, which is wrong for the compressed model.
    with pytest.raises(ExportError, match=r"cnn1d-compressed-onnx.*not written.*export/onnx\.toml"):
        _pipeline.export_run(run, [converted], toy_dataset, silent)
    assert [name for name in listing(run) if "compressed" in name] == [
        "cnn1d-compressed-onnx.rejected"
    ]
    rejected = run.artifacts / "cnn1d-compressed-onnx.rejected"
    found = Rejection.from_json(rejected.read_bytes(), rejected.name)
    assert (found.target, found.differences) == ("onnx", {})
    assert "export/onnx.toml accepts" in found.why


def test_the_reason_of_a_refusal_is_removed_when_the_file_is_written(
    baseline_as_both: RunFolder, toy_dataset: Dataset, converted: ExportRecipe
) -> None:
    strict = converted.model_copy(update={"max_abs_diff": 1e-30})
    with pytest.raises(ExportError):
        _pipeline.export_run(baseline_as_both, [strict], toy_dataset, silent)
    rejected = baseline_as_both.artifacts / "cnn1d-baseline-onnx.rejected"
    assert rejected.is_file()
    _pipeline.export_run(baseline_as_both, [converted], toy_dataset, silent)
    assert not rejected.exists()


def test_a_refused_file_does_not_stay_from_an_earlier_export(
    baseline_as_both: RunFolder, toy_dataset: Dataset, converted: ExportRecipe
) -> None:
    _pipeline.export_run(baseline_as_both, [converted], toy_dataset, silent)
    strict = converted.model_copy(update={"max_abs_diff": 1e-30})
    with pytest.raises(ExportError):
        _pipeline.export_run(baseline_as_both, [strict], toy_dataset, silent)
    assert [name for name in listing(baseline_as_both) if "baseline" in name] == [
        "cnn1d-baseline-onnx.rejected"
    ]


def test_converter_that_fails_is_an_error_that_names_the_target(
    monkeypatch: pytest.MonkeyPatch, run: RunFolder, toy_dataset: Dataset
) -> None:
    def fail() -> bytes:
        raise RuntimeError("no lowering\nfor aten.fft")

    def fake(name: str) -> FakeExporter:
        return FakeExporter(fail)

    monkeypatch.setattr(_float32, "exporter", fake)
    with pytest.raises(ExportError, match=r"'tflite-int8' failed.*RuntimeError: no lowering for"):
        Conversions(toy_dataset).file(nn.Identity(), resources.load_target("tflite-int8"))
    with pytest.raises(ExportError):
        _pipeline.export_run(run, [resources.load_target("tflite")], toy_dataset, silent)
    assert not run.artifacts.exists()


def test_converter_that_is_not_installed_is_not_called_a_failed_conversion(
    monkeypatch: pytest.MonkeyPatch, toy_dataset: Dataset
) -> None:
    def fail() -> bytes:
        raise ModuleNotFoundError("No module named 'litert_torch'", name="litert_torch")

    def fake(name: str) -> FakeExporter:
        return FakeExporter(fail)

    monkeypatch.setattr(_float32, "exporter", fake)
    with pytest.raises(ModuleNotFoundError):
        Conversions(toy_dataset).file(nn.Identity(), resources.load_target("tflite"))


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_full_disk_keeps_the_old_files_and_leaves_no_half_ones(
    monkeypatch: pytest.MonkeyPatch,
    baseline_as_both: RunFolder,
    toy_dataset: Dataset,
    converted: ExportRecipe,
    function: str,
) -> None:
    run = baseline_as_both
    _pipeline.export_run(run, [converted], toy_dataset, silent)
    before = listing(run)

    def inside(path: object) -> bool:
        return str(path).startswith(str(run.artifacts))

    fsync, rename = os.fsync, Path.replace

    def full_fsync(handle: int) -> None:
        if inside(os.readlink(f"/proc/self/fd/{handle}")):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(handle)

    def full_replace(path: Path, target: Path) -> Path:
        if inside(target):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return rename(path, target)

    if function == "fsync":
        monkeypatch.setattr(os, "fsync", full_fsync)
    else:
        monkeypatch.setattr(Path, "replace", full_replace)
    with pytest.raises(EdgeECGError, match="No space left on device"):
        _pipeline.export_run(run, [converted], toy_dataset, silent)
    assert listing(run) == before


def test_interruption_while_scoring_leaves_nothing_half_done(
    baseline_as_both: RunFolder, toy_dataset: Dataset, converted: ExportRecipe
) -> None:
    def interrupt(what: str, done: int, total: int) -> None:
        if "compressed" in what and what.startswith("scoring"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _pipeline.export_run(baseline_as_both, [converted], toy_dataset, interrupt)
    stem = "cnn1d-baseline-onnx"
    assert set(listing(baseline_as_both)) == {f"{stem}.onnx", f"{stem}.json", f"{stem}.probe.npz"}


def test_file_that_loses_its_manifest_is_not_published(
    monkeypatch: pytest.MonkeyPatch,
    baseline_as_both: RunFolder,
    toy_dataset: Dataset,
    converted: ExportRecipe,
) -> None:
    def forget(content: bytes, manifest_json: str) -> bytes:
        return content

    monkeypatch.setattr(exporter("onnx"), "embed", forget)
    with pytest.raises(ExportError, match="manifest could not be embedded"):
        _pipeline.export_run(baseline_as_both, [converted], toy_dataset, silent)
    assert not baseline_as_both.artifacts.exists()


def test_weights_that_do_not_belong_to_the_card_are_refused(
    run: RunFolder, toy_dataset: Dataset
) -> None:
    run.model_weights.write_bytes(run.baseline_weights.read_bytes())
    with pytest.raises(ArtifactError, match=r"not those that 'model\.json' describes"):
        _pipeline.export_run(run, [], toy_dataset, silent)


def test_models_of_different_runs_are_refused(
    run: RunFolder, toy_dataset: Dataset, model_card: ModelCard
) -> None:
    foreign = model_card.model_copy(update={"role": "compressed", "parent_sha256": "e" * 64})
    write_model(run.model_weights, run.model_card, foreign)
    with pytest.raises(ArtifactError, match="do not belong together"):
        _pipeline.export_run(run, [], toy_dataset, silent)


def test_missing_weights_are_named(run: RunFolder, toy_dataset: Dataset) -> None:
    run.baseline_weights.unlink()
    with pytest.raises(ArtifactError, match=r"baseline\.safetensors.*No such file"):
        _pipeline.export_run(run, [], toy_dataset, silent)


def test_damaged_card_is_named(run: RunFolder, toy_dataset: Dataset) -> None:
    run.baseline_card.write_text("{", encoding="utf-8")
    with pytest.raises(SchemaError, match=r"baseline\.json cannot be read"):
        _pipeline.export_run(run, [], toy_dataset, silent)


def test_other_records_than_those_of_the_run_are_refused(
    run: RunFolder, toy_dataset: Dataset
) -> None:
    other = toy_dataset.summary.model_copy(update={"content_sha256": "d" * 64})
    changed = replace(toy_dataset, summary=other)
    with pytest.raises(ExportError, match=r"000000000000\.\.\..*dddddddddddd\.\.\."):
        _pipeline.export_run(run, [], changed, silent)


def test_each_model_is_converted_once_for_two_targets_of_one_format(
    monkeypatch: pytest.MonkeyPatch, baseline_as_both: RunFolder, toy_dataset: Dataset
) -> None:
    calls: list[nn.Module] = []
    onnx = exporter("onnx")
    convert = onnx.to_float32

    def counted(model: nn.Module, sample_shape: tuple[int, int]) -> object:
        calls.append(model)
        return convert(model, sample_shape)

    monkeypatch.setattr(onnx, "to_float32", counted)
    first = resources.load_target("onnx")
    second = first.model_copy(update={"name": "onnx-again"})
    artifacts: list[Artifact] = _pipeline.export_run(
        baseline_as_both, [first, second], toy_dataset, silent
    )
    assert [a.name for a in artifacts] == [
        "cnn1d-baseline-onnx",
        "cnn1d-compressed-onnx",
        "cnn1d-baseline-onnx-again",
        "cnn1d-compressed-onnx-again",
    ]
    assert len(calls) == len({id(model) for model in calls}) == 2


@pytest.mark.system
def test_records_are_exported_with_their_task_and_scored_at_the_models_thresholds(
    run: RunFolder, records_dataset: Dataset, model_card: ModelCard
) -> None:
    shape = models.architecture("resnet1d_se_attn")
    widths = {key: tuple(4 for _ in value) for key, value in shape.WIDTHS.items()}
    torch.manual_seed(0)
    model = models.build("resnet1d_se_attn", widths).eval()
    save_file(model.state_dict(), run.baseline_weights)
    run.model_weights.write_bytes(run.baseline_weights.read_bytes())
    sha256 = files.sha256(run.baseline_weights)
    scored = score_predictor(lambda x: predict(model, x), records_dataset, "test")
    known = {
        "name": "resnet1d_se_attn",
        "widths": widths,
        "classes": shape.CLASSES,
        "data": records_dataset.summary,
        "preprocessing": records_dataset.preprocessing,
        "test": scored,
        "weights_sha256": sha256,
    }
    card = model_card.model_copy(update=known)
    run.baseline_card.write_text(card.to_json(), encoding="utf-8")
    same = card.model_copy(update={"role": "compressed", "parent_sha256": sha256})
    run.model_card.write_text(same.to_json(), encoding="utf-8")
    made, _ = _pipeline.export_run(run, [resources.load_target("onnx")], records_dataset, silent)
    assert (made.task, made.class_map) == ("records", "superclasses")
    assert made.input_shape == (1, 12, 1000)
    assert made.verification.label_agreement == 1.0
    assert made.test is not None
    assert made.test.macro_auroc == pytest.approx(scored.macro_auroc, abs=1e-3)
    for name, found in made.test.per_class.items():
        assert found.threshold == scored.per_class[name].threshold


def test_manifest_says_from_which_likelihood_a_statement_counted_in_training(
    baseline_as_both: RunFolder, toy_dataset: Dataset, converted: ExportRecipe
) -> None:
    for path in (baseline_as_both.baseline_card, baseline_as_both.model_card):
        card = ModelCard.from_json(path.read_bytes(), "card")
        training = card.training.model_copy(update={"min_likelihood": 50.0})
        path.write_text(card.model_copy(update={"training": training}).to_json(), encoding="utf-8")
    _pipeline.export_run(baseline_as_both, [converted], toy_dataset, silent)
    for path in baseline_as_both.artifacts.glob("*.onnx"):
        assert load_predictor(str(path)).min_likelihood == 50.0


def test_manifest_carries_the_filters_of_the_model_for_the_rates_of_devices(
    baseline_as_both: RunFolder, toy_dataset: Dataset, converted: ExportRecipe
) -> None:
    (artifact, _) = _pipeline.export_run(baseline_as_both, [converted], toy_dataset, silent)
    rates = {found.record_fs_hz: (found.up, found.down) for found in artifact.filters}
    # The model's rate is 128 Hz.
    assert rates[360.0] == (16, 45)
    assert rates[256.0] == (1, 2)


def test_a_file_is_compared_with_pytorch_on_256_windows(
    run: RunFolder, toy_dataset: Dataset
) -> None:
    val = toy_dataset.val
    longer = Windows(
        np.tile(val.x, (4, 1, 1)),
        np.tile(val.y, 4).astype(np.int64),
        np.tile(val.record, 4),
        np.tile(val.patient, 4),
        np.tile(val.sample, 4),
    )
    for source in load_sources(run, replace(toy_dataset, val=longer)):
        assert source.probe.x.shape == (256, 1, 256)
        assert source.probe.logits.shape == (256, 3)


def test_a_refused_target_is_reported_and_the_next_is_exported(
    run: RunFolder,
    toy_dataset: Dataset,
    converted: ExportRecipe,
) -> None:
    # No converted file agrees to this degree.
    strict = converted.model_copy(update={"name": "strict", "max_abs_diff": 1e-30})
    refused: list[EdgeECGError] = []
    run.model_weights.unlink()
    run.model_card.unlink()
    found = _pipeline.export_run(
        run, [strict, converted], toy_dataset, silent, refused.append, keep_going=True
    )
    assert [each.target for each in found] == ["onnx"]
    assert ["strict" in error.what for error in refused] == [True]
    with pytest.raises(ExportError, match="strict"):
        _pipeline.export_run(run, [strict], toy_dataset, silent, refused.append, keep_going=True)


def test_a_format_that_the_model_cannot_be_converted_to_does_not_end_the_others(
    run: RunFolder, toy_dataset: Dataset, converted: ExportRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    tflite = resources.load_target("tflite")
    real = Conversions.file

    def converts(self: Conversions, model: nn.Module, recipe: ExportRecipe) -> bytes:
        if recipe.format == "tflite":
            raise ExportError("The conversion to 'tflite' failed.", "Because.", "Do this.")
        return real(self, model, recipe)

    monkeypatch.setattr(Conversions, "file", converts)
    refused: list[EdgeECGError] = []
    recipes = [tflite, converted, resources.load_target("tflite-fp16")]
    asked = (run, recipes, toy_dataset, silent, refused.append)
    found = _pipeline.export_run(*asked, keep_going=True)
    assert {each.target for each in found} == {"onnx"}
    # Said once, not for each target and model.
    assert [error.what for error in refused].count("The conversion to 'tflite' failed.") == 1
    with pytest.raises(ExportError, match="conversion to 'tflite' failed"):
        _pipeline.export_run(*asked)
