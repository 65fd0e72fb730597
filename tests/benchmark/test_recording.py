"""A power meter is recorded in a process of its own, which may die, and samples survive."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from edgeecg.benchmark import energy_measurement, energy_windows, latency, recording
from edgeecg.benchmark.clock import Clock
from edgeecg.benchmark.energy_measurement import WindowPlan
from edgeecg.errors import MeterError, UnknownNameError
from edgeecg.schema import Suite

METER = '''
import io, os, time
import numpy as np
from edgeecg.errors import MeterError
from edgeecg.meters import Samples

SAMPLED = True


class Clamp:
    """2 W, and 3 W while the file BUSY exists; 200 samples a second."""

    name = "clamp"
    zones = ("supply",)
    sample_rate_hz = 200.0
    replayed = True
    max_watts = 50.0

    def __init__(self, where):
        self.where = where
        self.reads = 0

    def read(self):
        time.sleep(0.005)
        self.reads += 1
        if self.where == "unplugged" and self.reads > 20:
            raise MeterError("The meter is gone.", "It was unplugged.", "Plug it in.")
        if self.where == "dies" and self.reads > 20:
            os._exit(3)
        watts = 3.0 if os.path.exists(os.environ["BUSY"]) else 2.0
        lost = 1 if self.where == "loses" and self.reads == 10 else 0
        if self.where == "prints":
            os.write(1, b'{"error": "printed"}\\n' if self.reads == 10 else b"reading... ")
        if self.where == "absurd" and self.reads == 10:
            watts = 9.8e6
        return Samples(np.array([time.perf_counter()]), np.array([watts]), lost, ("Calibrated.",))

    def close(self):
        pass


def open(where=None):
    if where == "absent":
        raise MeterError("There is no clamp.", "Nothing is plugged in.", "Plug it in.")
    if where == "slow":
        with io.open(os.environ["BUSY"], "w") as pipe:
            pipe.write(str(os.getpid()))
        time.sleep(60)
    if where == "prints":
        print("Clamp library 1.0")
        os.write(1, b"calibrating... ")
    return Clamp(where)
'''


@pytest.fixture(autouse=True)
def busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package with a power meter; returns the file that makes it show 3 W."""
    package = tmp_path / "installed"
    info = package / "extra_clamp-1.0.dist-info"
    info.mkdir(parents=True)
    (package / "extra_clamp.py").write_text(METER)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: extra-clamp\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[edgeecg.meters]\nclamp = extra_clamp\n")
    monkeypatch.syspath_prepend(package)
    monkeypatch.setenv("PYTHONPATH", str(package), prepend=":")
    monkeypatch.setenv("BUSY", str(tmp_path / "busy"))
    return tmp_path / "busy"


def wait_for(recorder: recording.Recorder, samples: int) -> None:
    deadline = time.monotonic() + 20
    while recorder.trace().t_s.size < samples and recorder.trace().error is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_samples_are_on_this_processs_clock(tmp_path: Path) -> None:
    begun = time.perf_counter()
    with recording.recording("clamp", tmp_path / "kept.f64") as recorder:
        wait_for(recorder, 30)
        assert recorder.latest_watts() == 2.0
    trace = recorder.trace()
    assert (trace.meter, trace.zones, trace.sample_rate_hz) == ("clamp", ("supply",), 200.0)
    assert trace.replayed
    assert begun < trace.t_s[0] < trace.t_s[-1] < time.perf_counter()
    assert np.all(np.diff(trace.t_s) > 0)
    assert trace.remarks == ("Calibrated.",)
    assert trace.error is None
    assert (tmp_path / "kept.f64").stat().st_size == 16 * trace.t_s.size


@pytest.mark.parametrize(("where", "words"), [("unplugged", "unplugged"), ("dies", "ended")])
def test_a_meter_that_goes_away_leaves_its_samples(where: str, words: str) -> None:
    with recording.recording(f"clamp:{where}") as recorder:
        wait_for(recorder, 1000)
        trace = recorder.trace()
    assert trace.t_s.size == 20
    assert trace.error is not None
    assert words in trace.error


def test_lost_and_absurd_samples_are_counted() -> None:
    with recording.recording("clamp:loses") as recorder:
        wait_for(recorder, 20)
        assert recorder.trace().lost == 1
    with recording.recording("clamp:absurd") as recorder:
        wait_for(recorder, 20)
        assert recorder.trace().dropped == 1
        assert recorder.trace().watts.max() == 2.0


def test_what_a_library_prints_is_no_event() -> None:
    with recording.recording("clamp:prints") as recorder:
        wait_for(recorder, 20)
        trace = recorder.trace()
    assert trace.error is None
    assert trace.remarks == ("Calibrated.",)


def test_an_interruption_while_a_meter_is_opened_ends_its_process(busy: Path) -> None:
    os.mkfifo(busy)
    pids: list[int] = []

    def interrupt() -> None:
        pids.append(int(busy.read_text()))
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt), recording.recording("clamp:slow"):
        pass
    left = [pid for pid in pids if psutil.pid_exists(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert pids
    assert not left


def test_an_interruption_keeps_the_file_and_says_where() -> None:
    def interrupted() -> None:
        with recording.recording("clamp") as recorder:
            wait_for(recorder, 5)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        interrupted()
    (note,) = caught.value.__notes__
    found = re.search(r"'([^']+\.f64)'", note)
    assert found is not None
    path = Path(found[1])
    assert path.stat().st_size >= 5 * 16
    path.unlink()


def test_a_meter_that_cannot_be_opened_leaves_no_file(tmp_path: Path) -> None:
    with (
        pytest.raises(MeterError, match=r"no clamp.*Nothing is plugged in.*Plug it in"),
        recording.recording("clamp:absent", tmp_path / "never.f64"),
    ):
        pass
    with pytest.raises(UnknownNameError, match="clamp"), recording.recording("clmp"):
        pass


def test_a_meter_that_counts_energy_is_not_recorded() -> None:
    with pytest.raises(MeterError), recording.recording("rapl"):
        pass


def test_a_measurement_with_a_recorded_meter(busy: Path, suite: Suite) -> None:
    short = suite.model_copy(
        update={"energy_windows": 3, "energy_window_seconds": 1.0, "idle_window_seconds": 1.0}
    )

    def inference() -> None:
        busy.touch()
        time.sleep(0.01)

    def rest(seconds: float) -> None:
        busy.unlink(missing_ok=True)
        time.sleep(seconds)

    said: list[str] = []
    clock = Clock(sleep=rest)
    run = energy_windows.in_this_process(inference, clock)
    plan = WindowPlan(run, short, clock, on_window=said.append)
    found = energy_measurement.measure("clamp", plan)
    assert found.energy.tier == "measured"
    assert found.energy.meter == "clamp"
    net_w = (found.energy.net_j or 0.0) * found.energy.inferences / 3
    assert net_w == pytest.approx(1.0, rel=0.1)
    assert any(re.fullmatch(r"energy, window 2 of 3, \d(\.\d+)? W", text) for text in said)


def test_a_meter_that_is_too_slow_for_the_windows_is_refused_before_the_first_one(
    suite: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    # At 200 samples a second the guard is 50 ms; idle windows of three times that are the least.
    short = suite.model_copy(update={"idle_window_seconds": 0.14})
    clock = Clock()
    said: list[str] = []
    run = energy_windows.in_this_process(lambda: None, clock)
    plan = WindowPlan(run, short, clock, on_window=said.append)
    with pytest.raises(MeterError, match="too slow for windows of this length"):
        energy_measurement.measure("clamp", plan)
    assert said == []
    assert not list(tmp_path.glob("edgeecg-power-*"))


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="There is no other processor.")
def test_a_meter_is_not_read_on_the_processor_that_measures() -> None:
    # Other tests may have left helpers of Python's own running.
    others = psutil.Process().children()
    # The process that reads it is started by a thread that is bound.
    with latency.undisturbed(threads=1) as cpu, recording.recording("clamp", cpu=cpu):
        (recorder,) = (each for each in psutil.Process().children() if each not in others)
        assert cpu is not None
        assert cpu not in recorder.cpu_affinity()
