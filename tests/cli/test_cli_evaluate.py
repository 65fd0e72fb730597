"""``edgeecg evaluate``: one command for models and files, on databases and on folders."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb
from evaluated import write_model, write_onnx
from sklearn.metrics import f1_score, recall_score, roc_auc_score

from edgeecg.cli import run
from edgeecg.data import DataRequest, Dataset
from edgeecg.evaluation import scoring
from edgeecg.evaluation.predictors import Predictor, load_predictor
from edgeecg.schema import ModelCard


@pytest.fixture(autouse=True)
def _elsewhere(  # pyright: ignore[reportUnusedFunction]
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGEECG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "100")


def given(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> list[DataRequest]:
    """Put a dataset in the place of the databases; return what is asked for."""
    asked: list[DataRequest] = []

    def load(request: DataRequest, on_record: object) -> Dataset:
        asked.append(request)
        return dataset

    monkeypatch.setattr(scoring, "load_dataset", load)
    return asked


def evaluated(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[dict[str, Any], str]:
    """Return the JSON on standard output, and what was said beside it."""
    assert run(["evaluate", *arguments, "--json", "-"]) == 0
    said = capsys.readouterr()
    return json.loads(said.out), said.err


def test_the_json_of_a_file_holds_what_scikit_learn_computes(
    toy_dataset: Dataset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = given(toy_dataset, monkeypatch)
    write_onnx(Path("one.onnx"))
    found, said = evaluated(capsys, "one.onnx", "--data", "synthetic", "--split", "val")
    y = toy_dataset.val.y
    called = load_predictor("one.onnx").predict(toy_dataset.val.x).argmax(axis=1)
    assert (found["data"], found["split"], found["n"]) == ("synthetic", "val", 90)
    assert found["accuracy"] == pytest.approx((called == y).mean())
    assert found["macro_f1"] == pytest.approx(f1_score(y, called, average="macro"))
    recall = recall_score(y, called, labels=[1], average="macro")
    assert found["per_class"]["S"]["recall"] == pytest.approx(recall)
    assert {"precision", "f1"} <= set(found["per_class"]["S"])
    assert (found["model"], found["class_map"]) == ("cnn1d", "aami")
    assert found["preprocessing"]["window"] == 256
    assert "SYNTHETIC" in said
    assert said.splitlines()[-1] == "Next: edgeecg bench one.onnx"
    assert asked[0].preprocessing == load_predictor("one.onnx").preprocessing


def test_outside_beats_and_the_record_with_most_s_beats_are_shown(
    toy_dataset: Dataset,
    model_card: ModelCard,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    test = toy_dataset.test
    s_beats = np.flatnonzero(test.y == 1)
    names = test.record.astype("<U3")
    names[s_beats[np.arange(len(s_beats)) % 4 > 0]] = "232"
    outside = replace(
        test, x=test.x[:5], y=np.array([0, 0, 0, 1, 1]), record=names[:5], patient=names[:5]
    )
    renamed = replace(test, record=names, patient=names)
    given(replace(toy_dataset, test=renamed, outside={"test": outside}), monkeypatch)
    write_model(Path("runs/night/baseline.safetensors"), model_card)
    found, said = evaluated(capsys, "night")
    called = found["ec57"]["called"]
    assert (sum(called["F"].values()), sum(called["Q"].values())) == (3, 2)
    assert "EC57 +P" in said
    kept = names != "232"
    assert found["s_without_232"]["support"] == int((test.y[kept] == 1).sum())
    assert "S without record 232" in said
    assert said.splitlines()[-1] == "Next: edgeecg compress --start night"


def test_records_get_curves_thresholds_and_intervals(
    records_dataset: Dataset,
    model_card: ModelCard,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given(records_dataset, monkeypatch)
    classes = records_dataset.summary.classes

    def logits(windows: np.ndarray[Any, np.dtype[np.float32]]) -> np.ndarray[Any, Any]:
        return windows[:, :10].mean(axis=2).reshape(-1, 5, 2).mean(axis=2) - 0.3

    write_model(Path("a.safetensors"), model_card)
    predictor = replace(
        load_predictor("a.safetensors"), task="records", classes=classes, test_scores=None
    )
    predictor = replace(predictor, predict=logits, card=None)

    def load(name: str, custom: object, threads: int) -> Predictor:
        return predictor

    monkeypatch.setattr("edgeecg.evaluation.named.load_predictor", load)
    found, said = evaluated(capsys, "any")
    x, y = records_dataset.test.x, records_dataset.test.y
    assert found["macro_auroc"] == pytest.approx(roc_auc_score(y, logits(x)))
    for name in ("macro_auroc", "macro_auprc", "macro_f1", "macro_f1_at_threshold", "accuracy"):
        low, high = found[f"{name}_ci95"]
        assert low <= found[name] <= high
    assert found["task"] == "records"
    assert found["s_without_232"] is None
    assert "AUROC" in said
    assert "Confusion" not in said


def write_folder(folder: Path) -> None:
    """Write two records, one annotated, whose lead is called II."""
    folder.mkdir()
    beat = np.zeros(250)
    beat[100:110] = 1.0
    for name in ("rest", "walk"):
        wfdb.wrsamp(
            name,
            fs=250,
            units=["mV"],
            sig_name=["II"],
            p_signal=np.tile(beat, 20)[:, None] + 0.01 * np.sin(np.arange(5000))[:, None],
            fmt=["16"],
            write_dir=str(folder),
        )
    symbols = ["N", "A", "V", "F"] * 5
    peaks = np.arange(20) * 250 + 105
    wfdb.wrann("walk", "atr", peaks, symbol=symbols, write_dir=str(folder))


def test_every_annotated_record_of_a_folder_is_scored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_folder(tmp_path / "mine")
    write_onnx(Path("one.onnx"))
    found, said = evaluated(capsys, "one.onnx", "--data", "mine", "--leads", "MLII=II")
    assert found["data"] == "folder"
    assert list(found["records"]) == ["walk"]
    assert sum(found["ec57"]["called"]["F"].values()) > 0
    assert found["skipped"]["record without annotations"] == 1
    assert "own records" in said
    assert "SYNTHETIC" not in said


def test_records_that_trained_the_model_are_named(
    tmp_path: Path, model_card: ModelCard, capsys: pytest.CaptureFixture[str]
) -> None:
    write_folder(tmp_path / "mine")
    data = model_card.data.model_copy(update={"train_records": ("walk",), "source": "folder"})
    write_model(Path("a.safetensors"), model_card, data=data)
    found, _ = evaluated(capsys, "a.safetensors", "--data", "mine", "--leads", "MLII=II")
    assert any("walk" in note and "too high" in note for note in found["notes"])


def test_records_with_other_classes_are_refused(
    toy_dataset: Dataset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given(toy_dataset, monkeypatch)
    write_onnx(Path("two.onnx"), classes=("N", "V", "S"))
    assert run(["evaluate", "two.onnx"]) == 1
    assert "It has the classes N, V, S" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["nothing-like-it"], 2, "no model, run or file named"),
        (["one.onnx", "--leads", "MLII"], 2, "MLII=II"),
        (["one.onnx", "--split", "train"], 2, "--split"),
        (["one.onnx", "--data", "no/such/folder"], 1, "no/such/folder"),
        (["one.onnx", "--data", "ptbxl"], 1, "does not fit the model"),
    ],
)
def test_wrong_usage_is_explained(
    arguments: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_onnx(Path("one.onnx"))
    assert run(["evaluate", *arguments]) == status
    assert said in " ".join(capsys.readouterr().err.split())


def test_strict_and_threads_are_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    asked: list[dict[str, object]] = []

    def evaluate(model: str, data: str, **options: object) -> object:
        asked.append(options)
        raise KeyboardInterrupt

    monkeypatch.setattr("edgeecg.evaluation.named.evaluate", evaluate)
    assert run(["evaluate", "cnn1d", "--data", "x", "--strict", "--threads", "2"]) == 130
    assert run(["evaluate", "cnn1d", "--data", "x"]) == 130
    assert [(each["strict"], each["threads"]) for each in asked] == [(True, 2), (False, 1)]
    capsys.readouterr()
