"""Calibrating a device, with a simulated runtime of known costs and with the real one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from simulated_time import SimulatedTime

from edgeecg import meters, resources
from edgeecg.benchmark.calibration import measure
from edgeecg.benchmark.config import CalibrationConfig
from edgeecg.cli import run
from edgeecg.costs.calibration import moved_bytes
from edgeecg.costs.counting import count
from edgeecg.devices import throttling
from edgeecg.runtimes import Profile, litert, onnxruntime
from edgeecg.schema import BenchReport, LayerCost, Suite

FIXED, PER_MAC, PER_BYTE = 3e-6, {"float32": 5e-11, "int8": 2e-11}, 1e-10
IDLE_W, BUSY_W = 2.0, 5.0


def seconds(layers: Sequence[LayerCost]) -> float:
    macs = sum(PER_MAC[layer.dtype] * layer.macs for layer in layers)
    return FIXED + macs + PER_BYTE * moved_bytes(layers)


@dataclass
class Session:
    """A file that takes its time of the simulated clock."""

    time: SimulatedTime
    seconds: float
    meter: SimulatedCounter | None
    noise: np.random.Generator
    input_shape: tuple[int, ...] = (1,)
    dtype: str = "float32"

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        return x

    def invoke(self) -> None:
        spent = self.seconds * (1 + 0.02 * self.noise.standard_normal())
        self.time.pass_by(spent)
        if self.meter is not None:
            self.meter.busy_j += (BUSY_W - IDLE_W) * spent

    def manifest_json(self) -> None:
        return None


class SimulatedCounter:
    """A meter that counts the energy of a machine with these powers."""

    name, zones, sample_rate_hz, replayed = "simulated", ("all",), None, True

    def __init__(self, time: SimulatedTime) -> None:
        self._time = time
        self.busy_j = 0.0

    def joules(self) -> float:
        return IDLE_W * self._time.ns * 1e-9 + self.busy_j

    def close(self) -> None:
        pass

    def reopened(self, name: str) -> SimulatedCounter:
        return self

    def delivers_samples(self, name: str) -> bool:
        return False


class SimulatedRuntime:
    """LiteRT's graphs with known costs."""

    FORMAT: str = "tflite"
    SPIN_SWITCH: bool = False

    def __init__(self, time: SimulatedTime, meter: SimulatedCounter | None = None) -> None:
        self._time, self._meter = time, meter
        self._noise = np.random.default_rng(0)

    def load(self, path: Path, threads: int = 1, spin: Any = None, shapes: Any = None) -> Session:
        return Session(self._time, seconds(count(path)), self._meter, self._noise)

    def ladder(self) -> Iterator[tuple[str, bytes]]:
        return litert.ladder()

    def version(self) -> str:
        return "litert 9.9"

    def profile(self, path: Path, x: Any, threads: int, runs: int, shapes: Any = None) -> Profile:
        return Profile((), "Not asked for.")

    def empty_graph(self) -> None:
        return None

    def peak_graph(self, dtype: str) -> None:
        return None


@pytest.fixture(autouse=True)
def small(small_suites: None) -> None:
    """Use the smallest protocol."""


def test_the_costs_of_a_simulated_runtime_are_found(time: SimulatedTime) -> None:
    config = CalibrationConfig(device="x86-64", meter="none")
    profile, report = measure(config, runtime=SimulatedRuntime(time), clock=time.clock())
    found = report.calibration
    assert profile.calibration == found
    assert found.seconds.fixed == pytest.approx(FIXED, rel=0.05)
    assert found.seconds.per_mac == pytest.approx(PER_MAC, rel=0.05)
    assert found.seconds.per_byte == pytest.approx(PER_BYTE, rel=0.05)
    assert found.seconds.error < 0.03
    assert found.seconds.graphs == len(report.graphs) == len(list(litert.ladder()))
    assert found.joules is None
    assert "--meter none" in (found.reason or "")
    assert (found.runtime, found.threads) == ("litert 9.9", 1)


def test_with_a_meter_the_energy_is_fitted_too(
    time: SimulatedTime, suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = {"energy_window_seconds": 0.05, "idle_window_seconds": 0.05}
    shorter = suite.model_copy(update=seconds)

    def load(name: str) -> Suite:
        return shorter

    monkeypatch.setattr(resources, "load_suite", load)
    counter = SimulatedCounter(time)
    monkeypatch.setattr(meters, "names", lambda: ["simulated"])
    monkeypatch.setattr(meters, "open_meter", counter.reopened)
    monkeypatch.setattr(meters, "delivers_samples", counter.delivers_samples)
    config = CalibrationConfig(device="x86-64", meter="simulated")
    _, report = measure(config, runtime=SimulatedRuntime(time, counter), clock=time.clock())
    joules = report.calibration.joules
    assert joules is not None
    assert report.calibration.reason is None
    assert report.calibration.meter == "simulated"
    # The power above idle is the same in all graphs: energy is 3 W times time.
    assert joules.fixed == pytest.approx(3 * FIXED, rel=0.05)
    assert joules.per_mac == pytest.approx({k: 3 * v for k, v in PER_MAC.items()}, rel=0.05)
    assert joules.per_byte == pytest.approx(3 * PER_BYTE, rel=0.05)


def test_the_ladder_has_every_kind_of_layer_in_both_types_and_all_run(tmp_path: Path) -> None:
    ladder = list(litert.ladder())
    assert len({name for name, _ in ladder}) == len(ladder)
    kinds: set[tuple[str, str]] = set()
    for name, content in ladder:
        path = tmp_path / "graph.tflite"
        path.write_bytes(content)
        layers = count(path)
        kinds |= {(layer.op, layer.dtype) for layer in layers}
        assert name.endswith(layers[0].dtype)
        session = litert.load(path)
        x = np.random.default_rng(0).uniform(-1.0, 1.0, session.input_shape).astype(np.float32)
        assert np.ptp(session.run(x)) > 0
    operations = ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D")
    assert kinds == {(op, dtype) for op in operations for dtype in ("float32", "int8")}


def test_a_convolution_of_the_ladder_computes_a_convolution(tmp_path: Path) -> None:
    path = tmp_path / "graph.tflite"
    path.write_bytes(dict(litert.ladder())["convolution 256x8 kernel 7 x1 float32"])
    session = litert.load(path)
    x = np.zeros(session.input_shape, np.float32)
    assert not session.run(x).any()
    x[0, 0, 100, 0] = 1.0
    # An impulse reaches three samples to either side.
    (touched,) = np.nonzero(session.run(x)[0, 0].any(axis=-1))
    assert touched.tolist() == list(range(97, 104))


def test_the_real_runtime_is_calibrated_and_bench_uses_the_profile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "here.json"
    command = ["calibrate", "here.toml", "--device", "x86-64", "--meter", "none", "--json"]
    assert run([*command, str(out)]) == 0
    printed = capsys.readouterr().out
    assert "error on graphs left out of the fit" in printed
    assert "No energy: Switched off with --meter none." in printed
    assert printed.splitlines()[-1] == "Next: edgeecg bench FILE --device here.toml"
    assert json.loads(out.read_text())["schema"] == "edgeecg.calibration/1"
    fitted = resources.load_device("here.toml").calibration
    assert fitted is not None
    built = litert.peak_graph("float32")
    assert built is not None
    (tmp_path / "peak.tflite").write_bytes(built[0])
    arguments = ["peak.tflite", "--device", "here.toml", "--meter", "none", "--json"]
    assert run(["bench", *arguments, "bench.json"]) == 0
    (result,) = BenchReport.from_json((tmp_path / "bench.json").read_bytes(), "it").results
    assert result.calibrated is not None
    assert result.calibrated.seconds_error == fitted.seconds.error
    assert result.calibrated.net_j is None
    # Within a factor of five even with other work on the machine.
    assert result.calibrated.seconds is not None
    assert 0.2 < result.calibrated.seconds / result.latency.p50_s < 5


def test_a_profile_of_another_suffix_is_refused_before_anything_is_measured(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(["calibrate", "here.json", "--device", "x86-64"]) == 2
    assert "ends in .toml" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_measured(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    assert run(["calibrate", "file/here.toml", "--device", "x86-64"]) == 1
    assert run(["calibrate", "here.toml", "--device", "x86-64", "--json", "file/x.json"]) == 1
    assert capsys.readouterr().err.count("could not be written") == 2


def test_a_throttled_machine_is_said(time: SimulatedTime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttling, "read", lambda: throttling.decoded(0x5))
    config = CalibrationConfig(device="x86-64", meter="none")
    _, report = measure(config, runtime=SimulatedRuntime(time), clock=time.clock())
    assert any("throttled, undervoltage" in warning for warning in report.warnings)


def test_the_graphs_of_onnx_runtime_are_in_both_types(tmp_path: Path) -> None:
    names: list[str] = []
    for name, content in onnxruntime.ladder():
        path = tmp_path / "graph.onnx"
        path.write_bytes(content)
        onnx.checker.check_model(onnx.load(path), full_check=True)
        session = onnxruntime.load(path)
        outputs = session.run(np.ones(session.input_shape, np.float32))
        layers = [layer for layer in count(path) if layer.macs]
        assert {layer.dtype for layer in layers} <= {name.rpartition(" ")[2]}
        if name.endswith("int8"):
            # What is between the limits of int8 lies on its grid.
            np.testing.assert_allclose(outputs * 127, np.round(outputs * 127), atol=1e-3)
        names.append(name)
    assert {"dense 16x256x256 float32", "dense 16x256x256 int8"} <= set(names)
    assert "convolution 64x64 kernel 3 x4 int8" in names


def test_a_profile_without_a_calibration_gives_no_estimate(tmp_path: Path) -> None:
    built = litert.peak_graph("float32")
    assert built is not None
    (tmp_path / "peak.tflite").write_bytes(built[0])
    arguments = ["peak.tflite", "--device", "x86-64", "--meter", "none", "--json", "out.json"]
    assert run(["bench", *arguments]) == 0
    (result,) = BenchReport.from_json((tmp_path / "out.json").read_bytes(), "it").results
    assert result.calibrated is None
