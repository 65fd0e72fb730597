"""A stream on a device gives the windows that whole records gave in training."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from edgeecg.data.records import reader
from edgeecg.data.records.beat_classes import BEAT_SYMBOLS
from edgeecg.data.records.reader import Record
from edgeecg.data.windows.annotated import BEATS
from edgeecg.data.windows.beats import beat_windows
from edgeecg.data.windows.filters import design, for_devices
from edgeecg.schema import Preprocessing, Reference, Rhythm
from edgeecg.signal.stream import BeatStream, BeatWindow

SETTINGS = {
    "strip, signal and difference": BEATS,
    "signal alone": Preprocessing(window=96, r_index=40),
    "at the record's rate, two leads": Preprocessing(
        fs_hz=360, window=300, r_index=120, leads=("MLII", "V1"), highpass_hz=None
    ),
    "constants": Preprocessing(
        window=128, r_index=60, normalisation="global-zscore", mean_mv=0.1, deviation_mv=0.4
    ),
    "strip": Preprocessing(window=128, r_index=100, rhythm=Rhythm(over_deviation=True)),
    "difference": Preprocessing(window=128, r_index=30, reference=Reference(beats=4)),
}


def _record(signal_mv: NDArray[np.float64], beats: NDArray[np.int64]) -> Record:
    return Record("made", 360.0, signal_mv, beats, ("N",) * len(beats))


def _streamed(
    record: Record, preprocessing: Preprocessing, size: int, late: int = 0
) -> list[BeatWindow]:
    """Push a record in pieces; report each peak ``late`` samples after its piece."""
    stream = BeatStream(preprocessing, design(preprocessing, record.fs_hz))
    windows: list[BeatWindow] = []
    reported = 0
    for start in range(0, record.signal_mv.shape[1], size):
        known = int(np.searchsorted(record.samples, start + size - late))
        peaks = record.samples[reported:known].tolist()
        reported = max(reported, known)
        windows += stream.push(record.signal_mv[:, start : start + size], peaks)
    windows += stream.push(record.signal_mv[:, :0], record.samples[reported:].tolist())
    windows += stream.finish()
    whole = beat_windows(record, record.samples, preprocessing)
    assert [window.sample for window in windows] == record.samples[whole.reason == ""].tolist()
    streamed = [window.x for window in windows]
    np.testing.assert_array_equal(np.array(streamed).reshape(whole.x.shape), whole.x)
    reasons, counts = np.unique(whole.reason[whole.reason != ""], return_counts=True)
    assert stream.skipped == dict(zip(reasons.tolist(), counts.tolist(), strict=True))
    return windows


def _synthetic(leads: int, samples: int = 9000) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    rng = np.random.default_rng(leads)
    beats = np.cumsum(rng.integers(150, 400, samples // 280))
    beats = beats[beats < samples]
    signal = rng.normal(0, 0.05, (leads, samples))
    signal += np.sin(np.arange(samples) / 400)
    signal[:, beats] += 1.0
    return signal, beats


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize(("size", "late"), [(1, 0), (36, 700), (2000, 0), (9000, 0)])
def test_windows_are_those_of_the_whole_record(name: str, size: int, late: int) -> None:
    preprocessing = SETTINGS[name]
    signal, beats = _synthetic(len(preprocessing.leads), 3000 if size == 1 else 9000)
    assert _streamed(_record(signal, beats), preprocessing, size, late)


@settings(max_examples=40)
@given(
    gaps=st.lists(st.tuples(st.integers(0, 2999), st.integers(1, 400)), max_size=4),
    flat=st.tuples(st.integers(0, 2999), st.integers(0, 900)),
    leading=st.integers(0, 500),
    size=st.integers(1, 3000),
    lead=st.integers(0, 1),
)
def test_beats_on_invalid_or_flat_signal_are_left_out_alike(
    gaps: list[tuple[int, int]], flat: tuple[int, int], leading: int, size: int, lead: int
) -> None:
    preprocessing = BEATS.model_copy(update={"leads": ("MLII", "V1")})
    signal, beats = _synthetic(2, 3000)
    signal[lead, flat[0] : flat[0] + flat[1]] = 0.25
    signal[lead, :leading] = np.nan
    for start, length in gaps:
        signal[lead, start : start + length] = np.nan
    signal[:, 1700] = 1.0  # Each lead has a valid sample.
    record = _record(signal, beats)
    windows = _streamed(record, preprocessing, size)
    whole = beat_windows(record, record.samples, preprocessing)
    assert [window.sample for window in windows] == record.samples[whole.reason == ""].tolist()


def _pushed(signal: NDArray[np.float64]) -> BeatStream:
    stream = BeatStream(BEATS, design(BEATS, 360.0), history_s=1.0)
    stream.push(signal)
    return stream


def test_a_peak_reported_too_late_is_refused() -> None:
    signal, _ = _synthetic(1)
    assert len(_pushed(signal).push(signal[:, :1], [signal.shape[1] - 360])) == 1
    # The window begins 0.39 s before the peak.
    with pytest.raises(ValueError, match="too late"):
        _pushed(signal).push(signal[:, :1], [signal.shape[1] - 3 * 360])


def test_memory_does_not_grow_with_the_length_of_the_stream() -> None:
    signal, _ = _synthetic(1)
    stream = BeatStream(BEATS, design(BEATS, 360.0))
    kept: list[int] = []
    for _ in range(4):
        stream.push(signal)
        kept.append(stream._raw.stop - stream._raw.first)  # pyright: ignore[reportPrivateUsage]
    assert kept[0] == kept[3] < 3000


@pytest.mark.skipif("EDGEECG_DATA" not in os.environ, reason="EDGEECG_DATA is not set")
def test_a_whole_record_of_mit_bih() -> None:
    record = reader.read(Path(os.environ["EDGEECG_DATA"]) / "mitdb", "100", ("MLII",))
    beats = record.samples[np.isin(record.symbols, sorted(BEAT_SYMBOLS))]
    windows = _streamed(_record(record.signal_mv, beats), BEATS, 7200, late=360)
    # 2,273 beats; the first and the last one lie too near the ends.
    assert len(windows) == 2271


DEVICE = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "scipy", "wfdb", "pandas", "sklearn"):
            raise ImportError(f"the device side imported {name}")

sys.meta_path.insert(0, Blocker())
import json
from pathlib import Path
import numpy as np
from edgeecg.schema import FilterCoefficients, Preprocessing
from edgeecg.signal.stream import BeatStream

folder = Path(sys.argv[1])
document = json.loads((folder / "manifest.json").read_text())
preprocessing = Preprocessing.from_document(document["preprocessing"], "manifest")
rates = [FilterCoefficients.from_document(one, "manifest") for one in document["filters"]]
(coefficients,) = [one for one in rates if one.record_fs_hz == 360.0]
stream = BeatStream(preprocessing, coefficients)
given = np.load(folder / "given.npz")
windows = []
for start in range(0, given["signal"].shape[1], 100):
    peaks = [int(beat) for beat in given["beats"] if start <= beat < start + 100]
    windows += stream.push(given["signal"][:, start : start + 100], peaks)
windows += stream.finish()
np.save(folder / "windows.npy", np.array([window.x for window in windows]))
"""


def test_a_device_without_scipy_and_torch_makes_the_same_windows(tmp_path: Path) -> None:
    signal, beats = _synthetic(1)
    np.savez(tmp_path / "given.npz", signal=signal, beats=beats)
    manifest = {
        "preprocessing": BEATS.to_document(),
        "filters": [one.to_document() for one in for_devices(BEATS)],
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    done = subprocess.run(
        [sys.executable, "-c", DEVICE, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    expected = beat_windows(_record(signal, beats), beats, BEATS).x
    np.testing.assert_array_equal(np.load(tmp_path / "windows.npy"), expected)
