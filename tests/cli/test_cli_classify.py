"""``edgeecg classify``: a table for each record, and a summary that says where peaks come from."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import challenge_records
import numpy as np
import pytest
import wfdb
from evaluated import write_model, write_onnx
from numpy.typing import NDArray

from edgeecg.cli import run
from edgeecg.data.sources import _synthetic_beats
from edgeecg.data.unlabelled import Unlabelled
from edgeecg.evaluation.predictions import as_csv, classify_record
from edgeecg.evaluation.predictors import Predictor
from edgeecg.schema import ModelCard


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two synthetic records of a minute, one without annotations."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine"
    path.mkdir()
    _synthetic_beats.generate(path, seed=5, names=("a", "b"), duration_s=60)
    (path / "b.atr").unlink()
    return path


def _table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def test_every_beat_gets_a_class_and_its_probabilities(
    mine: Path, model_card: ModelCard, capsys: pytest.CaptureFixture[str]
) -> None:
    write_model(Path("mine.safetensors"), model_card)
    assert run(["classify", "mine.safetensors", "--data", str(mine), "--json", "-"]) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert found["classes"] == ["N", "S", "V"]
    assert [r["peaks"] for r in found["records"]] == ["annotations", "detected"]
    assert "from a detector" in captured.err
    assert "not a medical device" in captured.err
    for record in found["records"]:
        rows = _table(Path(f"calls/{record['record']}.csv"))
        assert len(rows) == len(record["calls"]) == sum(record["counts"].values()) > 30
        for row in rows:
            chances = {name: float(row[f"p_{name}"]) for name in "NSV"}
            assert sum(chances.values()) == pytest.approx(1, abs=1e-5)
            assert row["class"] == max(chances, key=lambda name: chances[name])
            assert float(row["time_s"]) == pytest.approx(int(row["sample"]) / 360, abs=1e-3)


def test_stretches_of_low_quality_are_counted_and_their_beats_marked(
    mine: Path, model_card: ModelCard, capsys: pytest.CaptureFixture[str]
) -> None:
    write_model(Path("mine.safetensors"), model_card)
    signal, header = wfdb.rdsamp(str(mine / "b"))
    assert signal is not None
    # Noise of 1 mV from 20 s to 30 s.
    signal[7200:10_800] += np.random.default_rng(0).normal(0, 1.0, (3600, 1))
    settings = {key: header[key] for key in ("fs", "units", "sig_name")}
    wfdb.wrsamp("b", p_signal=signal, fmt=["16"] * 2, write_dir=str(mine), **settings)
    assert run(["classify", "mine.safetensors", "--data", str(mine), "--json", "-"]) == 0
    captured = capsys.readouterr()
    good, noisy = json.loads(captured.out)["records"]
    assert (good["stretches"], good["low_quality"]) == (6, {})
    assert (noisy["stretches"], noisy["low_quality"]) == (6, {"noise": 1})
    assert "Low signal quality: 1 of 12 stretches of 10 s (noise 1)." in captured.err
    for row in _table(Path("calls/b.csv")):
        assert (row["low_quality"] == "noise") == (20 <= float(row["time_s"]) < 30)


def test_an_exported_file_classifies_too(mine: Path) -> None:
    write_onnx(Path("one.onnx"))
    assert run(["classify", "one.onnx", "--data", str(mine), "--out", "there"]) == 0
    assert {path.name for path in Path("there").iterdir()} == {"a.csv", "b.csv"}


def test_a_bad_record_is_named_and_the_others_go_on(
    mine: Path, model_card: ModelCard, capsys: pytest.CaptureFixture[str]
) -> None:
    write_model(Path("mine.safetensors"), model_card)
    (mine / "b.dat").write_bytes(b"short")
    assert run(["classify", "mine.safetensors", "--data", str(mine)]) == 0
    assert "Left out: b." in capsys.readouterr().out
    (mine / "a.dat").write_bytes(b"short")
    assert run(["classify", "mine.safetensors", "--data", str(mine)]) == 1
    assert "Record a" in capsys.readouterr().err


def test_a_bad_record_stops_a_strict_run(
    mine: Path, model_card: ModelCard, capsys: pytest.CaptureFixture[str]
) -> None:
    write_model(Path("mine.safetensors"), model_card)
    (mine / "b.dat").write_bytes(b"short")
    assert run(["classify", "mine.safetensors", "--data", str(mine), "--strict"]) == 1
    assert "Record b" in capsys.readouterr().err
    assert not Path("calls").exists()


def test_records_without_a_beat_are_counted_and_named(
    mine: Path, model_card: ModelCard, capsys: pytest.CaptureFixture[str]
) -> None:
    write_model(Path("mine.safetensors"), model_card)
    drift = np.arange(7200)[:, None] / 7200 * np.ones((1, 1))
    for name in ("quiet1", "quiet2"):
        wfdb.wrsamp(
            name,
            fs=360,
            units=["mV"],
            sig_name=["MLII"],
            p_signal=drift,
            fmt=["16"],
            write_dir=str(mine),
        )
    challenge_records.write(mine, "short", None, fs=360, seconds=0.5, leads=("MLII",))
    assert run(["classify", "mine.safetensors", "--data", str(mine), "--json", "-"]) == 0
    captured = capsys.readouterr()
    expected = {
        "quiet1": "no beats found",
        "quiet2": "no beats found",
        "short": "record shorter than one window",
    }
    assert json.loads(captured.out)["without_windows"] == expected
    assert "classified in 2 records (quiet1, quiet2): no beats found." in captured.err
    assert "classified in 1 record (short): record shorter than one window." in captured.err


def test_records_to_which_no_class_applies_are_counted_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        challenge_records.write(tmp_path / "ch", name, None)
    predictor = _records_predictor(np.array([[-2.0, -2.0, -0.5]], np.float32))

    def load(*_: object) -> Predictor:
        return predictor

    monkeypatch.setattr("edgeecg.evaluation.named.load_predictor", load)
    assert run(["classify", "any", "--data", "ch", "--json", "-"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["without_class"] == ["a", "b"]
    assert "No class reaches it in 2 records (a, b)." in captured.err


def test_a_missing_lead_says_how_to_map_it(
    mine: Path, model_card: ModelCard, capsys: pytest.CaptureFixture[str]
) -> None:
    write_model(Path("mine.safetensors"), model_card)
    for header in mine.glob("*.hea"):
        header.write_text(header.read_text().replace("MLII", "II"))
    assert run(["classify", "mine.safetensors", "--data", str(mine)]) == 1
    assert "--leads MLII=II" in capsys.readouterr().err
    options = ["--data", str(mine), "--leads", "MLII=II"]
    assert run(["classify", "mine.safetensors", *options]) == 0


def _records_predictor(logits: NDArray[np.float32]) -> Predictor:
    """Return a model of three classes that always answers the same."""

    def answer(windows: object) -> NDArray[np.float32]:
        return logits

    from edgeecg.data.sources import ptbxl

    return Predictor(
        title="toy",
        kind="file",
        model="toy",
        classes=("NORM", "MI", "CD"),
        task="records",
        preprocessing=ptbxl.preprocessing(),
        class_map="aami",
        min_likelihood=0.0,
        test_scores=None,
        card=None,
        data=None,
        predict=answer,
    )


def test_a_record_is_called_every_class_that_reaches_its_half() -> None:
    predictor = _records_predictor(np.array([[2.0, -2.0, 0.5]], np.float32))
    x = np.zeros((1, 12, 1000), np.float32)
    record = Unlabelled("r1", 100.0, x, np.zeros(1, np.int64), "none needed", {}, np.array([""]))
    (row,) = classify_record(predictor, record).rows()
    assert row["record"] == "r1"
    assert row["class"] == "NORM CD"
    assert row["p_MI"] == pytest.approx(0.119203, abs=1e-6)  # 1 / (1 + e^2)
    assert as_csv([row]).startswith("record,class,p_NORM,p_MI,p_CD\nr1,NORM CD,")
    # A spreadsheet would run the name of this record.
    assert as_csv([{**row, "record": "=A1"}]).splitlines()[1].startswith("'=A1,NORM CD,")


def test_a_folder_that_cannot_be_written_is_refused_before_the_work(
    mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("there").write_text("a file")
    arguments = ["classify", "no-such-model", "--data", str(mine), "--out", "there"]
    assert run(arguments) == 1
    assert "there/records.csv could not be written" in capsys.readouterr().err


def test_what_becomes_of_tables_of_an_earlier_call_is_said(
    mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_onnx(Path("one.onnx"))
    other = mine.parent / "other"
    other.mkdir()
    _synthetic_beats.generate(other, seed=6, names=("b", "c"), duration_s=60)
    assert run(["classify", "one.onnx", "--data", str(mine)]) == 0
    assert "earlier call" not in capsys.readouterr().out
    assert run(["classify", "one.onnx", "--data", str(other)]) == 0
    said = capsys.readouterr().out
    assert "Tables of an earlier call that were replaced: 1." in said
    assert "Other tables in this folder: a.csv." in said


def test_records_of_equal_names_in_other_folders_have_tables_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_onnx(Path("one.onnx"))
    for seed, folder in enumerate(("first", "second")):
        (tmp_path / "all" / folder).mkdir(parents=True)
        _synthetic_beats.generate(tmp_path / "all" / folder, seed, names=("a",), duration_s=60)
    assert run(["classify", "one.onnx", "--data", "all"]) == 0
    first, second = (_table(Path(f"calls/{folder}/a.csv")) for folder in ("first", "second"))
    assert first != second


def test_a_run_of_a_custom_module_classifies_with_its_file(
    mine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[object] = []

    def load(name: str, custom: object, threads: int) -> Predictor:
        asked.append(custom)
        return _records_predictor(np.zeros((1, 3), np.float32))

    def loaded(text: str) -> str:
        return text

    monkeypatch.setattr("edgeecg.evaluation.named.load_predictor", load)
    monkeypatch.setattr("edgeecg.evaluation.named.load_custom", loaded)
    run(["classify", "own", "--data", str(mine), "--custom", "model.py:build"])
    assert asked == ["model.py:build"]
    capsys.readouterr()
