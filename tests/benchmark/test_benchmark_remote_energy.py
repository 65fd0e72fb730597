"""A meter beside the device: windows on a host, samples here."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bench_command import SUITE, bench, bench_on
from fake_ssh import FakeSsh

from edgeecg.benchmark import remote
from edgeecg.benchmark.config import BenchConfig
from edgeecg.benchmark.recording import PowerTrace
from edgeecg.devices.clock_offset import Alignment, RoundTrip
from edgeecg.errors import RemoteError
from edgeecg.schema import BenchReport, BenchResult, EnergyWindow

Exported = Callable[[str], Path]


def power(path: Path, seconds: float = 300.0, rate_hz: int = 100) -> Path:
    """Write a recording of 2.5 W with noise of 1 %."""
    noise = np.random.default_rng(0).normal(0.0, 0.025, round(rate_hz * seconds))
    lines = [f"{k / rate_hz},{2.5 + value:.5f}" for k, value in enumerate(noise)]
    path.write_text("\n".join(["t_s,watts", *lines]) + "\n")
    return path


def test_a_meter_beside_the_device_is_cut_at_the_windows_of_the_host(
    ssh: FakeSsh, exported: Exported
) -> None:
    meter = f"replay:{power(Path('power.csv'))}"
    assert bench_on("pi", exported("a"), "--meter", meter, "--json", "out.json") == 0
    (result,) = BenchReport.from_json(Path("out.json").read_text(), "out").results
    energy, clock = result.energy, result.host_clock
    assert energy.meter == "replay"
    assert energy.replayed
    assert energy.windows == 3
    assert energy.idle_w == pytest.approx(2.5, rel=0.01)
    # Idle or busy, it was 2.5 W all the time: nothing is left for the inferences.
    assert energy.tier == "not resolved"
    # Both sides have the same clock here.
    assert clock is not None
    assert abs(clock.offset_s) <= clock.uncertainty_s < 0.1
    busy = [window for window in result.energy_windows if window.inferences]
    assert energy.inferences == sum(window.inferences for window in busy)
    for window in result.energy_windows:
        assert window.ended_s - window.begun_s >= 0.5
    assert not ssh.left()


def test_the_samples_survive_a_lost_host(
    ssh: FakeSsh, exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    meter = f"replay:{power(Path('power.csv'))}"
    config = BenchConfig(on="pi", python=sys.executable, suite="short.toml", meter=meter)

    Path("short.toml").write_text(SUITE.format(seconds=0.3))
    lost: list[str] = []

    def lose(what: str, done: int, total: int) -> None:
        if "energy, window 3" in what and not lost:
            lost.append(what)
            ssh.kill()

    with pytest.raises(RemoteError, match="The connection to pi was lost") as raised:
        remote.measure([exported("a")], config, on_step=lose)
    windows_note, samples_note = raised.value.__notes__
    (kept,) = tmp_path.glob("edgeecg-power-*.f64")
    assert str(kept) in samples_note
    assert kept.stat().st_size >= 16
    # The two windows that had been run, whose times had been sent at once.
    windows = json.loads(kept.with_suffix(".windows.json").read_text())
    assert kept.stem in windows_note
    assert len(windows) == 2
    samples = np.fromfile(kept, "<f8").reshape(-1, 2)
    for window in windows:
        assert samples[0, 0] < window["begun_s"] < window["ended_s"] < samples[-1, 0] + 1.0
    # Every step shows the power of the meter.
    assert lost[0].endswith(" W")
    assert not ssh.left()


def measured_beside(path: Path, *options: str) -> BenchResult:
    """Measure a file on a host, with short windows and a recording as the meter."""
    Path("short.toml").write_text(SUITE.format(seconds=0.3))
    meter = f"replay:{power(Path('power.csv'), 100.0, 1000)}"
    where = ("--on", "pi", "--python", sys.executable, "--suite", "short.toml", "--meter", meter)
    assert bench(path, *where, *options, "--json", "out.json") == 0
    (result,) = BenchReport.from_json(Path("out.json").read_text(), "out").results
    return result


@pytest.mark.system
@pytest.mark.alone
def test_a_target_error_works_with_a_meter_beside(ssh: FakeSsh, exported: Exported) -> None:
    energy = measured_beside(exported("a"), "--target-error", "1%").energy
    # The power never changes, so nothing is left for the inferences, and no interval is narrow
    # enough: ten times the windows of the suite are run.
    assert energy.windows == 30
    assert "After 30 windows" in " ".join(energy.warnings)


@pytest.mark.system
@pytest.mark.alone
def test_a_rate_is_measured_with_a_meter_beside(ssh: FakeSsh, exported: Exported) -> None:
    result = measured_beside(exported("a"), "--rate", "50")
    assert len(result.duty_energy) == len(result.duty_cycle) == 2
    for found in result.duty_energy:
        assert found.meter == "replay"
        assert found.windows == 3
        assert found.idle_w == pytest.approx(2.5, rel=0.02)


def aligned(offset_s: float, drift: float, uncertainty_s: float, reason: str | None) -> Alignment:
    """A host whose clock shows offset + (1 + drift) * time, seen from 0 s to 100 s."""
    first = RoundTrip(0.0, 0.0, offset_s)
    last = RoundTrip(100.0, 100.0, offset_s + (1 + drift) * 100.0)
    return Alignment(first, last, uncertainty_s, reason)


def stepped() -> tuple[list[EnergyWindow], PowerTrace]:
    """Windows on a host's clock, 1000 s ahead and 100 ppm fast, and the power here.

    At 10, 30, 50, 70 s begin 10 s with 1000 inferences at 3 W; in between it is 1 W. So an
    inference takes 20 mJ above the idle power and 30 mJ in all.
    """
    edges = np.arange(0.0, 91.0, 10.0)
    windows = [
        EnergyWindow(
            begun_s=1000.0 + 1.0001 * begun,
            ended_s=1000.0 + 1.0001 * (begun + 10.0),
            inferences=1000 * (k % 2),
        )
        for k, begun in enumerate(edges[:-1].tolist())
    ]
    t_s = np.arange(-1.0, 95.0, 0.01)
    noise = np.random.default_rng(0).normal(0.0, 0.01, t_s.size)
    watts = np.where((t_s // 10.0) % 2 == 1, 3.0, 1.0) + noise
    trace = PowerTrace(
        meter="ppk2",
        zones=("supply",),
        sample_rate_hz=100.0,
        replayed=False,
        t_s=t_s,
        watts=watts,
    )
    return windows, trace


def test_energy_is_cut_on_the_clock_of_the_meter() -> None:
    windows, trace = stepped()
    found = remote.energy_beside(windows, trace, aligned(1000.0, 1e-4, 1e-4, None))
    assert found.tier == "measured"
    assert found.net_j == pytest.approx(20e-3, rel=0.01)
    assert found.idle_w == pytest.approx(1.0, rel=0.01)
    # With a clock that is wrong by one second, a tenth of every window would be missed.
    wrong = remote.energy_beside(windows, trace, aligned(1001.0, 1e-4, 1e-4, None))
    assert wrong.net_j != pytest.approx(20e-3, rel=0.05)


def test_an_uncertain_clock_widens_the_guard_and_not_the_energy() -> None:
    windows, trace = stepped()
    # The windows are placed 0.3 s too late, which the uncertainty allows for.
    found = remote.energy_beside(windows, trace, aligned(999.7, 1e-4, 0.3, None))
    assert found.guard_s >= 0.3
    assert found.net_j == pytest.approx(20e-3, rel=0.01)


def test_a_clock_that_jumped_gives_no_energy() -> None:
    windows, trace = stepped()
    found = remote.energy_beside(windows, trace, aligned(1000.0, 1e-4, 1e-4, "It jumped."))
    assert found.tier == "not measured"
    assert found.reason == "It jumped."
    assert found.net_j is None


def test_a_window_in_which_the_host_throttled_is_left_out() -> None:
    windows, trace = stepped()
    windows[1] = windows[1].model_copy(update={"disturbed": "the processor throttled."})
    found = remote.energy_beside(windows, trace, aligned(1000.0, 1e-4, 1e-4, None))
    assert found.windows == 3
    assert any("throttled" in reason for reason in found.invalid)
