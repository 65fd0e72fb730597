"""The user's folder in PTB-XL's layout: other formats, one rate alone, and bad records."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb
from ptbxl_copies import base, digital_of, rewrite, window_of

from edgeecg.data import DataRequest, Dataset, unlabelled
from edgeecg.data.loading import load_dataset
from edgeecg.data.sources import _synthetic_ptbxl, ptbxl
from edgeecg.errors import DataError

AS_IS = ptbxl.preprocessing().model_copy(
    update={"normalisation": "global-zscore", "mean_mv": 0.0, "deviation_mv": 1.0}
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Fifty records, with each class in each fold."""
    place = tmp_path / "mine"
    place.mkdir()
    _synthetic_ptbxl.generate(place, records=50)
    return place


def load(folder: Path, **settings: Any) -> Dataset:
    """Load a folder as the user's."""
    given: dict[str, Any] = {"preprocessing": AS_IS, **settings}
    return load_dataset(DataRequest(source=str(folder), task="records", **given))


CHANGES: dict[str, dict[str, Any]] = {
    "format 212": {"fmt": ["212"] * 12},
    "format 24": {"fmt": ["24"] * 12},
    "microvolts": {"units": ["uV"] * 12, "adc_gain": [1.0] * 12},
    "a start time": {"base_time": datetime.time(9, 0, 7), "base_date": datetime.date(2020, 1, 1)},
}


@pytest.mark.parametrize("change", CHANGES)
def test_other_kinds_of_records_give_the_same_windows(folder: Path, change: str) -> None:
    digital = np.clip(digital_of(folder, 3), -2000, 2000)
    rewrite(folder, 3, digital)
    expected = window_of(load(folder), 3)
    np.testing.assert_allclose(expected, digital.T / 1000, atol=1e-6)
    rewrite(folder, 3, digital, **CHANGES[change])
    made = load(folder)
    assert not made.summary.left_out
    np.testing.assert_allclose(window_of(made, 3), expected, atol=1e-6)


def test_a_record_at_another_rate_is_resampled(folder: Path) -> None:
    time = np.arange(5000) / 500
    wave = np.rint(1000 * np.sin(2 * np.pi * 3 * time[:, None] + np.arange(12))).astype(np.int64)
    rewrite(folder, 3, wave, fs=500)
    window = window_of(load(folder), 3)
    expected = wave[::5].T / 1000
    np.testing.assert_allclose(window[:, 15:-15], expected[:, 15:-15], atol=5e-3)


def test_bad_records_are_left_out_and_counted(folder: Path) -> None:
    whole = load(folder)
    assert not whole.summary.left_out
    path = base(folder, 5).with_suffix(".dat")
    path.write_bytes(path.read_bytes()[:-2])
    base(folder, 17).with_suffix(".dat").unlink()
    base(folder, 18).with_suffix(".hea").unlink()
    base(folder, 26).with_suffix(".hea").write_text("<html>")
    rewrite(folder, 27, digital_of(folder, 27)[:, :11])
    made = load(folder)
    summary = made.summary
    assert list(summary.left_out) == ["17", "18", "26", "27", "5"]
    assert "holds 23998" in summary.left_out["5"]
    assert "no lead V6" in summary.left_out["27"]
    assert summary.skipped == {"record that cannot be used": 5}
    assert sum(note.startswith("Left out") for note in summary.notes) == 5
    assert sum(len(made.split(part).y) for part in ("train", "val", "test")) == 45
    np.testing.assert_array_equal(window_of(made, 6), window_of(whole, 6))
    assert load(folder).summary == summary
    with pytest.raises(DataError, match="5 records"):
        load(folder, strict=True)


def test_the_same_faults_stop_the_database_itself(folder: Path) -> None:
    base(folder, 17).with_suffix(".dat").unlink()
    with pytest.raises(DataError, match="edgeecg data fetch ptbxl"):
        ptbxl.load_folder(folder, DataRequest(task="records"), None)


def test_without_a_usable_record_the_first_error_is_raised(folder: Path) -> None:
    for path in folder.rglob("*.dat"):
        path.write_bytes(b"")
    with pytest.raises(DataError, match="should hold 24000 bytes"):
        load(folder)
    for path in folder.rglob("*.dat"):
        path.unlink()
    for path in folder.rglob("*.hea"):
        path.unlink()
    with pytest.raises(DataError, match="100 of 100 files"):
        load(folder)


def test_a_folder_with_500_hz_alone_is_resampled(tmp_path: Path) -> None:
    _synthetic_ptbxl.generate(tmp_path, records=50, fs_hz=500)
    made = load(tmp_path)
    assert made.test.x.shape == (5, 12, 1000)
    assert "The records were resampled from 500 Hz to 100 Hz." in made.summary.notes
    name = str(tmp_path / "records500" / "00000" / "00003_hr")
    record: Any = wfdb.rdrecord(name)
    from scipy.signal import resample_poly

    # The same Kaiser-windowed sinc, applied without its delay.
    expected = resample_poly(record.p_signal, 1, 5, axis=0).T
    np.testing.assert_allclose(window_of(made, 3)[:, 15:-15], expected[:, 15:-15], atol=0.02)
    # What is classified is the same window.
    names = unlabelled.names(tmp_path)
    assert len(names) == 50
    assert names[2] == "records500/00000/00003_hr"
    found = unlabelled.load(tmp_path, names[2], AS_IS, {})
    np.testing.assert_allclose(found.x[0], window_of(made, 3), atol=1e-6)


def test_a_folder_with_100_hz_alone_is_no_folder_at_500_hz(folder: Path) -> None:
    with pytest.raises(DataError, match="The 500 Hz records"):
        load(folder, preprocessing=AS_IS.model_copy(update={"fs_hz": 500.0, "window": 5000}))


def test_a_model_is_scored_although_a_fold_lacks_a_class(folder: Path) -> None:
    # Folds 9 and 10 have one record of each class.
    for ecg_id in (9, 10):
        base(folder, ecg_id).with_suffix(".dat").write_bytes(b"")
    summary = load(folder, score_only=True).summary
    assert (summary.beats["val"]["NORM"], summary.beats["test"]["NORM"]) == (0, 0)
    with pytest.raises(DataError, match=r"The val records .* class NORM"):
        load(folder)


def test_a_repaired_record_is_used_although_its_header_is_the_same(folder: Path) -> None:
    path = base(folder, 5).with_suffix(".dat")
    whole = path.read_bytes()
    path.write_bytes(whole[:-2])
    assert list(load(folder).summary.left_out) == ["5"]
    path.write_bytes(whole)
    made = load(folder)
    assert not made.summary.left_out
    assert len(made.train.y) == 40


def test_a_layout_without_records_says_so(tmp_path: Path) -> None:
    _synthetic_ptbxl.generate(tmp_path, records=1)
    for path in tmp_path.rglob("*.hea"):
        path.unlink()
    with pytest.raises(DataError, match="neither records100 nor records500"):
        unlabelled.names(tmp_path)
