"""``edgeecg quantize``: files of other programs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from edgeecg import resources, runtimes
from edgeecg.benchmark import file_process
from edgeecg.cli import run
from edgeecg.exporters import exporter, quiet
from edgeecg.exporters._foreign import _macro_f1s  # pyright: ignore[reportPrivateUsage]
from edgeecg.exporters._foreign_windows import LabelledWindows
from edgeecg.schema import QuantizedFile, Rejection

SHAPE = (2, 32)


def windows(count: int = 64) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=(count, *SHAPE)).astype(np.float32)


class Net(nn.Module):
    """A convolution with batch normalisation and a head."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(
            nn.Conv1d(2, 8, 5), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 28, 3)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


@pytest.fixture(scope="module")
def tflite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A float32 file without manifest, as another program may have written it."""
    path = tmp_path_factory.mktemp("foreign") / "net.tflite"
    recipe = resources.load_target("tflite")
    with quiet():
        path.write_bytes(exporter("tflite").export(Net().eval(), recipe, windows(), SHAPE))
    return path


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """An ONNX file written by hand: a convolution whose batch normalisation is not folded."""
    rng = np.random.default_rng(1)
    weights = {
        "w": rng.normal(size=(4, 2, 5)),
        "gamma": np.full(4, 2.0),
        "beta": np.zeros(4),
        "mean": np.full(4, 0.5),
        "var": np.ones(4),
        "h": rng.normal(size=(4 * 28, 3)) / 10,
    }
    nodes = [
        helper.make_node("Conv", ["signal", "w"], ["c"]),
        helper.make_node("BatchNormalization", ["c", "gamma", "beta", "mean", "var"], ["n"]),
        helper.make_node("Relu", ["n"], ["r"]),
        helper.make_node("Flatten", ["r"], ["f"]),
        helper.make_node("MatMul", ["f", "h"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("signal", TensorProto.FLOAT, [1, *SHAPE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])],
        [numpy_helper.from_array(v.astype(np.float32), name) for name, v in weights.items()],
    )
    path = tmp_path / "foreign.onnx"
    opset = helper.make_opsetid("", 18)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=10), path)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "windows.npz"
    np.savez(path, x=windows())
    return path


def outputs(path: Path) -> NDArray[np.float32]:
    session = runtimes.for_file(path).load(path)
    return np.concatenate([session.run(window[np.newaxis]) for window in windows()])


def test_a_tflite_file_is_quantised_beside_it(
    tflite: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "small.tflite"
    arguments = ["quantize", str(tflite), "--data", str(data), "--output", str(written)]
    assert run([*arguments, "--json", "-"]) == 0
    out, err = capsys.readouterr()
    found = QuantizedFile.from_json(out, "out")
    # Every second window calibrates; the others are compared.
    assert (found.calibration_windows, found.agreement.n, found.score) == (32, 32, None)
    assert found.size_bytes == written.stat().st_size < found.source_bytes
    assert np.abs(outputs(written) - outputs(tflite)).max() < 0.05
    assert f"Next: edgeecg inspect {written}" in err


def test_an_onnx_file_is_scored_where_its_classes_are_known(
    foreign: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labelled = tmp_path / "labelled.npz"
    np.savez(labelled, x=windows(), y=outputs(foreign).argmax(axis=1))
    result = tmp_path / "result.json"
    assert run(["quantize", str(foreign), "--data", str(labelled), "--json", str(result)]) == 0
    found = json.loads(result.read_text())
    # The labels are the answers of the float32 file.
    assert found["score"]["reference"] == 1.0
    written = tmp_path / "foreign-onnx-int8.onnx"
    graph = onnx.load(written).graph
    assert not [node for node in graph.node if node.op_type == "BatchNormalization"]
    # A window outside of the calibrated range is clipped; the others differ by rounding only.
    assert np.median(np.abs(outputs(written) - outputs(foreign))) < 0.1


def test_a_file_that_misses_a_limit_is_not_written_and_an_earlier_one_is_removed(
    foreign: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Calibrated on silence, the file clips everything it is compared on.
    x = windows()
    x[::2] *= 1e-3
    np.save(tmp_path / "quiet.npy", x)
    (tmp_path / "foreign-onnx-int8.onnx").write_bytes(b"of an earlier call")
    assert run(["quantize", str(foreign), "--data", str(tmp_path / "quiet.npy")]) == 1
    assert "requires 90.0%" in capsys.readouterr().err
    assert not (tmp_path / "foreign-onnx-int8.onnx").exists()
    rejected = tmp_path / "foreign-onnx-int8.onnx.rejected"
    assert Rejection.from_json(rejected.read_bytes(), "r").target == "onnx-int8"


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": np.full((4, *SHAPE), np.nan, np.float32)}, "not finite"),
        ({"x": np.zeros((4, 12, 32), np.float32)}, r"has the shape (1, 2, 32)"),
        ({"x": np.zeros((1, *SHAPE), np.float32)}, "two windows or more"),
        ({"z": np.zeros((4, *SHAPE), np.float32)}, "It has no array 'x'"),
        ({"x": windows(4), "y": np.array([0, 1, 2])}, "a class number for each of the 4"),
        ({"x": windows(4), "y": np.array([1, 2, 3, 99])}, "y has the class 99"),
        ({"x": windows(4) * 1j}, "x is complex"),
    ],
)
def test_windows_that_do_not_fit_are_refused(
    foreign: Path,
    tmp_path: Path,
    arrays: dict[str, NDArray[np.float32]],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "bad.npz"
    np.savez(path, **arrays)  # pyright: ignore[reportArgumentType]
    assert run(["quantize", str(foreign), "--data", str(path)]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("target", "said"),
    [("tflite-int8", "is not"), ("onnx", "is float32"), ("tflite-mixed", "is not")],
)
def test_targets_that_do_not_fit_are_refused(
    foreign: Path, data: Path, target: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["quantize", str(foreign), "--data", str(data), "--target", target]) == 2
    assert said in capsys.readouterr().err


def test_a_file_that_is_int8_already_is_refused(
    foreign: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["quantize", str(foreign), "--data", str(data)]) == 0
    made = tmp_path / "foreign-onnx-int8.onnx"
    assert run(["quantize", str(made), "--data", str(data)]) == 1
    assert "Its weights are int8 already" in capsys.readouterr().err


def test_weights_outside_of_the_folder_are_refused(
    foreign: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = onnx.load(foreign)
    (tensor,) = (each for each in model.graph.initializer if each.name == "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret.bin")
    path = tmp_path / "outside.onnx"
    path.write_bytes(model.SerializeToString())
    assert run(["quantize", str(path), "--data", str(data)]) == 1
    assert "secret.bin" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["broken.tflite", "broken.onnx"])
def test_a_damaged_file_is_refused(
    name: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(64))
    assert run(["quantize", str(tmp_path / name), "--data", str(data)]) == 1
    assert name in capsys.readouterr().err


def test_a_file_that_crashes_its_runtime_is_refused(
    foreign: Path,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # In place of the process that loads the file, one that ends as native code does.
    (tmp_path / "crashing.py").write_text(
        "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(file_process, "_MODULE", "crashing")
    assert run(["quantize", str(foreign), "--data", str(data)]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "it crashed the process (SIGSEGV)" in said


def test_a_file_whose_output_is_a_sequence_is_quantised(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = np.random.default_rng(3).normal(size=(4, 2, 5)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"], pads=[2, 2])],
        "sequence",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, *SHAPE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 32])],
        [numpy_helper.from_array(weights, "w")],
    )
    opset = [helper.make_opsetid("", 17)]
    path = tmp_path / "sequence.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    status = run(["quantize", str(path), "--data", str(data)])
    said = capsys.readouterr()
    # Of 128 outputs, the largest may be another one in int8, which is no crash.
    assert status == 0 or "have the label of the float32 file" in said.err, said.err


def test_a_folder_that_does_not_exist_is_named(
    foreign: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    output = tmp_path / "file" / "out.onnx"
    assert run(["quantize", str(foreign), "--data", str(data), "--output", str(output)]) == 1
    assert "out.onnx" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "said"),
    [("net.onnx", "It would replace the float32 file"), ("out.tflite", "ends in .onnx")],
)
def test_an_output_that_cannot_be_meant_is_refused(
    name: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.onnx").write_bytes(b"weights")
    assert run(["quantize", "net.onnx", "--data", "x.npz", "--output", name]) == 2
    assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]


def test_windows_that_are_none_are_explained_without_advice_to_load_pickles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.onnx").write_bytes(b"weights")
    Path("text.npz").write_text("no windows")
    for name in ("text.npz", "missing.npz"):
        assert run(["quantize", "net.onnx", "--data", name]) == 1
        said = capsys.readouterr().err
        assert "numpy.savez(FILE, x=windows" in said
        assert "pickle" not in said


def onnx_file(path: Path, nodes: list[onnx.NodeProto], outputs: dict[str, list[int]]) -> Path:
    """Write a file with the input ``x``; the weights ``w`` give three numbers, ``w1`` one."""
    rng = np.random.default_rng(1)
    weights = {"w": rng.normal(size=(64, 3)), "w1": rng.normal(size=(64, 1))}
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["x"], ["f"]), *nodes],
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, *SHAPE])],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()],
        [numpy_helper.from_array(v.astype(np.float32), name) for name, v in weights.items()],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


def refused(path: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert run(["quantize", str(path), "--data", str(data)]) == 1
    assert not list(path.parent.glob("*-onnx-int8.onnx"))
    return " ".join(capsys.readouterr().err.split())


def test_what_has_no_classes_to_compare_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (
        helper.make_node("MatMul", ["f", w], [y]) for w, y in (("w", "y"), ("w1", "z"))
    )
    single = onnx_file(tmp_path / "single.onnx", [second], {"z": [1, 1]})
    assert "Its output is a single number" in refused(single, data, capsys)
    both = onnx_file(tmp_path / "both.onnx", [first, second], {"y": [1, 3], "z": [1, 1]})
    assert "It has 2 outputs" in refused(both, data, capsys)


def test_outputs_of_the_float32_file_that_are_not_finite_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes = [
        helper.make_node("Log", ["f"], ["l"]),
        helper.make_node("MatMul", ["l", "w"], ["y"]),
    ]
    path = onnx_file(tmp_path / "log.onnx", nodes, {"y": [1, 3]})
    x = np.abs(windows()) + 1
    x[5] = 0
    np.save(tmp_path / "x.npy", x)
    assert "outputs of 1 of 32 compared windows" in refused(path, tmp_path / "x.npy", capsys)
    np.save(tmp_path / "x.npy", np.full((64, *SHAPE), 1e300))
    assert "not finite numbers in float32" in refused(path, tmp_path / "x.npy", capsys)


def test_windows_in_the_order_of_their_classes_calibrate_for_all(tmp_path: Path) -> None:
    x = np.repeat(np.arange(4, dtype=np.float32), 500)[:, None, None]
    held = LabelledWindows(x, x[:, 0, 0].astype(np.int64))
    calibration, compared = held.halves(256)
    assert np.bincount(calibration[:, 0, 0].astype(int)).tolist() == [64] * 4
    assert len(compared.x) == 1000
    assert np.array_equal(compared.x[:, 0, 0], np.asarray(compared.y))
    assert held.halves(0)[0].shape == (0, 1, 1)


def test_a_missed_limit_advises_what_this_command_can_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node = helper.make_node("MatMul", ["f", "w"], ["y"])
    path = onnx_file(tmp_path / "net.onnx", [node], {"y": [1, 3]})
    x = windows(400)
    # The ranges come from windows that are much smaller.
    x[::2] *= 1e-4
    np.save(tmp_path / "x.npy", x)
    said = refused(path, tmp_path / "x.npy", capsys)
    assert "does not agree with the float32 file" in said
    assert "Choose --target onnx-fp16" in said
    assert "PyTorch" not in said
    assert "compress" not in said


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("target", ["onnx-int8", "onnx-fp16"])
def test_weights_that_are_listed_among_the_inputs_are_no_inputs(
    first: bool, target: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node = helper.make_node("MatMul", ["f", "w"], ["y"])
    model = onnx.load(onnx_file(tmp_path / "old.onnx", [node], {"y": [1, 3]}))
    weights = [
        helper.make_tensor_value_info(each.name, TensorProto.FLOAT, list(each.dims))
        for each in model.graph.initializer
    ]
    inputs = [*weights, *model.graph.input] if first else [*model.graph.input, *weights]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.ir_version = 3
    onnx.save(model, tmp_path / "old.onnx")
    asked = ["quantize", str(tmp_path / "old.onnx"), "--data", str(data), "--target", target]
    assert run(asked) == 0, capsys.readouterr().err


def test_the_scores_of_both_files_are_over_the_same_classes() -> None:
    y = np.array([0, 0, 1, 1])
    # Only the first file ever answers 2, a class that no window has: an F1 of 0 for both.
    first, second = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1])
    scores = _macro_f1s(y, [first, second])
    assert scores == pytest.approx([(1 + 2 / 3) / 3, (2 / 3 + 4 / 5) / 3])
