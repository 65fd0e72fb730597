"""Synthetic 12-lead records: the official layout, no patient in two folds, classes that show."""

from __future__ import annotations

import ast
import filecmp
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import wfdb
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from edgeecg.data import DataRequest, Windows, load_dataset
from edgeecg.data.sources import _synthetic_ptbxl

OFFICIAL_LEADS = ["I", "II", "III", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5", "V6"]


@pytest.mark.parametrize(("fs_hz", "suffix"), [(100, "lr"), (500, "hr")])
def test_wfdb_reads_them(tmp_path: Path, fs_hz: int, suffix: str) -> None:
    _synthetic_ptbxl.generate(tmp_path, records=1, fs_hz=fs_hz)
    record: Any = wfdb.rdrecord(str(tmp_path / f"records{fs_hz}" / "00000" / f"00001_{suffix}"))
    assert record.fs == fs_hz
    assert record.sig_name == OFFICIAL_LEADS
    assert record.units == ["mV"] * 12
    signal: NDArray[np.float64] = record.p_signal
    assert signal.shape == (10 * fs_hz, 12)
    assert 0.5 < np.ptp(signal[:, 1]) < 8
    # Einthoven and Goldberger, up to the rounding of each lead to a thousandth of a millivolt.
    limb = dict(zip(OFFICIAL_LEADS, signal.T, strict=True))
    np.testing.assert_allclose(limb["III"], limb["II"] - limb["I"], atol=2e-3)
    np.testing.assert_allclose(limb["AVR"] + limb["AVL"] + limb["AVF"], 0, atol=2e-3)


def test_the_table_has_the_official_columns_and_keeps_patients_in_one_fold(tmp_path: Path) -> None:
    _synthetic_ptbxl.generate(tmp_path, records=80)
    table = pd.read_csv(tmp_path / "ptbxl_database.csv")
    assert len(table.columns) == 28
    assert list(table.columns[:2]) == ["ecg_id", "patient_id"]
    assert sorted(set(table["strat_fold"])) == list(range(1, 11))
    pairs = set(zip(table["patient_id"], table["strat_fold"], strict=True))
    assert len(pairs) == len(set(table["patient_id"])) < len(table)
    for path in table["filename_lr"]:
        assert (tmp_path / f"{path}.dat").is_file()
    statements = pd.read_csv(tmp_path / "scp_statements.csv", index_col=0)
    for cell in table["scp_codes"]:
        assert set(ast.literal_eval(cell)) <= set(statements.index)


def test_the_same_seed_gives_the_same_files_and_another_one_does_not(tmp_path: Path) -> None:
    for place, seed in [("a", 1), ("b", 1), ("c", 2)]:
        (tmp_path / place).mkdir()
        _synthetic_ptbxl.generate(tmp_path / place, 2, seed)
    names = ["ptbxl_database.csv", "records100/00000/00002_lr.dat"]
    assert filecmp.cmpfiles(tmp_path / "a", tmp_path / "b", names, shallow=False)[0] == names
    assert names[1] in filecmp.cmpfiles(tmp_path / "a", tmp_path / "c", names, shallow=False)[1]


def test_the_folder_is_made_once_and_made_again_when_damaged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Path] = []
    generate = _synthetic_ptbxl.generate

    def few(place: Path, records: int, seed: int) -> None:
        made.append(place)
        generate(place, min(records, 3), seed)

    monkeypatch.setattr(_synthetic_ptbxl, "generate", few)
    place = _synthetic_ptbxl.folder(seed=7)
    assert _synthetic_ptbxl.folder(seed=7) == place
    assert len(made) == 1
    signal = place / "records100" / "00000" / "00001_lr.dat"
    whole = signal.read_bytes()
    signal.write_bytes(whole[:-10])
    assert _synthetic_ptbxl.folder(seed=7) == place
    assert len(made) == 2
    assert signal.read_bytes() == whole
    assert [path.name for path in place.parent.iterdir()] == [place.name]


def _features(windows: Windows) -> NDArray[np.float32]:
    """Return sizes and widths of the waves of each lead, and nothing of the labels."""
    quantiles = np.quantile(windows.x, [0.005, 0.05, 0.5, 0.95, 0.995], axis=2)
    steep = np.quantile(np.abs(np.diff(windows.x, axis=2)), [0.8, 0.95, 0.99], axis=2)
    found = np.concatenate([quantiles, steep])
    return found.transpose(1, 0, 2).reshape(len(windows.x), -1)


def test_classes_can_be_learnt_and_every_reader_is_told_that_they_are_synthetic() -> None:
    made = load_dataset(DataRequest(source="synthetic", task="records"))
    assert made.summary.source == "synthetic"
    assert "The records are synthetic: the scores say nothing about patients." in made.summary.notes
    assert not any("part of PTB-XL" in note for note in made.summary.notes)
    assert made.task == "records"
    assert made.train.x.shape[1:] == (12, 1000)
    model = make_pipeline(
        StandardScaler(), OneVsRestClassifier(LogisticRegression(C=0.05, max_iter=2000))
    )
    model.fit(_features(made.train), made.train.y)
    scores = model.predict_proba(_features(made.test))
    assert roc_auc_score(made.test.y, scores, average="macro") > 0.8
