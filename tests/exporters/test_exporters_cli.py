"""``edgeecg export`` as a user types it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from edgeecg.benchmark import run_artifacts
from edgeecg.cli import run as edgeecg
from edgeecg.compression import dense
from edgeecg.costs import onnx_file
from edgeecg.data import DataRequest, Dataset
from edgeecg.data.windows.dataset import OnRecord
from edgeecg.errors import EdgeECGError, UsageError
from edgeecg.exporters import _float_lstm, export
from edgeecg.runs import RunFolder
from edgeecg.schema import MANIFEST_KEY, Artifact, ExportRecipe, ModelCard
from edgeecg.training import start


@pytest.fixture
def here(run: RunFolder, monkeypatch: pytest.MonkeyPatch, toy_dataset: Dataset) -> RunFolder:
    """Change into the folder above ``runs/``, with the toy records as the data."""

    def load_dataset(request: DataRequest, on_record: OnRecord) -> Dataset:
        return toy_dataset

    monkeypatch.chdir(run.path.parent.parent)
    monkeypatch.setattr(start, "load_dataset", load_dataset)
    return run


def test_unknown_target_lists_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert edgeecg(["export", "--target", "tflite-int9"]) == 2
    printed = capsys.readouterr().err
    assert (
        "onnx, onnx-fp16, onnx-int8, tflite, tflite-dynamic, tflite-fp16, tflite-int16x8" in printed
    )
    assert "Did you mean 'tflite-int8'?" in printed


def test_no_run_says_how_to_make_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert edgeecg(["export"]) == 1
    assert "edgeecg compress" in capsys.readouterr().err


def test_unknown_run_lists_the_known_ones(
    here: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert edgeecg(["export", "--run", "tony"]) == 1
    assert "tiny" in capsys.readouterr().err


def test_json_on_standard_output_is_alone_there(
    here: RunFolder,
    converted: ExportRecipe,
    capsys: pytest.CaptureFixture[str],
) -> None:
    here.model_weights.write_bytes(here.baseline_weights.read_bytes())
    card = json.loads(here.baseline_card.read_text())
    card |= {"role": "compressed", "parent_sha256": card["weights_sha256"]}
    here.model_card.write_text(json.dumps(card))
    assert edgeecg(["export", "--target", "onnx", "--target", "onnx", "--json", "-"]) == 0
    out, err = capsys.readouterr()
    manifests = [Artifact.from_document(entry, "out") for entry in json.loads(out)]
    assert [manifest.role for manifest in manifests] == ["baseline", "compressed"]
    for manifest in manifests:
        beside = (here.artifacts / f"{manifest.name}.json").read_bytes()
        assert Artifact.from_json(beside, "beside") == manifest
    assert "synthetic" in err
    assert "of 90" in err  # all validation windows, where there are fewer than 256
    assert err.rstrip().endswith("Next: edgeecg bench")
    table = [line for line in err.splitlines() if "artifacts/" not in line]
    assert max(len(line) for line in table) <= 80
    assert "…" not in err


def test_file_that_disagrees_ends_in_an_error_of_three_lines(
    here: RunFolder, converted: ExportRecipe, capsys: pytest.CaptureFixture[str]
) -> None:
    assert edgeecg(["export", "--target", "onnx"]) == 1
    printed = capsys.readouterr().err.splitlines()
    assert printed[0].startswith("Error: 'cnn1d-compressed-onnx'")
    assert printed[1].startswith("  Why:")
    assert printed[2].startswith("  To do:")
    assert not [path for path in here.artifact_files() if "compressed" in path.name]


@pytest.fixture
def package(here: RunFolder, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """Let the package's weights be the tiny dense model, and nothing be in ``runs/``."""
    card = ModelCard.from_json(here.baseline_card.read_bytes(), "card")
    weights = here.baseline_weights.rename(here.path.parent.parent / "packaged.safetensors")

    def shipped(name: str) -> tuple[Path, ModelCard]:
        return weights, card

    monkeypatch.setattr(dense, "shipped", shipped)
    shutil.rmtree(here.path)
    return RunFolder(Path("runs") / "cnn1d-dense")


def test_model_of_the_package_needs_no_run(
    package: RunFolder, converted: ExportRecipe, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert edgeecg(["export", "cnn1d", "--target", "onnx"]) == 0
    assert [path.name for path in package.artifact_files()] == ["cnn1d-baseline-onnx.onnx"]
    file = package.artifacts / "cnn1d-baseline-onnx.onnx"
    assert capsys.readouterr().out.rstrip().endswith(f"Next: edgeecg bench {file}")
    assert run_artifacts.exported_files("cnn1d-dense") == [file]
    # Nothing was compressed, so the other commands have no run to work on.
    assert edgeecg(["report"]) == 1
    assert edgeecg(["report", "--run", "cnn1d-dense"]) == 1
    assert "edgeecg compress --start cnn1d-dense" in capsys.readouterr().err


def test_an_operation_that_had_to_stay_float32_is_named_on_the_screen_and_in_the_manifest(
    package: RunFolder,
    converted: ExportRecipe,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    reasons = {"LSTM": "Its LSTM layers stay in float32."}

    def said(*_: object) -> dict[str, str]:
        return reasons

    command = ["export", "cnn1d", "--target", "onnx", "--json", "-"]
    assert edgeecg(command) == 0
    (plain,) = json.loads(capsys.readouterr().out)
    assert "float_reasons" not in plain
    monkeypatch.setattr(_float_lstm, "reasons", said)
    assert edgeecg(command) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)[0]["float_reasons"] == reasons
    assert "cnn1d-baseline-onnx: Its LSTM layers stay in float32." in err
    file = package.artifacts / "cnn1d-baseline-onnx.onnx"
    embedded = onnx_file.metadata(file, MANIFEST_KEY)
    assert json.loads(embedded or "{}")["float_reasons"] == reasons


def test_incomplete_copy_of_the_package_is_replaced(
    package: RunFolder, converted: ExportRecipe
) -> None:
    package.path.mkdir(parents=True)
    package.baseline_weights.write_bytes(b"half of it")
    assert edgeecg(["export", "cnn1d", "--target", "onnx"]) == 0


def test_folder_of_the_packages_name_with_another_model_is_not_touched(
    package: RunFolder, converted: ExportRecipe, capsys: pytest.CaptureFixture[str]
) -> None:
    package.path.mkdir(parents=True)
    package.baseline_card.write_text("{}")
    assert edgeecg(["export", "cnn1d", "--target", "onnx"]) == 2
    assert "is taken" in capsys.readouterr().err
    assert package.baseline_card.read_text() == "{}"


def test_model_without_weights_in_the_package_says_how_to_train_it(
    package: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def none(name: str) -> None:
        return None

    monkeypatch.setattr(dense, "shipped", none)
    assert edgeecg(["export", "cnn1d"]) == 2
    assert "edgeecg train cnn1d" in capsys.readouterr().err
    assert not package.path.exists()


def test_trained_run_is_exported_alone(here: RunFolder, converted: ExportRecipe) -> None:
    here.model_card.unlink()
    assert edgeecg(["export", "--run", "tiny", "--target", "onnx"]) == 0
    assert [path.name for path in here.artifact_files()] == ["cnn1d-baseline-onnx.onnx"]


def test_run_whose_compression_goes_on_is_not_exported(
    here: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    here.model_card.unlink()
    here.config.write_text("{}")
    assert edgeecg(["export", "--run", "tiny", "--target", "onnx"]) == 1
    assert "edgeecg compress --name tiny --resume" in capsys.readouterr().err


def test_model_and_run_together_are_refused(
    here: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert edgeecg(["export", "cnn1d", "--run", "tiny"]) == 2
    assert "Give one of the two" in capsys.readouterr().err


def test_unknown_model_lists_the_known_ones(
    here: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert edgeecg(["export", "cnn1"]) == 2
    assert "Did you mean 'cnn1d'?" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "status"), [("files.tar", 2), ("file/files.zip", 1)])
def test_bundle_that_cannot_be_written_is_refused_before_the_work(
    name: str,
    status: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    assert edgeecg(["export", "cnn1d", "--bundle", name]) == status
    assert name in capsys.readouterr().err
    assert not Path("runs").exists()


def test_paths_may_be_given_in_python_and_a_missing_report_is_found_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EdgeECGError, match="There is no run 'runs/none'"):
        export(run=Path("runs/none"))
    with pytest.raises(UsageError, match=r"missing\.json cannot be read"):
        export(run="none", targets=["tflite-mixed"], bench="missing.json")
