"""``edgeecg bench`` on files of other programs: inputs, number types, baselines, the table."""

from __future__ import annotations

import hashlib
import sys
import tomllib
from pathlib import Path

import numpy as np
import psutil
import pytest
from bench_command import bench
from onnx import helper
from onnx_models import external, graph_model, qdq_convolution
from tiny_tflite import Op, T, build

from edgeecg.benchmark import artifacts, conditions
from edgeecg.schema import BenchReport, DeviceState

pytestmark = pytest.mark.usefixtures("small_suites")


def foreign(folder: Path, name: str, x: list[int | str]) -> Path:
    """Write a file of another program: a mean over the time axis, then a matrix product."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[2], keepdims=0),
        helper.make_node("MatMul", ["mean", "w"], ["y"]),
    ]
    path = folder / name
    model = graph_model(nodes, x, None, {"w": np.ones((4, 3), np.float32)})
    path.write_bytes(model.SerializeToString())
    return path


def test_a_free_axis_is_named_with_the_option_that_gives_its_length(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign(tmp_path, "time.onnx", ["batch", 4, "time"])
    assert bench("time.onnx", "--meter", "none") == 2
    error = capsys.readouterr().err
    assert "The input 'x' of time.onnx has no fixed shape." in error
    assert "batchx4xtime: the length of axis 3 is free" in error
    assert "--shape x=1x4x256" in error
    assert bench("time.onnx", "--meter", "none", "--shape", "x=1x4x99", "--json", "o.json") == 0
    (result,) = BenchReport.from_json(Path("o.json").read_text(), "o").results
    assert result.input_shape == (1, 4, 99)
    assert result.proxy.macs == 4 * 3


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ("x=1x5x99", "cannot have the shape 1x5x99"),
        ("x=4x99", "cannot have the shape 4x99"),
        ("z=1x4x99", "has no fixed shape"),
        ("x=1x4x", "is not of the form"),
        ("1x4x99", "is not of the form"),
        ("x=1x0x99", "is not of the form"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(
    shape: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign(tmp_path, "time.onnx", [1, 4, "time"])
    assert bench("time.onnx", "--meter", "none", "--shape", shape) == 2
    assert words in capsys.readouterr().err


def test_a_shape_for_a_fixed_input_is_refused_unless_another_file_needs_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign(tmp_path, "fixed.onnx", [1, 4, 50])
    assert bench("fixed.onnx", "--meter", "none", "--shape", "x=1x4x99") == 2
    assert "cannot have the shape" in capsys.readouterr().err
    assert bench("fixed.onnx", "--meter", "none", "--shape", "y=1x4x50") == 2
    assert "There is no input named 'y'." in capsys.readouterr().err
    foreign(tmp_path, "time.onnx", [1, 4, "time"])
    options = ("--shape", "x=1x4x99", "--json", "o.json")
    assert bench("fixed.onnx", "time.onnx", "--meter", "none", *options) == 0
    results = BenchReport.from_json(Path("o.json").read_text(), "o").results
    assert [result.input_shape for result in results] == [(1, 4, 50), (1, 4, 99)]


def test_a_free_axis_of_a_tflite_file_needs_a_shape_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    x, y = (T((1, 1), name=name, signature=(1, -1)) for name in ("x", "y"))
    (tmp_path / "time.tflite").write_bytes(build([x, y], [Op("RELU", [0], [1])]))
    assert bench("time.tflite", "--meter", "none") == 2
    assert "Its shape is 1x?: the length of axis 2 is free." in capsys.readouterr().err
    assert bench("time.tflite", "--meter", "none", "--shape", "x=1x99", "--json", "o.json") == 0
    (result,) = BenchReport.from_json(Path("o.json").read_text(), "o").results
    assert result.input_shape == (1, 99)
    # The file has the shapes of its tensors for one sample only.
    assert result.proxy.macs is None
    assert result.proxy.reason is not None
    assert "has free axes" in result.proxy.reason


def test_a_fixed_batch_is_printed_with_the_time_of_one_window(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign(tmp_path, "batch8.onnx", [8, 4, 50])
    assert bench("batch8.onnx", "--meter", "none", "--json", "o.json") == 0
    printed = capsys.readouterr().out
    assert "batch8.onnx takes an input of 8x4x50, which is 8 windows" in printed
    assert "p50 per window:" in printed
    (result,) = BenchReport.from_json(Path("o.json").read_text(), "o").results
    assert result.p50_per_window_s == pytest.approx(result.latency.p50_s / 8)
    assert result.parity.reason == "The batch is 8, and a probe set has single windows."
    foreign(tmp_path, "batch1.onnx", [1, 4, 50])
    assert bench("batch1.onnx", "--meter", "none") == 0
    assert "Batch:" not in capsys.readouterr().out


def test_external_data_is_part_of_the_size_and_is_hashed(tmp_path: Path) -> None:
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    weights = np.ones((4, 300), np.float32)
    model = graph_model([node], [1, 4], [1, 300], {"w": weights})
    whole = tmp_path / "whole.onnx"
    whole.write_bytes(model.SerializeToString())
    external(tmp_path, model, "graph.onnx")
    assert bench("whole.onnx", "graph.onnx", "--meter", "none", "--json", "o.json") == 0
    first, second = BenchReport.from_json(Path("o.json").read_text(), "o").results
    assert first.artifact.size_bytes == whole.stat().st_size
    data = tmp_path / "graph.onnx.data"
    parts = [path.stat().st_size for path in (tmp_path / "graph.onnx", data)]
    assert second.artifact.size_bytes == sum(parts) > weights.nbytes
    (described,) = second.artifact.data_files
    assert described.sha256 == hashlib.sha256(data.read_bytes()).hexdigest()
    data.unlink()
    assert bench("graph.onnx", "--meter", "none") == 1


def test_int8_in_qdq_format_is_called_int8_with_and_without_the_onnx_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, activations in (("qdq.onnx", True), ("weights.onnx", False)):
        (tmp_path / name).write_bytes(qdq_convolution(activations).SerializeToString())

    def types() -> list[tuple[str, str | None]]:
        assert bench("qdq.onnx", "weights.onnx", "--meter", "none", "--json", "o.json") == 0
        results = BenchReport.from_json(Path("o.json").read_text(), "o").results
        return [(each.artifact.dtype, each.artifact.activation_dtype) for each in results]

    expected = [("int8", "int8"), ("int8", "float32")]
    assert types() == expected
    assert "int8 weights, float activations" in capsys.readouterr().out
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert types() == expected


def test_dynamic_range_files_have_int8_weights_and_float_activations(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tensors = [
        T((1, 16), name="x"),
        T((8, 16), "INT8", np.ones((8, 16), np.int8), zero_point=0),
        T((1, 8)),
    ]
    content = build(tensors, [Op("FULLY_CONNECTED", [0, 1], [2])])
    (tmp_path / "dynamic.tflite").write_bytes(content)
    file = artifacts.examine(tmp_path / "dynamic.tflite")
    described = artifacts.reference(file, None)
    assert (described.dtype, described.activation_dtype) == ("int8", "float32")


def test_several_foreign_files_at_80_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    names = [f"model-with-a-long-name-{number}.onnx" for number in range(3)]
    for name in names:
        foreign(tmp_path, name, [1, 4, 50])
    # A mean over eight million numbers takes milliseconds.
    foreign(tmp_path, "slow.onnx", [1, 4, 2_000_000])
    assert bench(*names, "slow.onnx", "--meter", "none") == 0
    printed = capsys.readouterr().out
    rows = {line.split()[0]: line for line in printed.splitlines() if line.strip()}
    # No name is wrapped, and each row has its unit.
    assert set(names) <= set(rows)
    assert all("µs" in rows[name] for name in names)
    assert "ms" in rows["slow.onnx"]
    # MACs follow the name and the size: 4 x 3.
    assert all(row.split()[3] == "12" for name, row in rows.items() if name.endswith(".onnx"))
    assert printed.count("There is no probe set") == 1
    assert "energy" not in printed.partition("Machine:")[0]
    # The report of a run has no place for foreign files.
    assert "Next:" not in printed


def test_a_named_baseline_is_measured_and_all_proxies_are_relative_to_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, outputs in (("dense.onnx", 300), ("pruned.onnx", 100)):
        node = helper.make_node("MatMul", ["x", "w"], ["y"])
        weights = {"w": np.ones((40, outputs), np.float32)}
        model = graph_model([node], [1, 40], [1, outputs], weights)
        (tmp_path / name).write_bytes(model.SerializeToString())
    options = ("--baseline", "dense.onnx", "--meter", "none", "--json", "o.json")
    assert bench("pruned.onnx", *options) == 0
    report = BenchReport.from_json(Path("o.json").read_text(), "o")
    assert report.baseline == "dense.onnx"
    dense, pruned = report.results
    assert (dense.artifact.file, dense.proxy.executed) == ("dense.onnx", 1.0)

    # 4.6 pJ a MAC, 12.5 pJ a byte of weights, 2.5 pJ a byte of activations.
    def picojoules(outputs: int) -> float:
        return 40 * outputs * (4.6 + 4 * 12.5) + 4 * (40 + outputs) * 2.5

    assert pruned.proxy.executed == pytest.approx(picojoules(100) / picojoules(300))
    assert pruned.proxy.reason is None
    printed = capsys.readouterr().out
    assert "relative to dense.onnx" in printed
    assert "ratio" in printed


def test_a_baseline_that_cannot_be_counted_or_has_another_batch_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign(tmp_path, "one.onnx", [1, 4, 50])
    foreign(tmp_path, "eight.onnx", [8, 4, 50])
    assert bench("eight.onnx", "--baseline", "one.onnx", "--meter", "none") == 2
    assert "runs on 1 windows at a time, and 'eight.onnx' on 8" in capsys.readouterr().err
    node = helper.make_node("Einsum", ["x", "w"], ["y"], equation="ij,jk->ik")
    model = graph_model([node], [1, 4], [1, 3], {"w": np.ones((4, 3), np.float32)})
    (tmp_path / "einsum.onnx").write_bytes(model.SerializeToString())
    assert bench("one.onnx", "--baseline", "einsum.onnx", "--meter", "none") == 2
    assert "Operation 0 is Einsum" in capsys.readouterr().err


def test_shapes_and_baseline_can_stand_in_a_configuration_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--shape", "x=1x4x99", "--baseline", "time.onnx", "--meter", "none")
    assert bench(*options, "--print-config") == 0
    written = capsys.readouterr().out
    found = tomllib.loads(written)
    assert (found["shapes"], found["baseline"]) == ({"x": [1, 4, 99]}, "time.onnx")
    (tmp_path / "bench.toml").write_text(written)
    foreign(tmp_path, "time.onnx", [1, 4, "time"])
    assert bench("time.onnx", "--config", "bench.toml", "--json", "o.json") == 0
    report = BenchReport.from_json(Path("o.json").read_text(), "o")
    assert (report.baseline, report.results[0].input_shape) == ("time.onnx", (1, 4, 99))


def test_a_busy_machine_is_a_warning_on_the_screen_and_in_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign(tmp_path, "a.onnx", [1, 4, 50])
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 2)
    monkeypatch.setattr(psutil, "getloadavg", lambda: (5.25, 1.0, 1.0))
    assert bench("a.onnx", "--meter", "none", "--json", "o.json") == 0
    printed = capsys.readouterr().out
    assert "Warning: The machine is busy: its load average is 5.2 on 2 cores." in printed
    warnings = BenchReport.from_json(Path("o.json").read_text(), "o").warnings
    assert warnings[0].startswith("The machine is busy")
    monkeypatch.setattr(psutil, "getloadavg", lambda: (1.0, 1.0, 1.0))
    assert bench("a.onnx", "--meter", "none") == 0
    assert "machine is busy" not in capsys.readouterr().out


def test_a_p99_far_above_p50_and_throttling_are_warnings(tmp_path: Path) -> None:
    foreign(tmp_path, "a.onnx", [1, 4, 50])
    assert bench("a.onnx", "--meter", "none", "--json", "o.json") == 0
    (result,) = BenchReport.from_json(Path("o.json").read_text(), "o").results
    calm = result.device.before.model_copy(update={"load": 0.5, "throttled": False})
    hot = calm.model_copy(update={"throttled": True})

    def warned(p99_s: float, after: DeviceState) -> tuple[str, ...]:
        device = result.device.model_copy(update={"cores": 2, "before": calm, "after": after})
        times = result.latency.model_copy(update={"p50_s": 1e-3, "p99_s": p99_s})
        return conditions.warnings(device, [result.model_copy(update={"latency": times})])

    assert warned(4e-3, calm) == ()
    (spread,) = warned(60e-3, calm)
    assert "a.onnx: 60 times" in spread
    (throttling,) = warned(4e-3, hot)
    assert "throttling" in throttling
