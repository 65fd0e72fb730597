"""Annotated R peaks can be moved by the rule for detected ones; by default they are not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import wfdb

from edgeecg.data import DataRequest, unlabelled
from edgeecg.data.records import reader
from edgeecg.data.sources import _folder
from edgeecg.data.windows.annotated import BEATS
from edgeecg.data.windows.beats import beat_windows
from edgeecg.models import architecture
from edgeecg.schema import Preprocessing

RECENTRED = BEATS.model_copy(update={"recentre_peaks": True})


def test_training_shifts_windows_further_than_detected_peaks_lie() -> None:
    results = Path(__file__).parents[2] / "benchmarks/results/detection.jsonl"
    rows = [json.loads(line) for line in results.read_text().splitlines()]
    (ours,) = [
        row for row in rows if row.get("detector") == "edgeecg" and row.get("records") == "all 48"
    ]
    largest_ms = 1e3 * architecture("resnet1d_attn").RECIPE.augmentation.shift / BEATS.fs_hz
    # Shifts are equally distributed: their deviation is the largest one over the root of 3.
    assert largest_ms / 3**0.5 > 2 * ours["offset_std_ms"]
    assert largest_ms > 20
    assert ours["fraction_beyond_20_ms"] < 0.04


@pytest.fixture
def late(tmp_path: Path) -> Path:
    """Pulses of 1 mV a second apart, annotated 25 ms (9 samples) late."""
    pulses = np.arange(360, 360 * 29, 360)
    signal = np.random.default_rng(0).normal(0, 0.01, (360 * 30, 1))
    signal[pulses] += 1.0
    wfdb.wrsamp(
        "a",
        fs=360,
        units=["mV"],
        sig_name=["MLII"],
        p_signal=signal,
        fmt=["16"],
        write_dir=str(tmp_path),
    )
    symbols = ["N"] * len(pulses)
    wfdb.wrann("a", "atr", pulses + 9, symbol=symbols, write_dir=str(tmp_path))
    return tmp_path


def test_windows_are_cut_around_the_moved_peak_and_labels_stay(late: Path) -> None:
    as_annotated = _folder.load_everything(late, DataRequest(preprocessing=BEATS), None).test
    moved = _folder.load_everything(late, DataRequest(preprocessing=RECENTRED), None).test
    np.testing.assert_array_equal(moved.sample, as_annotated.sample)
    np.testing.assert_array_equal(moved.y, as_annotated.y)
    record = reader.read(late, "a", ("MLII",), strict=False)
    expected = beat_windows(record, record.samples - 9, BEATS)
    np.testing.assert_array_equal(moved.x, expected.x)
    assert BEATS.r_index is not None
    assert {int(peak) for peak in moved.x[:, 0, 64:160].argmax(axis=1)} == {BEATS.r_index - 64}
    # 9 samples at 360 Hz are 3.2 samples at 128 Hz.
    assert {int(peak) for peak in as_annotated.x[:, 0, 64:160].argmax(axis=1)} <= {46, 47}


def test_classifying_annotated_records_moves_the_peaks_too(late: Path) -> None:
    as_annotated = unlabelled.load(late, "a", BEATS, {})
    moved = unlabelled.load(late, "a", RECENTRED, {})
    np.testing.assert_array_equal(moved.sample, as_annotated.sample - 9)


def test_the_default_is_not_written_so_that_hashes_of_older_windows_stay() -> None:
    assert "recentre_peaks" not in BEATS.to_document()
    assert RECENTRED.to_document()["recentre_peaks"] is True
    for each in (BEATS, RECENTRED):
        assert Preprocessing.from_document(each.to_document(), "a test") == each


def test_records_without_beats_have_no_peaks_to_move() -> None:
    with pytest.raises(ValueError, match="recentre_peaks"):
        Preprocessing(r_index=None, recentre_peaks=True)
