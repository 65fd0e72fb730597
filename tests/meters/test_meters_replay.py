from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from readings import collect

from edgeecg import meters
from edgeecg.errors import MeterError
from edgeecg.meters import replay


def recording(path: Path, t_s: list[float], watts: list[float]) -> str:
    rows = "".join(f"{t},{w}\n" for t, w in zip(t_s, watts, strict=True))
    path.write_text(f"t_s,watts\n{rows}")
    return str(path)


def test_samples_come_when_their_time_has_come(tmp_path: Path) -> None:
    # A tenth of a second apart, from any origin; a gap of 0.3 s stays one.
    t_s = [1000.0, 1000.1, 1000.2, 1000.5, 1000.6]
    where = recording(tmp_path / "a file.csv", t_s, [1.0, 2.0, 3.0, 4.0, 5.0])
    begun = time.perf_counter()
    meter = meters.open_meter(f"replay:{where}")
    assert isinstance(meter, replay.ReplayMeter)
    assert meter.replayed
    assert meter.zones == ("a file.csv",)
    assert meter.sample_rate_hz == pytest.approx(4 / 0.6)
    found: list[tuple[float, float]] = []
    while len(found) < 5:
        samples = meter.read()
        now = time.perf_counter()
        assert np.all(samples.t_s <= now)
        found += zip(samples.t_s.tolist(), samples.watts.tolist(), strict=True)
    assert [t - begun for t, _ in found] == pytest.approx([0, 0.1, 0.2, 0.5, 0.6], abs=0.05)
    assert np.diff([t for t, _ in found]) == pytest.approx([0.1, 0.1, 0.3, 0.1], abs=1e-6)
    assert [w for _, w in found] == [1.0, 2.0, 3.0, 4.0, 5.0]
    with pytest.raises(MeterError, match=r"has ended.*0\.6 s"):
        meter.read()


def test_a_fast_recording_is_thinned_to_means_over_a_millisecond(tmp_path: Path) -> None:
    t_s = np.arange(5000) * 1e-4
    where = recording(tmp_path / "fast.csv", t_s.tolist(), (np.arange(5000) % 10.0).tolist())
    meter = replay.open(where)
    assert meter.sample_rate_hz == pytest.approx(1000, rel=0.01)
    found = collect(meter, 0.4)
    # The mean of 0 to 9.
    assert found.watts == pytest.approx(4.5)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ("", "first line"),
        ("time;watts\n0;1\n1;1\n", "first line"),
        ("t_s,watts\n", "fewer than two"),
        ("t_s,watts\n0,1\n", "fewer than two"),
        ("t_s,watts\n0,1\n1,5,2\n", "Line 3"),
        ("t_s,watts\n0,1\n0.0001,1\n0.0002,1\n", "shorter than two milliseconds"),
        ("t_s,watts\n0,1\n1\n", "Line 3"),
        ("t_s,watts\n0,1\n1,1 W\n", "Line 3"),
        ("t_s,watts\n0,1\n1,nan\n", "not finite"),
        ("t_s,watts\n0,1\n0,1\n", "not later"),
        ("t_s,watts\n1,1\n0,1\n", "not later"),
        (200_000 * "1", "Line 1 cannot be read: field larger"),
        ("t_s,watts\n0,1\n1," + 200_000 * "1", "Line 3 cannot be read: field larger"),
    ],
)
def test_a_file_that_is_no_recording_is_refused(tmp_path: Path, content: str, cause: str) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(content)
    with pytest.raises(MeterError, match=cause):
        replay.open(str(path))


def test_a_missing_file_and_no_file_are_explained(tmp_path: Path) -> None:
    with pytest.raises(MeterError, match="No such file"):
        replay.open(str(tmp_path / "absent.csv"))
    with pytest.raises(MeterError, match=r"replay:FILE\.csv"):
        replay.open()


def test_a_recording_of_a_spreadsheet_has_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text("t_s,watts\n0,1\n1,2\n", encoding="utf-8-sig")
    assert replay.open(str(path)).sample_rate_hz == 1.0
