"""``edgeecg bench`` as a user meets it, on a real file and runtime, with a tiny suite."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from bench_command import bench

from edgeecg.benchmark import (
    layers,
    protocol,
    run_artifacts,
)
from edgeecg.benchmark.config import BenchConfig
from edgeecg.benchmark.file_process import FileProcess
from edgeecg.errors import UsageError
from edgeecg.reporting import captions
from edgeecg.runtimes import Operation, Profile, litert, onnxruntime
from edgeecg.schema import BenchReport

pytestmark = pytest.mark.usefixtures("small_suites")

Exported = Callable[[str], Path]
CONFIG = BenchConfig(device="x86-64", meter="none")


def test_the_report_has_every_key_that_scripts_rely_on(exported: Exported, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    assert bench(exported("a"), "--json", out, "--meter", "none") == 0
    document: dict[str, Any] = json.loads(out.read_text())
    assert document["schema"] == "edgeecg.bench/1"
    (result,) = document["results"]
    wanted = {
        "artifact": {"file", "sha256", "format", "dtype", "size_bytes"},
        "device": {"name", "emulated"},
        "latency": {"n", "threads", "p50_s", "p90_s", "p99_s", "first_s"},
        "energy": {"tier", "meter", "reason", "gross_j", "net_j", "ci95_j"},
        "proxy": {"ideal", "executed", "macs", "weight_bytes"},
        "memory": {"peak_rss_bytes"},
        "parity": {"n", "max_abs_diff", "label_agreement"},
    }
    assert {"layers", "layers_profiled_s", "layers_reason"} <= set(result)
    for part, keys in wanted.items():
        assert keys <= set(result[part])
    assert result["runtime"].startswith("onnxruntime ")
    assert result["energy"]["tier"] == "not measured"
    assert result["energy"]["net_j"] is None
    assert result["proxy"]["executed"] == pytest.approx(0.5)
    assert result["latency"]["n"] == len(result["latency"]["samples_s"]) >= 10
    assert result["parity"]["label_agreement"] == 1.0


def test_a_dash_leaves_standard_output_to_the_json(
    exported: Exported, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench(exported("a"), "--json", "-", "--meter", "none") == 0
    printed = capsys.readouterr()
    assert BenchReport.from_json(printed.out, "stdout").results[0].artifact.format == "onnx"
    assert "Next: edgeecg report" in printed.err


def test_without_files_the_newest_run_is_measured_and_keeps_the_report(
    exported: Exported, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    exported("a-baseline-onnx")
    exported("a-compressed-onnx")
    assert bench("--meter", "none", "--suite", "quick") == 0
    (kept,) = (tmp_path / "runs/toy/bench").glob("*.json")
    report = BenchReport.from_json(kept.read_text(), str(kept))
    names = [Path(result.artifact.file).name for result in report.results]
    assert names == ["a-baseline-onnx.onnx", "a-compressed-onnx.onnx"]
    printed = capsys.readouterr().out
    for word in ("synthetic", "not", "measured", "0.500", "suite quick", "joules"):
        assert word in printed
    assert printed.rstrip().endswith("Next: edgeecg report")


def test_two_measurements_within_one_second_keep_both_reports(
    exported: Exported, tmp_path: Path
) -> None:
    report = protocol.measure([exported("a")], BenchConfig(device="x86-64", meter="none"))
    (first,) = run_artifacts.store(report)
    content = first.read_text()
    changed = report.model_copy(update={"command": "another"})
    (second,) = run_artifacts.store(changed)
    assert second.name == f"{first.stem}-2.json"
    assert first.read_text() == content != second.read_text()


def test_a_run_of_a_dense_model_alone_keeps_the_report(exported: Exported, tmp_path: Path) -> None:
    exported("a")
    folder = tmp_path / "runs/toy"
    (folder / "model.json").rename(folder / "baseline.json")
    assert bench("--run", "toy", "--suite", "quick", "--meter", "none") == 0
    assert len(list((folder / "bench").glob("*.json"))) == 1


def test_tflite_and_onnx_are_measured_in_one_call(exported: Exported, tmp_path: Path) -> None:
    built = litert.peak_graph("int8")
    assert built is not None
    path = tmp_path / "foreign.tflite"
    path.write_bytes(built[0])
    out = tmp_path / "out.json"
    assert bench(path, exported("a"), "--json", out, "--meter", "none", "--threads", 2) == 0
    first, second = BenchReport.from_json(out.read_text(), "out").results
    assert (first.artifact.dtype, second.artifact.dtype) == ("int8", "float32")
    assert first.runtime.startswith("litert ")
    assert first.proxy.macs == 256**3
    assert first.proxy.executed is None
    assert first.proxy.reason is not None
    assert first.parity.n is None
    assert first.latency.pinned_cpu is None
    assert first.breakdown.rest_s is not None
    # A foreign file belongs to no run: nothing is written into one.
    assert len(list((tmp_path / "runs/toy/bench").glob("*.json"))) == 1


def test_operations_add_up_to_the_median_with_their_method(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for module, name in ((onnxruntime, "peak.onnx"), (litert, "peak.tflite")):
        built = module.peak_graph("float32")
        assert built is not None
        (tmp_path / name).write_bytes(built[0])
    out = tmp_path / "out.json"
    assert bench("peak.onnx", "peak.tflite", "--json", out, "--meter", "none") == 0
    printed = capsys.readouterr().out
    with_onnx, with_litert = BenchReport.from_json(out.read_text(), "out").results
    assert [layer.op for layer in with_onnx.layers] == ["MatMul"]
    assert with_onnx.layers_method == "ONNX Runtime profiler"
    assert with_litert.layers_method in ("LiteRT profiler", "one file per operation")
    for found in (with_onnx, with_litert):
        assert sum(layer.seconds for layer in found.layers) == pytest.approx(found.latency.p50_s)
        assert found.layers[0].share == 1
        assert found.layers_profiled_s is not None
        assert found.layers_reason is None
        assert found.layers_unexplained is not None
        assert abs(found.layers_unexplained) < 0.5
        share = captions.in_no_operation(found.layers_unexplained)
        assert f"{found.layers_method}; {share}." in printed


def test_a_profile_is_scaled_to_the_median() -> None:
    profile = Profile((Operation("a", "Conv", 3e-4), Operation("b", "Relu", 1e-4)), None)
    found, whole = layers.normalised(profile, 2e-4)
    assert whole == pytest.approx(4e-4)
    assert [(each.name, each.seconds, each.share) for each in found] == [
        ("a", pytest.approx(1.5e-4), pytest.approx(0.75)),
        ("b", pytest.approx(0.5e-4), pytest.approx(0.25)),
    ]
    # What is over before the profiler's clock moves on has no share of anything.
    assert layers.normalised(Profile((Operation("a", "Conv", 0.0),), None), 2e-4) == ((), None)


def test_what_the_operations_leave_unexplained_is_a_fraction_of_the_whole() -> None:
    operations = (Operation("a", "Conv", 3e-4), Operation("b", "Relu", 1e-4))
    assert layers.unexplained(Profile(operations, None, whole_s=5e-4), 1.0) == pytest.approx(0.2)
    # Operations that were timed alone are compared with the median; they may exceed it.
    assert layers.unexplained(Profile(operations, None), 2e-4) == pytest.approx(-1.0)
    assert layers.unexplained(Profile((), "None."), 2e-4) is None


def test_a_rate_is_measured_with_spinning_on_and_off(
    exported: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    assert bench(exported("a"), "--json", out, "--meter", "none", "--rate", 100) == 0
    (result,) = BenchReport.from_json(out.read_text(), "out").results
    assert [(duty.spin, duty.rate_hz) for duty in result.duty_cycle] == [(True, 100), (False, 100)]
    assert "At 100/s, spin off" in capsys.readouterr().out


def test_a_rate_that_is_too_high_costs_nothing_else(
    exported: Exported,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(*_: object) -> NoReturn:
        raise UsageError("The file cannot run 100 times per second.", "It is slow.", "Wait.")

    monkeypatch.setattr(FileProcess, "at_rate", refused)
    out = tmp_path / "out.json"
    assert bench(exported("a"), "--json", out, "--meter", "none", "--rate", 100) == 0
    (result,) = BenchReport.from_json(out.read_text(), "out").results
    assert result.latency.p50_s > 0
    assert result.duty_cycle == ()
    assert (result.duty_reason or "").startswith("The file cannot run 100 times per second.")
    assert "Fixed rate: The file cannot run" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["missing.onnx"], 1, "no file"),
        (["model.h5"], 2, ".tflite"),
        (["a.onnx", "--device", "raspbery-pi-4"], 2, "raspberry-pi-4"),
        (["a.onnx", "--suite", "quik"], 2, "quick"),
        (["a.onnx", "--meter", "rappl"], 2, "rapl"),
        (["a.onnx", "--threads", "0"], 2, "threads"),
        (["a.onnx", "--run", "toy"], 2, "--run"),
        ([], 1, "edgeecg compress"),
    ],
)
def test_wrong_arguments_are_explained(
    arguments: list[str], status: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench(*arguments) == status
    assert words in capsys.readouterr().err


def test_a_run_without_exported_files_says_how_to_export(
    exported: Exported, capsys: pytest.CaptureFixture[str]
) -> None:
    exported("a").unlink()
    assert bench() == 1
    assert "edgeecg export --run toy --target tflite" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a.onnx", "a.tflite"])
def test_a_corrupt_file_is_explained_and_nothing_is_written(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(b"\x1c\0\0\0TFL3 and then nonsense")
    assert bench(name, "--json", "out.json") == 1
    assert "not a sound" in capsys.readouterr().err
    assert not (tmp_path / "out.json").exists()


def test_a_report_that_cannot_be_written_is_refused_before_the_measurement(
    exported: Callable[[str], Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    file = exported("a")
    assert bench(file, "--meter", "none", "--json", "file/out.json") == 1
    shown = capsys.readouterr()
    assert "could not be written" in shown.err
    assert "p50" not in shown.out
    assert not (tmp_path / "runs/toy/bench").exists()


def test_every_step_is_reported_in_order(exported: Exported) -> None:
    seen: list[tuple[str, int, int]] = []

    def on_step(what: str, done: int, total: int) -> None:
        seen.append((what, done, total))

    rated = CONFIG.model_copy(update={"rate_hz": 100.0})
    protocol.measure([exported("a")], rated, on_step=on_step)
    assert [done for _, done, _ in seen] == list(range(len(seen)))
    assert {total for _, _, total in seen} == {len(seen)}
    assert seen[0][0] == "a.onnx: memory"


def test_the_function_prints_nothing_and_measures_a_file_given_twice_once(
    exported: Exported, capfd: pytest.CaptureFixture[str]
) -> None:
    path = exported("a")
    report = protocol.measure([path, path], CONFIG, command="a notebook")
    assert capfd.readouterr() == ("", "")
    assert [result.artifact.file for result in report.results] == [str(path)]
    assert report.command == "a notebook"


def test_no_file_is_an_error() -> None:
    with pytest.raises(UsageError, match="nothing to measure"):
        protocol.measure([])


def test_a_damaged_file_costs_its_own_row_and_no_other(
    exported: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, cut = exported("a"), tmp_path / "cut.onnx"
    cut.write_bytes(good.read_bytes()[:100])
    out = tmp_path / "out.json"
    threads = ("--threads", "1,2")
    assert bench(cut, good, "--json", out, "--meter", "none", *threads) == 1
    report = BenchReport.from_json(out.read_text(), "out.json")
    assert [result.artifact.file for result in report.results] == [str(good)] * 2
    assert [result.latency.threads for result in report.results] == [1, 2]
    (failure,) = report.failed_files
    assert failure.file == str(cut)
    assert f"Not measured, {cut}" in capsys.readouterr().out.replace("\n", "")


def test_of_damaged_files_alone_every_one_is_named(
    exported: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [tmp_path / f"cut{n}.onnx" for n in range(3)]
    for path in paths:
        path.write_bytes(exported("a").read_bytes()[:100])
    assert bench(*paths, "--meter", "none") == 1
    said = capsys.readouterr().err.replace("\n", "")
    assert all(path.name in said for path in paths)


def test_a_damaged_baseline_is_an_error(
    exported: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(exported("a").read_bytes()[:100])
    assert bench(exported("a"), "--baseline", cut, "--meter", "none") == 1
    assert "cut.onnx" in capsys.readouterr().err


def test_windows_of_another_length_are_another_suite(exported: Exported, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    options = ("--windows", "7", "--duration", "3", "--target-error", "3%", "--meter", "none")
    assert bench(exported("a"), "--json", out, *options) == 0
    suite = BenchReport.from_json(out.read_text(), "out.json").suite
    assert suite.name == "custom"
    assert (suite.energy_windows, suite.energy_window_seconds) == (7, 3.0)
    assert suite.idle_window_seconds == 3.0


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--threads", "1,x", "threads"),
        ("--meter", "none:x", "'none' is no meter with a place"),
        ("--threads", "0", "threads"),
        ("--windows", "2", "windows"),
        ("--duration", "0", "duration"),
        ("--target-error", "3 percent", "target"),
        ("--target-error", "300%", "300% is 300 %"),
        ("--target-error", "3", "above 0 and below 100 %; for 3 per cent, write 3%"),
        ("--windows", "2", "(given: 2)"),
    ],
)
def test_settings_that_cannot_be_are_named(
    option: str, value: str, words: str, exported: Exported, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench(exported("a"), option, value) == 2
    assert words in " ".join(capsys.readouterr().err.split())


def test_a_folder_is_sent_to_the_option_for_runs(
    exported: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exported("a-baseline-onnx")
    for name in ("toy", "runs/toy"):
        assert bench(name) == 2
        assert f"Run: edgeecg bench --run {name}" in capsys.readouterr().err


def test_a_measurement_is_kept_although_the_output_cannot_be_printed(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported("a-baseline-onnx")

    def fails(*_: object) -> None:
        raise OSError(errno.EIO, "the terminal went away")

    monkeypatch.setattr("edgeecg.cli._bench_table.show", fails)
    out = tmp_path / "out.json"
    assert bench("--meter", "none", "--suite", "quick", "--json", out) == 1
    assert len(list((tmp_path / "runs/toy/bench").glob("*.json"))) == 1
    assert BenchReport.from_json(out.read_text(), str(out)).results


def test_the_next_command_is_about_the_run_that_was_named(
    exported: Exported, capsys: pytest.CaptureFixture[str]
) -> None:
    exported("a-baseline-onnx")
    assert bench("--run", "toy", "--meter", "none", "--suite", "quick") == 0
    assert capsys.readouterr().out.rstrip().endswith("Next: edgeecg report toy")
