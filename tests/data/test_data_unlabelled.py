"""Records that nobody has annotated: the same windows, from peaks that a detector finds."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb
from numpy.typing import NDArray

from edgeecg.data import DataRequest, unlabelled
from edgeecg.data.records import reader
from edgeecg.data.sources import _folder, _synthetic_beats, ptbxl
from edgeecg.data.unlabelled import detect
from edgeecg.errors import DataError
from edgeecg.schema import Preprocessing

WriteRecord = Callable[..., Path]
BEATS = Preprocessing()


@pytest.fixture
def generated(tmp_path: Path) -> Path:
    """One synthetic record of a minute, leads MLII and V1."""
    path = tmp_path / "own"
    path.mkdir()
    _synthetic_beats.generate(path, seed=5, names=("s1",), duration_s=60)
    return path


def test_annotated_beats_give_the_windows_that_evaluation_sees(generated: Path) -> None:
    found = unlabelled.load(generated, "s1", BEATS, {})
    scored = _folder.load_everything(generated, DataRequest(preprocessing=BEATS), None)
    inside = np.isin(found.sample, scored.test.sample)
    assert found.peaks == "annotations"
    np.testing.assert_array_equal(found.x[inside], scored.test.x)
    assert len(found.x) == len(scored.test.y) + len(scored.outside["test"].y)


def _share(wanted: NDArray[np.int64], among: NDArray[np.int64]) -> float:
    """Share of positions that have another within 100 ms."""
    apart = np.abs(wanted[:, None] - among[None]).min(axis=1)
    return float(np.mean(apart < 36))


def test_without_annotations_the_detector_finds_the_beats(generated: Path) -> None:
    known = np.asarray(wfdb.rdann(str(generated / "s1"), "atr").sample, np.int64)
    (generated / "s1.atr").unlink()
    found = unlabelled.load(generated, "s1", BEATS, {})
    assert found.peaks == "detected"
    assert found.x.shape == (len(found.sample), 1, 256)
    assert _share(found.sample, known) > 0.98
    assert _share(known[4:-4], found.sample) > 0.98


@pytest.mark.parametrize("fs", [1000, 2000, 5000])
def test_the_detector_works_at_high_rates(generated: Path, fs: int) -> None:
    record: Any = wfdb.rdrecord(str(generated / "s1"))
    slow = np.arange(record.sig_len) / 360
    fast = np.arange(round(slow[-1] * fs)) / fs
    signal_mv = np.interp(fast, slow, record.p_signal[:, 0])[None]
    known = np.asarray(wfdb.rdann(str(generated / "s1"), "atr").sample, np.int64)
    at_360 = detect(reader.read(generated, "s1", ("MLII",), strict=False))
    none = np.zeros(0, np.int64)
    found = detect(reader.Record("fast", float(fs), signal_mv, none, ()))
    assert _share(found * 360 // fs, known) > 0.95
    # As many as at the rate of the record, at the same places.
    assert abs(len(found) - len(at_360)) <= 2
    assert _share(at_360, found * 360 // fs) > 0.95


def test_annotations_of_the_rhythm_alone_do_not_silence_the_detector(generated: Path) -> None:
    (generated / "s1.atr").unlink()
    bare = unlabelled.load(generated, "s1", BEATS, {})
    at = np.array([20, 5000])
    notes = ["(N", "(AFIB"]
    wfdb.wrann("s1", "atr", at, symbol=["+", "+"], aux_note=notes, write_dir=str(generated))
    found = unlabelled.load(generated, "s1", BEATS, {})
    assert found.peaks == "detected"
    np.testing.assert_array_equal(found.sample, bare.sample)
    assert len(found.sample) > 40


def test_a_record_without_a_beat_says_so(tmp_path: Path, write_record: WriteRecord) -> None:
    drift = 1024 + np.arange(3600)[:, None] // 10 * np.ones((1, 2), np.int64)
    path = write_record("a", digital=drift)
    (path / "a.atr").unlink()
    found = unlabelled.load(path, "a", BEATS, {})
    assert found.peaks == "detected"
    assert (len(found.x), found.skipped) == (0, {})
    assert found.why_empty == "no beats found"


def test_annotations_outside_the_record_are_counted(generated: Path) -> None:
    annotation: Any = wfdb.rdann(str(generated / "s1"), "atr")
    at = np.append(annotation.sample, [21_600, 22_000])  # The record has 21,600 samples.
    symbols = [*annotation.symbol, "N", "V"]
    before = unlabelled.load(generated, "s1", BEATS, {})
    wfdb.wrann("s1", "atr", at, symbol=symbols, write_dir=str(generated))
    found = unlabelled.load(generated, "s1", BEATS, {})
    assert found.skipped["annotation outside the record"] == 2
    np.testing.assert_array_equal(found.x, before.x)


@pytest.mark.skipif("EDGEECG_DATA" not in os.environ, reason="EDGEECG_DATA is not set")
def test_the_detector_finds_the_beats_of_a_clean_real_record() -> None:
    whole = reader.read(Path(os.environ["EDGEECG_DATA"]) / "mitdb", "100", ("MLII",))
    minute = dataclasses.replace(whole, signal_mv=whole.signal_mv[:, : 60 * 360])
    found = detect(minute)
    beats = whole.samples[1:]  # The first annotation says which rhythm it is.
    known = beats[(beats > 360) & (beats < 59 * 360)]
    assert _share(found, beats) == 1.0
    assert _share(known, found) == 1.0


def test_a_renamed_lead(generated: Path) -> None:
    (generated / "s1.atr").unlink()
    header = generated / "s1.hea"
    header.write_text(header.read_text().replace("MLII", "II"))
    with pytest.raises(DataError, match="--leads MLII=II"):
        unlabelled.load(generated, "s1", BEATS, {})
    assert len(unlabelled.load(generated, "s1", BEATS, {"MLII": "II"}).x)


def test_a_short_record_gives_nothing_and_says_why(write_record: WriteRecord) -> None:
    ramp = np.arange(600)
    digital = np.stack([1024 + ramp, 1024 - ramp], axis=1)
    path = write_record("a", digital=digital, annotated=[300], symbols=["N"])
    found = unlabelled.load(path, "a", BEATS, {})
    assert found.x.shape == (0, 1, 256)
    assert found.skipped == {"record shorter than one window": 1}
    assert found.why_empty == "record shorter than one window"


def _twelve(path: Path, name: str, fs: int, seconds: float = 10) -> None:
    time = np.arange(round(fs * seconds)) / fs
    signal = np.stack([np.sin(2 * np.pi * time + lead) for lead in range(12)], axis=1)
    wfdb.wrsamp(
        name,
        fs=fs,
        units=["mV"] * 12,
        sig_name=["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"],
        p_signal=signal,
        fmt=["16"] * 12,
        adc_gain=[10000] * 12,
        baseline=[0] * 12,
        write_dir=str(path),
    )


def test_a_whole_record_at_another_rate_is_the_same_window(tmp_path: Path) -> None:
    _twelve(tmp_path, "slow", 100)
    _twelve(tmp_path, "fast", 500)
    wanted = ptbxl.preprocessing().model_copy(
        update={"normalisation": "global-zscore", "mean_mv": 0.0, "deviation_mv": 1.0}
    )
    slow, fast = (unlabelled.load(tmp_path, name, wanted, {}) for name in ("slow", "fast"))
    assert slow.x.shape == fast.x.shape == (1, 12, 1000)
    assert slow.peaks == "none needed"
    # The resampler starts and ends in nothing: the first and last tenth of a second differ.
    np.testing.assert_allclose(fast.x[:, :, 15:-15], slow.x[:, :, 15:-15], atol=5e-3)
    _twelve(tmp_path, "short", 100, seconds=9.9)
    assert unlabelled.load(tmp_path, "short", wanted, {}).skipped == {
        "record shorter than one window": 1
    }
