"""PTB-XL: what is read is what wfdb reads, with the classes that the tables give."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import wfdb
from hypothesis import HealthCheck, given, settings, strategies as st
from ptbxl_copies import SPLITS, base, digital_of, error_of, load, rewrite, set_cell, window_of

from edgeecg.data import DataRequest, load_dataset
from edgeecg.data.sources import _ptbxl_index, _synthetic_ptbxl, ptbxl
from edgeecg.data.sources.ptbxl import LEADS
from edgeecg.errors import DataError
from edgeecg.schema import Preprocessing

REAL = os.environ.get("EDGEECG_DATA")


def test_windows_are_the_millivolts_over_the_training_folds_mean_and_deviation(
    folder: Path,
) -> None:
    made = load(folder)
    table = pd.read_csv(folder / "ptbxl_database.csv").set_index("ecg_id")
    signals = {n: digital_of(folder, n) / 1000 for n in table.index}
    fold: dict[int, int] = table["strat_fold"].to_dict()
    patient: dict[int, float] = table["patient_id"].to_dict()
    training = np.stack([signals[n] for n in table.index if fold[n] <= 8])
    assert made.preprocessing.normalisation == "global-zscore"
    assert made.preprocessing.mean_mv == pytest.approx(training.mean(), abs=1e-12)
    assert made.preprocessing.deviation_mv == pytest.approx(training.std(), rel=1e-12)
    for split, folds in zip(SPLITS, [range(1, 9), [9], [10]], strict=True):
        windows = made.split(split)
        wanted = [n for n in table.index if fold[n] in folds]
        assert windows.record.tolist() == [str(n) for n in wanted]
        assert windows.patient.tolist() == [str(int(patient[n])) for n in wanted]
        assert windows.x.dtype == np.float32
        assert windows.y.dtype == np.float32
        expected = (np.stack([signals[n] for n in wanted]) - training.mean()) / training.std()
        np.testing.assert_allclose(windows.x, expected.transpose(0, 2, 1), rtol=0, atol=1e-5)


def test_first_from_the_records_then_from_a_read_only_map(folder: Path) -> None:
    seen: list[tuple[int, int]] = []
    request = DataRequest(task="records")
    first = ptbxl.load_folder(folder, request, lambda done, of: seen.append((done, of)))
    assert seen[-1] == (50, 50)
    assert seen == sorted(seen)
    seen.clear()
    second = ptbxl.load_folder(folder, request, lambda done, of: seen.append((done, of)))
    assert seen == []
    assert second.summary == first.summary
    assert second.preprocessing == first.preprocessing
    for split in SPLITS:
        for name in ("x", "y", "record", "patient", "sample"):
            ours, theirs = getattr(first.split(split), name), getattr(second.split(split), name)
            np.testing.assert_array_equal(ours, theirs)
        assert isinstance(second.split(split).x, np.memmap)
        assert not second.split(split).x.flags.writeable


def test_a_record_may_have_several_classes_and_the_likelihood_counts_when_asked(
    folder: Path,
) -> None:
    set_cell(folder, 1, "scp_codes", "{'IMI': 80, 'LVH': 0.0, 'SR': 0.0}")
    set_cell(folder, 11, "scp_codes", "{'NORM': 50.0}")
    of_one = {
        limit: load(folder, min_likelihood=limit).train.y[0].tolist() for limit in (0.0, 50, 80)
    }
    assert of_one == {0.0: [0, 1, 0, 0, 1], 50: [0, 1, 0, 0, 0], 80: [0, 1, 0, 0, 0]}
    made = load(folder, min_likelihood=51.0)
    assert "11" not in made.train.record
    assert made.summary.skipped["no superclass"] == 1
    assert "A diagnostic statement counts from a likelihood of 51 %." in made.summary.notes


def test_records_without_a_superclass_are_left_out_and_counted(folder: Path) -> None:
    set_cell(folder, 1, "scp_codes", "{'SR': 0.0}")
    set_cell(folder, 2, "scp_codes", "{}")
    made = load(folder)
    assert made.summary.skipped == {"no superclass": 2}
    assert sum(len(made.split(split).y) for split in SPLITS) == 48


def test_a_part_says_that_it_is_one(folder: Path) -> None:
    assert "A part of PTB-XL: 50 of 21,799 records" in load(folder).summary.notes[0]


def test_constants_of_a_trained_model_are_used_as_they_are(folder: Path) -> None:
    made = load(folder)
    card = ptbxl.preprocessing().to_document() | {
        "normalisation": "global-zscore",
        "mean_mv": 0.5,
        "deviation_mv": 2.0,
    }
    wanted = Preprocessing.from_document(card, "card")
    given_ones = load(folder, preprocessing=wanted)
    assert given_ones.preprocessing == wanted
    expected = (digital_of(folder, 1).T / 1000 - 0.5) / 2
    np.testing.assert_allclose(window_of(given_ones, 1), expected, atol=1e-6)
    # The constants a model was trained with lead back to the windows it was trained on.
    again = load(folder, preprocessing=made.preprocessing)
    assert again.summary == made.summary
    assert given_ones.summary.content_sha256 != made.summary.content_sha256


def test_leads_are_found_by_name_in_any_order_and_case(folder: Path) -> None:
    expected = window_of(load(folder), 3)
    order = [5, 0, 11, 2, 1, 3, 4, 10, 9, 8, 7, 6]
    names = [LEADS[i].replace("AV", "aV") for i in order]
    rewrite(folder, 3, digital_of(folder, 3)[:, order], sig_name=names)
    np.testing.assert_allclose(window_of(load(folder), 3), expected, atol=1e-6)


def test_leads_may_have_other_names(folder: Path) -> None:
    expected = window_of(load(folder), 3)
    for ecg_id in range(1, 51):
        header = base(folder, ecg_id).with_suffix(".hea")
        header.write_text(header.read_text().replace(" 0 V1\n", " 0 C1\n"))
    assert "no lead V1" in error_of(folder)
    np.testing.assert_array_equal(window_of(load(folder, leads={"V1": "C1"}), 3), expected)


def test_gain_and_baseline_of_each_lead_are_its_own(folder: Path) -> None:
    expected = window_of(load(folder), 3)
    gains, baselines = [1000.0] * 12, [0] * 12
    gains[4], baselines[4] = 500.0, 100
    digital = digital_of(folder, 3)
    digital[:, 4] = digital[:, 4] // 2 + 100
    rewrite(folder, 3, digital, adc_gain=gains, baseline=baselines)
    deviation_mv = load(folder).preprocessing.deviation_mv
    assert deviation_mv is not None
    np.testing.assert_allclose(window_of(load(folder), 3), expected, atol=0.003 / deviation_mv)


def test_a_causal_high_pass_is_applied_when_asked_for(folder: Path) -> None:
    wanted = ptbxl.preprocessing().model_copy(update={"highpass_hz": 0.5})
    made = load(folder, preprocessing=wanted)
    assert made.preprocessing.highpass_hz == 0.5
    centred = made.train.x.mean(axis=2)
    assert np.abs(centred).mean() < np.abs(load(folder).train.x.mean(axis=2)).mean() / 3


def test_500_hz(tmp_path: Path) -> None:
    _synthetic_ptbxl.generate(tmp_path, records=50, fs_hz=500)
    made = load(tmp_path, preprocessing=ptbxl.preprocessing(500))
    assert made.train.x.shape == (40, 12, 5000)
    assert made.preprocessing.fs_hz == 500
    base(tmp_path, 1).parent.mkdir(parents=True)
    base(tmp_path, 1).with_suffix(".hea").touch()
    why = error_of(tmp_path)
    assert "The 100 Hz records" in why
    assert "99 of 100 files" in why
    assert "records100/00000/00001_lr.dat" in why


def test_short_nan_and_flat_records_are_left_out_and_counted(folder: Path) -> None:
    rewrite(folder, 1, digital_of(folder, 1)[:999])
    invalid = digital_of(folder, 2)
    invalid[500, 7] = -32768
    rewrite(folder, 2, invalid)
    for ecg_id in (3, 4):
        flat = digital_of(folder, ecg_id)
        flat[:, 10] = 12
        rewrite(folder, ecg_id, flat)
    made = load(folder)
    assert made.summary.skipped == {"flat lead": 2, "NaN lead": 1, "too short": 1}
    assert {"1", "2", "3", "4"}.isdisjoint(made.train.record)
    assert np.isfinite(made.train.x).all()
    assert load(folder).summary == made.summary


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    likelihoods=st.dictionaries(
        st.sampled_from(["NORM", "AMI", "IMI", "ISC_", "CRBBB", "LVH", "SR"]),
        st.floats(0, 100) | st.integers(0, 100),
    ),
    limit=st.sampled_from([0.0, 35.0, 100.0]),
)
def test_labels_are_what_the_statements_say(
    folder: Path, likelihoods: dict[str, float], limit: float
) -> None:
    superclass = {
        "NORM": "NORM",
        "AMI": "MI",
        "IMI": "MI",
        "ISC_": "STTC",
        "CRBBB": "CD",
        "LVH": "HYP",
    }
    set_cell(folder, 1, "scp_codes", repr(likelihoods))
    expected = {
        superclass[name]
        for name, value in likelihoods.items()
        if value >= limit and name in superclass
    }
    index = _ptbxl_index.read(folder, "filename_lr", limit)
    assert ("1" in index.record) == bool(expected)
    if expected:
        assert {c for c, on in zip(ptbxl.CLASSES, index.y[0], strict=True) if on} == expected


def test_a_patient_may_be_in_two_training_folds(folder: Path) -> None:
    set_cell(folder, 1, "patient_id", "777.0")
    set_cell(folder, 2, "patient_id", "777.0")
    assert load(folder).train.patient.tolist()[:2] == ["777", "777"]


def test_a_record_that_will_not_be_used_need_not_be_there(folder: Path) -> None:
    set_cell(folder, 5, "scp_codes", "{'SR': 0.0}")
    base(folder, 5).with_suffix(".dat").unlink()
    assert len(load(folder).train.y) == 39


def test_a_link_inside_the_folder_is_fine(folder: Path) -> None:
    path = base(folder, 5).with_suffix(".dat")
    path.rename(folder / "object")
    path.symlink_to(folder / "object")
    assert len(load(folder).train.y) == 40


# The whole of the official part that tests may use; its counts were taken with pandas alone.
@pytest.mark.skipif(not REAL, reason="needs the PTB-XL records: set EDGEECG_DATA")
def test_real_records() -> None:
    made = load_dataset(DataRequest(source="ptbxl", task="records"))
    summary = made.summary
    table = pd.read_csv(Path(str(REAL)) / "ptbxl" / "ptbxl_database.csv")
    if len(table) != 2980:
        pytest.skip("needs the part of PTB-XL with 2,980 records")
    assert summary.source == "ptbxl"
    assert summary.skipped == {"no superclass": 60}
    assert {split: len(made.split(split).y) for split in SPLITS} == {
        "train": 2279,
        "val": 320,
        "test": 321,
    }
    assert summary.beats == {
        "train": {"NORM": 1123, "MI": 516, "STTC": 541, "CD": 457, "HYP": 271},
        "val": {"NORM": 156, "MI": 68, "STTC": 75, "CD": 74, "HYP": 35},
        "test": {"NORM": 150, "MI": 79, "STTC": 84, "CD": 69, "HYP": 38},
    }
    assert summary.train_records == tuple(f"fold {n}" for n in range(1, 9))
    assert (summary.val_records, summary.test_records) == (("fold 9",), ("fold 10",))
    assert "A part of PTB-XL: 2,980 of 21,799 records" in summary.notes[0]
    assert "10.13026/kfzx-aw45" in summary.licence
    mean_mv, deviation_mv = made.preprocessing.mean_mv, made.preprocessing.deviation_mv
    assert mean_mv is not None
    assert deviation_mv is not None
    assert float(made.train.x.mean(dtype=np.float64)) == pytest.approx(0, abs=1e-6)
    assert float(made.train.x.std(dtype=np.float64)) == pytest.approx(1, abs=1e-6)
    paths = table.set_index("ecg_id")["filename_lr"]
    for ecg_id in (int(made.split(split).record[0]) for split in SPLITS):
        record: Any = wfdb.rdrecord(str(Path(str(REAL)) / "ptbxl" / paths[ecg_id]))
        signal_mv = window_of(made, ecg_id) * deviation_mv + mean_mv
        np.testing.assert_allclose(signal_mv, record.p_signal.T, atol=1e-5)


@pytest.mark.skipif(not REAL, reason="needs the PTB-XL records: set EDGEECG_DATA")
def test_500_hz_files_that_were_not_fetched_are_missed() -> None:
    present = list((Path(str(REAL)) / "ptbxl" / "records500").rglob("*.dat"))
    if len(present) != 20:
        pytest.skip("needs the part of PTB-XL with 20 records at 500 Hz")
    request = DataRequest(source="ptbxl", task="records", preprocessing=ptbxl.preprocessing(500))
    with pytest.raises(DataError) as caught:
        load_dataset(request)
    assert "The 500 Hz records" in caught.value.what
    assert "files that the table names are missing, the first is 'records500/" in caught.value.why
    assert "edgeecg data fetch ptbxl --rate 500" in caught.value.todo
