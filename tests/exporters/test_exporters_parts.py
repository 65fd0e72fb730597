"""The exporter's parts, one by one."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray
from tiny_run import build
from torch import nn

from edgeecg import resources
from edgeecg.errors import ExportError
from edgeecg.exporters import _tensor_names, _verify, quiet
from edgeecg.exporters._batch_norm import fold_batch_norm
from edgeecg.exporters._probe import ProbeOrigin, ProbeSet

# ------------------------------------------------------------------------------------------ probe


def test_probe_set_is_read_without_pickle() -> None:
    probe = ProbeSet(np.ones((2, 1, 8), np.float32), np.zeros((2, 3), np.float32))
    with np.load(io.BytesIO(probe.to_npz()), allow_pickle=False) as read:
        assert sorted(read) == ["logits", "x"]
        assert np.array_equal(read["x"], probe.x)


def test_probe_set_keeps_where_its_windows_come_from() -> None:
    origin = ProbeOrigin(
        record=np.array(["100", "201"]),
        patient=np.array(["100", "p1"]),
        sample=np.array([7, 123456]),
        label=np.array([0, 2]),
    )
    x, logits = np.ones((2, 1, 8), np.float32), np.zeros((2, 3), np.float32)
    content = ProbeSet(x, logits, origin=origin).to_npz()
    with np.load(io.BytesIO(content), allow_pickle=False) as read:
        assert read["record"].tolist() == ["100", "201"]
        assert read["patient"].tolist() == ["100", "p1"]
        assert read["sample"].tolist() == [7, 123456]
        assert read["label"].tolist() == [0, 2]


# ---------------------------------------------------------------------------------------- folding


def test_folded_weights_follow_the_formula() -> None:
    conv, norm = nn.Conv1d(1, 1, 1), nn.BatchNorm1d(1, eps=0.25)
    with torch.no_grad():
        conv.weight.fill_(3.0)
        assert conv.bias is not None
        conv.bias.fill_(5.0)
        norm.weight.fill_(4.0)
        norm.bias.fill_(0.5)
    norm.running_mean = torch.tensor([1.0])
    norm.running_var = torch.tensor([3.75])
    folded = fold_batch_norm(nn.Sequential(conv, norm).eval(), (1, 8))
    parameters = {name: value.item() for name, value in folded.state_dict().items()}
    # 4 / sqrt(3.75 + 0.25) = 2: w' = 3 * 2, b' = (5 - 1) * 2 + 0.5.
    assert parameters == {"0.weight": 6.0, "0.bias": 8.5}


def test_folding_keeps_the_outputs_and_the_given_model() -> None:
    model = build("baseline")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    x = torch.randn(16, 1, 256)
    with torch.no_grad():
        torch.testing.assert_close(
            fold_batch_norm(model, (1, 256))(x), model(x), atol=1e-5, rtol=1e-5
        )
    assert not any(
        isinstance(m, nn.BatchNorm1d) for m in fold_batch_norm(model, (1, 256)).modules()
    )
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_model_without_batch_norm_is_returned_unchanged() -> None:
    class Branching(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if x.sum() > 0 else -x

    model = Branching()
    assert fold_batch_norm(model, (1, 256)) is model


# ------------------------------------------------------------------------------------------ names


def test_layers_are_named_after_their_modules() -> None:
    residual = "torch.nn.modules.container.Sequential_0/edgeecg.models.r.ResidualBlock_1"
    written = {
        # output tensor: (operation, name as the converter writes it)
        "args": (None, "serving_default_args_0"),
        "w": (None, f"{residual}/torch.nn.modules.conv.Conv1d_conv2;"),
        "reshape": ("RESHAPE", "torch.nn.modules.conv.Conv1d_stem;3"),
        "stem": ("CONV_2D", "torch.x.<locals>.Wrapper;;torch.nn.modules.conv.Conv1d_stem;"),
        "conv": ("CONV_2D", f"{residual};;{residual}/torch.nn.modules.conv.Conv1d_conv2;2"),
        "add": ("ADD", f"{residual};;{residual}/torch.nn.modules.conv.Conv1d_conv2;"),
        "sum": ("SUM", "torch.x.<locals>.Wrapper;4"),
    }
    tensors = [SimpleNamespace(name=name.encode()) for _, name in written.values()]
    operators = [
        SimpleNamespace(opcodeIndex=index, outputs=[index])
        for index, (kind, _) in enumerate(written.values())
        if kind
    ]
    codes = [
        SimpleNamespace(
            builtinCode=getattr(schema.BuiltinOperator, kind or "ADD"), deprecatedBuiltinCode=0
        )
        for kind, _ in written.values()
    ]
    graph = SimpleNamespace(tensors=tensors, operators=operators)
    _tensor_names.shorten(SimpleNamespace(subgraphs=[graph], operatorCodes=codes))
    found = dict(zip(written, (tensor.name.decode() for tensor in tensors), strict=True))
    assert found == {
        "args": "serving_default_args_0",
        "w": "0.1.conv2:2",
        "reshape": "stem:2",
        "stem": "stem",
        "conv": "0.1.conv2",
        "add": "0.1",
        "sum": "graph",
    }


# ------------------------------------------------------------------------------------------ quiet


def test_quiet_hides_the_output_of_native_code(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet():
        os.write(1, b"native out\n")
        os.write(2, b"native err\n")
        warnings.warn("about an internal", FutureWarning, stacklevel=1)
    os.write(1, b"mine\n")
    assert capfd.readouterr() == ("mine\n", "")


class Shell:
    """As much of IPython as its displays need."""

    def __init__(self) -> None:
        self.shown: list[object] = []
        self.display_pub: Any = SimpleNamespace(publish=self.publish)

    def publish(self, data: object) -> None:
        self.shown.append(data)


def test_quiet_hides_what_python_prints_and_displays_in_a_notebook(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A notebook shows what is written to these, whatever happens to the file descriptors.
    cell, shell = io.StringIO(), Shell()
    monkeypatch.setattr(sys, "stdout", cell)
    monkeypatch.setattr(sys, "stderr", cell)
    monkeypatch.setattr("IPython.core.getipython.get_ipython", lambda: shell)
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    with quiet():
        print("a stage")
        sys.stderr.write("a warning")
        shell.display_pub.publish(data={"text/html": "a stage"})
    shell.display_pub.publish(data="mine")
    assert (cell.getvalue(), shell.shown) == ("", ["mine"])


def test_hidden_output_is_a_note_on_the_exception() -> None:
    def fail() -> None:
        os.write(2, b"the reason\n")
        raise ValueError("boom")

    with pytest.raises(ValueError, match="boom") as caught, quiet():
        fail()
    assert caught.value.__notes__ == ["the reason\n"]


def test_output_is_restored_after_an_interruption(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt), quiet():
        raise KeyboardInterrupt
    os.write(2, b"mine\n")
    assert capfd.readouterr().err == "mine\n"


def suppress() -> None:
    with contextlib.suppress(BaseException):
        signal.raise_signal(signal.SIGINT)


def turn_into_another_error() -> None:
    try:
        signal.raise_signal(signal.SIGINT)
    except BaseException as error:
        raise ImportError("cannot import name") from error


@pytest.mark.parametrize("library", [suppress, turn_into_another_error])
def test_an_interruption_that_a_library_suppresses_is_raised(library: Callable[[], None]) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), quiet():
        library()
    assert signal.getsignal(signal.SIGINT) is before


def test_quiet_works_in_another_thread() -> None:
    done = threading.Event()

    def work() -> None:
        with quiet():
            done.set()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done.is_set()


# ----------------------------------------------------------------------------------- verification


class FakeSession:
    """Returns the next of the given rows for every window."""

    input_shape = (1, 1, 8)
    dtype = "float32"

    def __init__(self, rows: NDArray[np.float32]) -> None:
        self.rows = list(rows)

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        return self.rows.pop(0)[np.newaxis]

    def invoke(self) -> None:
        """Not used here."""

    def manifest_json(self) -> str | None:
        return None


LOGITS = np.array([[3.0, 1.0, 0.0], [0.0, 1.0, 2.0]], np.float32)
PROBE = ProbeSet(np.zeros((2, 1, 8), np.float32), LOGITS)


def set_outputs(monkeypatch: pytest.MonkeyPatch, rows: NDArray[np.float32]) -> None:
    def load(path: Path) -> FakeSession:
        return FakeSession(rows)

    monkeypatch.setattr(_verify, "load", load)


def test_the_label_of_a_record_is_a_set_of_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    # The largest logit is another one in the first row, and the classes above 0 are the same.
    set_outputs(monkeypatch, np.array([[2.9, 3.1, -1.0], [-1.0, 1.0, 2.0]], np.float32))
    wide = resources.load_target("onnx").model_copy(update={"max_abs_diff": 10.0})
    x = np.zeros((2, 1, 8), np.float32)
    logits = np.array([[3.0, 1.0, -2.0], [-2.0, 1.0, 2.0]], np.float32)
    found = _verify.check(Path("f.onnx"), "f", ProbeSet(x, logits, "records"), wide)
    assert found.label_agreement == 1.0


def test_agreeing_file_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    set_outputs(monkeypatch, LOGITS + np.float32(0.00005))
    found = _verify.check(Path("f.onnx"), "f", PROBE, resources.load_target("onnx"))
    assert found.label_agreement == 1.0


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (LOGITS + np.float32(0.01), r"differs by 0\.01 on 2 probe windows.*onnx\.toml accepts"),
        (np.array([[1.0, 3.0, 0.0], [0.0, 1.0, 2.0]], np.float32), "differs by 2"),
        (np.full((2, 3), np.nan, np.float32), "not finite"),
        (np.full((2, 3), np.inf, np.float32), "not finite"),
        (LOGITS[:, :2], r"outputs are \(2, 2\), PyTorch's \(2, 3\)"),
    ],
)
def test_disagreeing_file_is_refused(
    monkeypatch: pytest.MonkeyPatch, rows: NDArray[np.float32], message: str
) -> None:
    set_outputs(monkeypatch, rows)
    with pytest.raises(ExportError, match=message):
        _verify.check(Path("f.onnx"), "f", PROBE, resources.load_target("onnx"))


def test_too_few_equal_labels_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    set_outputs(monkeypatch, np.array([[2.4, 2.5, 0.0], [0.0, 1.0, 2.0]], np.float32))
    wide = resources.load_target("tflite-int8").model_copy(update={"max_abs_diff": 10.0})
    with pytest.raises(ExportError, match=r"50\.0% of 2 probe windows"):
        _verify.check(Path("f.tflite"), "f", PROBE, wide)


def test_progress_is_reported_while_windows_run(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    x = np.zeros((1001, 1, 8), np.float32)
    rows = np.arange(3003, dtype=np.float32).reshape(1001, 3)
    assert np.array_equal(_verify.outputs(FakeSession(rows), x, told.append), rows)
    assert told == [500, 1000]
