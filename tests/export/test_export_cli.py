"""``edgeecg export`` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgeecg import data
from edgeecg.cli import run as edgeecg
from edgeecg.data import Dataset, Request
from edgeecg.data.dataset import OnRecord
from edgeecg.runs import RunFolder
from edgeecg.schema import Artifact, ExportRecipe


@pytest.fixture
def here(run: RunFolder, monkeypatch: pytest.MonkeyPatch, toy_dataset: Dataset) -> RunFolder:
    """Stand in the folder above ``runs/``, with the toy records as the data."""

    def load_dataset(request: Request, on_record: OnRecord) -> Dataset:
        return toy_dataset

    monkeypatch.chdir(run.path.parent.parent)
    monkeypatch.setattr(data, "load_dataset", load_dataset)
    return run


def test_unknown_target_lists_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert edgeecg(["export", "--target", "tflite-int9"]) == 2
    said = capsys.readouterr().err
    assert "onnx, tflite, tflite-int8" in said
    assert "Did you mean 'tflite-int8'?" in said


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
    assert err.rstrip().endswith("Next: edgeecg bench")
    table = [line for line in err.splitlines() if "artifacts/" not in line]
    assert max(len(line) for line in table) <= 80
    assert "…" not in err


def test_file_that_disagrees_ends_in_an_error_of_three_lines(
    here: RunFolder, converted: ExportRecipe, capsys: pytest.CaptureFixture[str]
) -> None:
    assert edgeecg(["export", "--target", "onnx"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("Error: 'cnn1d-compressed-onnx'")
    assert said[1].startswith("  Why:")
    assert said[2].startswith("  To do:")
    assert not [path for path in here.artifact_files() if "compressed" in path.name]
