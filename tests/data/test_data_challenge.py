"""Folders of the PhysioNet Challenges: their diagnoses become superclasses, or are reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import wfdb
from challenge_records import LEADS, write
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from edgeecg.data import DataRequest, Dataset
from edgeecg.data.loading import load_dataset
from edgeecg.data.sources import _challenge, _snomed, ptbxl
from edgeecg.data.windows import cache
from edgeecg.errors import DataError
from edgeecg.evaluation.predictors import Predictor
from edgeecg.evaluation.scoring import score_beside_dense
from edgeecg.reporting import evaluation as report
from edgeecg.schema import DataSummary, Split

CLASSES = ("NORM", "MI", "STTC", "CD", "HYP")
AS_IS = ptbxl.preprocessing().model_copy(
    update={"normalisation": "global-zscore", "mean_mv": 0.0, "deviation_mv": 1.0}
)


def load(path: Path, **settings: Any) -> Dataset:
    """Load a folder to score a model on it."""
    given: dict[str, Any] = {"preprocessing": AS_IS, "score_only": True, **settings}
    return load_dataset(DataRequest(source=str(path), task="records", **given))


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ("426783006", {"NORM"}),
        ("164865005", {"MI"}),
        ("164867002,55930002", {"MI", "STTC"}),
        ("59118001", {"CD"}),
        ("270492004,445118002", {"CD"}),
        ("164873001", {"HYP"}),
        ("67741000119109", {"HYP"}),
        ("429622005", {"STTC"}),
        # Sinus rhythm is normal where nothing else is wrong.
        ("426783006,164865005", {"MI"}),
        ("426783006,427172004", {"NORM"}),
        # Rhythms and ectopic beats have no superclass.
        ("164889003", set()),
        ("426177001,284470004", set()),
        ("", set()),
    ],
)
def test_codes_become_superclasses(codes: str, expected: set[str]) -> None:
    assert _snomed.superclasses(codes.split(",")) == expected


def test_no_code_counts_for_two_classes() -> None:
    assert set(_snomed.SUPERCLASS_OF.values()) == set(CLASSES) - {"NORM"}
    assert _snomed.SINUS_RHYTHM not in _snomed.SUPERCLASS_OF
    assert all(code.isdecimal() for code in _snomed.SUPERCLASS_OF)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Nine records: six with a class, of which one is too short, and three without."""
    path = tmp_path / "challenge"
    write(path, "A1", "426783006")
    write(path, "A2", "164865005,427084000", unit="mv")
    write(path / "g1", "A3", "164934002", fs=257, seconds=30)
    write(path / "g1", "A4", "713427006, 164873001", fs=1000)
    write(path, "A5", "426783006,59118001")
    write(path, "A6", "426783006", seconds=9)
    write(path, "A7", "164889003,427084000")
    write(path, "A8", None)
    write(path, "A9", "")
    (path / "RECORDS").write_text("A1\nA2\ng1/\nA5\nA6\nA7\nA8\nA9\n")
    return path


def test_every_record_with_a_class_is_scored(folder: Path) -> None:
    made = load(folder)
    assert made.task == "records"
    assert made.test.record.tolist() == ["A1", "A2", "g1/A3", "g1/A4", "A5"]
    expected = [{"NORM"}, {"MI"}, {"STTC"}, {"CD", "HYP"}, {"CD"}]
    shown = [{CLASSES[i] for i in np.flatnonzero(row)} for row in made.test.y]
    assert shown == expected
    assert len(made.train.y) == len(made.val.y) == 0
    assert made.train.x.shape == (0, 12, 1000)
    summary = made.summary
    assert (summary.source, summary.class_map) == ("folder", "superclasses")
    assert summary.skipped == {
        "no superclass": 2,
        "record without diagnoses": 1,
        "too short": 1,
    }
    assert any("427084000 (2)" in note and "164889003 (1)" in note for note in summary.notes)
    assert summary.test_records == ("5 records",)
    assert summary.beats["test"] == {"NORM": 1, "MI": 1, "STTC": 1, "CD": 2, "HYP": 1}
    assert DataSummary.from_json(summary.to_json(), "summary") == summary
    assert load(folder).summary == summary


def test_windows_are_what_wfdb_reads_resampled(folder: Path) -> None:
    made = load(folder)
    record: Any = wfdb.rdrecord(str(folder / "A1"))
    assert record.sig_name == list(LEADS)
    # A sine of a few hertz is the same at 100 Hz, but for the ends of the resampler. A2 is in
    # millivolts in another spelling, A4 has another rate.
    for row, name, step in ((0, "A1", 5), (1, "A2", 5), (3, "g1/A4", 10)):
        record = wfdb.rdrecord(str(folder / name))
        expected = record.p_signal[::step].T[:, 15:-15]
        np.testing.assert_allclose(made.test.x[row][:, 15:-15], expected, atol=5e-3)


def test_a_class_that_no_record_has_is_noted(tmp_path: Path) -> None:
    for name, code in (("a", "426783006"), ("b", "59118001"), ("c", "426783006")):
        write(tmp_path, name, code)
    summary = load(tmp_path).summary
    assert "The test records hold none of class MI, STTC, HYP." in summary.notes


def test_a_changed_signal_or_diagnosis_is_noticed(folder: Path) -> None:
    first = load(folder).summary.content_sha256
    header = folder / "A1.hea"
    header.write_text(header.read_text().replace("#Dx: 426783006", "#Dx: 164865005"))
    second = load(folder)
    assert second.summary.content_sha256 != first
    assert second.test.y[0].tolist() == [0, 1, 0, 0, 0]
    write(folder, "A1", "164865005", fs=400)
    assert load(folder).summary.content_sha256 not in (first, second.summary.content_sha256)


def test_a_signal_without_a_checksum_enters_the_hash(folder: Path) -> None:
    header = folder / "A1.hea"
    lines = header.read_text().splitlines()
    bare = [" ".join(line.split()[:3]) if ".mat" in line else line for line in lines]
    header.write_text("\n".join(bare) + "\n")
    called = {lead: f"signal {row}" for row, lead in enumerate(ptbxl.LEADS)}
    request = DataRequest(
        source=str(folder), task="records", preprocessing=AS_IS, leads=called, score_only=True
    )
    first = load_dataset(request)
    assert first.test.record.tolist()[0] == "A1"
    values = scipy.io.loadmat(folder / "A1.mat")["val"] + np.int16(7)
    scipy.io.savemat(folder / "A1.mat", {"val": values}, format="4")
    second = load_dataset(request)
    assert second.summary.content_sha256 != first.summary.content_sha256
    moved = second.test.x[0] - first.test.x[0]
    np.testing.assert_allclose(moved[:, 15:-15], 0.007, atol=1e-5)


def test_a_damaged_record_is_left_out(folder: Path) -> None:
    content = bytearray((folder / "A2.mat").read_bytes())
    content[500] ^= 1
    (folder / "A2.mat").write_bytes(content)
    (folder / "A5.mat").unlink()
    made = load(folder)
    assert made.test.record.tolist() == ["A1", "g1/A3", "g1/A4"]
    assert set(made.summary.left_out) == {"A2", "A5"}
    assert "checksum" in made.summary.left_out["A2"]
    assert made.summary.skipped["record that cannot be used"] == 2
    assert load(folder).summary == made.summary
    with pytest.raises(DataError, match="2 records"):
        load(folder, strict=True)


def test_a_record_with_fewer_leads_is_left_out(folder: Path) -> None:
    write(folder, "A2", "164865005", leads=LEADS[:8])
    summary = load(folder).summary
    assert "no lead V3" in summary.left_out["A2"]
    assert summary.beats["test"]["MI"] == 0


def test_without_a_class_there_is_nothing_to_score(tmp_path: Path) -> None:
    write(tmp_path, "a", "427084000")
    with pytest.raises(DataError, match=r"427084000 \(1\)"):
        load(tmp_path)


def test_a_folder_can_train_a_model_too(tmp_path: Path) -> None:
    codes = ("426783006", "164865005", "55930002", "59118001", "164873001")
    for number in range(60):
        write(tmp_path, f"r{number:02}", codes[number % 5])
    made = load(tmp_path, preprocessing=None, score_only=False)
    assert [len(getattr(made, part).y) for part in ("train", "val", "test")] == [36, 12, 12]
    assert float(made.train.x.mean(dtype=np.float64)) == pytest.approx(0, abs=1e-6)
    assert float(made.train.x.std(dtype=np.float64)) == pytest.approx(1, abs=1e-6)
    names = [set(getattr(made, part).record.tolist()) for part in ("train", "val", "test")]
    assert sum(map(len, names)) == len(set().union(*names)) == 60


def test_the_classes_of_a_record_in_words(folder: Path) -> None:
    assert _challenge.classes_of(folder, "g1/A4") == "CD, HYP"
    assert _challenge.classes_of(folder, "A7") == "no superclass"
    assert _challenge.classes_of(folder, "A8") == "no classes"


@pytest.mark.parametrize("split", ["val", "test"])
def test_a_model_without_thresholds_is_scored(folder: Path, split: Split) -> None:
    def predict(windows: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.ascontiguousarray(windows[:, :5, 100])

    predictor = Predictor(
        title="toy",
        kind="file",
        model="toy",
        classes=CLASSES,
        task="records",
        preprocessing=AS_IS,
        class_map="aami",
        min_likelihood=0.0,
        test_scores=None,
        card=None,
        data=None,
        predict=predict,
    )
    request = DataRequest(source=str(folder), task="records", preprocessing=AS_IS)
    scores, summary, _ = score_beside_dense(predictor, request, split, dense=None)
    made = load(folder)
    truth, logits = made.test.y, made.test.x[:, :5, 100]
    assert scores.macro_auroc == pytest.approx(roc_auc_score(truth, logits))
    assert scores.macro_f1_at_threshold is None
    # No validation records, so no thresholds: the tables leave them out.
    assert report.tables(scores, summary)


@pytest.fixture
def thirty(tmp_path: Path) -> Path:
    """Thirty records; each has all classes but NORM, or NORM."""
    path = tmp_path / "thirty"
    for n in range(30):
        write(path, f"r{n:02}", "426783006" if n % 2 else "164865005,55930002,59118001,164873001")
    return path


def trained_on(path: Path) -> dict[str, set[str]]:
    made = load_dataset(DataRequest(source=str(path), task="records"))
    assert not any("R peaks" in note for note in made.summary.notes)
    return {part: set(made.split(part).record.tolist()) for part in ("train", "val", "test")}


def test_a_stated_split_is_kept(thirty: Path) -> None:
    names = [f"r{n:02}" for n in range(30)]
    stated = {"train": names[:20], "val": names[20:25], "test": names[25:]}
    (thirty / "split.json").write_text(json.dumps(stated))
    assert trained_on(thirty) == {part: set(its) for part, its in stated.items()}
    stated["test"].append("r99")
    (thirty / "split.json").write_text(json.dumps(stated))
    with pytest.raises(DataError, match="names what is none of the records with a class: r99"):
        trained_on(thirty)


def test_without_a_stated_split_every_record_has_one(thirty: Path) -> None:
    drawn = trained_on(thirty)
    assert {part: len(its) for part, its in drawn.items()} == {"train": 18, "val": 6, "test": 6}
    assert len(set.union(*drawn.values())) == 30


def test_what_is_missing_now_is_reported_whatever_the_cache_holds(folder: Path) -> None:
    listed = (folder / "RECORDS").read_text()
    (folder / "RECORDS").write_text(f"{listed}A99\n")
    assert set(load(folder).summary.left_out) == {"A99"}
    (folder / "RECORDS").write_text(listed)
    summary = load(folder, strict=True).summary
    assert summary.left_out == {}
    # One of an earlier version of the cache counted them, too.
    for manifest in cache.folder().rglob("manifest.json"):
        held = json.loads(manifest.read_text())
        manifest.write_text(json.dumps({**held, "version": 1, "left_out": {"A99": "missing"}}))
    assert load(folder).summary == summary
    write(folder, "B1", None)
    (folder / "RECORDS").write_text(f"{listed}B1\nA98\n")
    summary = load(folder).summary
    assert set(summary.left_out) == {"A98"}
    assert summary.skipped["record without diagnoses"] == 2
    with pytest.raises(DataError, match="A98"):
        load(folder, strict=True)
