"""Every pruned model in every float32 format: outputs and MACs of the file are PyTorch's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from _pytest.mark import ParameterSet
from narrow_models import narrow
from numpy.typing import NDArray
from torch import nn

from edgeecg import resources, runtimes
from edgeecg.costs import tflite_file
from edgeecg.costs.counting import count
from edgeecg.costs.inspection import inspect_file
from edgeecg.errors import ExportError
from edgeecg.exporters import _float_lstm, _lstm_int8, exporter, quiet
from edgeecg.models import architecture, layer_costs, names
from edgeecg.runtimes import Session

MODELS = {
    # name: most operations that its files may have, far fewer than an unrolled LSTM needs
    "bilstm": 40,
    "cnn1d": 20,
    "cnn_lstm_attn": 40,
    "conv_transformer": 300,
    "resnet1d_attn": 60,
    "resnet1d_se_attn": 200,
    "tiny_rhythm": 30,
}


def written(
    model: nn.Module, target: str, shape: tuple[int, int], folder: Path, **changes: object
) -> Path:
    recipe = resources.load_target(target).model_copy(update=changes)
    calibration = np.random.default_rng(0).normal(size=(4, *shape)).astype(np.float32)
    with quiet():
        content = exporter(recipe.format).export(model, recipe, calibration, shape)
    path = folder / f"model.{recipe.format}"
    path.write_bytes(content)
    return path


def why_float32(path: Path, **changes: object) -> dict[str, str]:
    """Return why LSTM layers of a ``tflite-int8`` file are in float32, by operation."""
    recipe = resources.load_target("tflite-int8").model_copy(update=changes)
    return _float_lstm.reasons(path.read_bytes(), recipe, count(path))


def outputs(model: nn.Module, x: NDArray[np.float32]) -> NDArray[np.float32]:
    with torch.no_grad():
        return model(torch.from_numpy(x)).numpy()


def test_there_is_a_limit_for_every_model() -> None:
    assert set(MODELS) == set(names())


def pairs() -> list[ParameterSet]:
    """Return every model with every float32 target.

    The three that take longest in TFLite are system tests: the residual networks have no layer that
    the others lack, and tests/exporters/test_exporters_precision.py converts an encoder block.
    """
    slow = ("conv_transformer", "resnet1d_attn", "resnet1d_se_attn")
    return [
        pytest.param(
            name,
            target,
            marks=[pytest.mark.system] if target == "tflite" and name in slow else [],
        )
        for name in names()
        for target in ("onnx", "tflite")
    ]


@pytest.mark.parametrize(("name", "target"), pairs())
def test_every_model_agrees_with_its_file_in_outputs_and_macs(
    name: str, target: str, tmp_path: Path
) -> None:
    model, shape = narrow(name), architecture(name).INPUT_SHAPE
    path = written(model, target, shape, tmp_path)
    session = runtimes.for_file(path).load(path)
    x = np.random.default_rng(1).normal(size=(3, *shape)).astype(np.float32)
    found = np.concatenate([session.run(window[np.newaxis]) for window in x])
    np.testing.assert_allclose(found, outputs(model, x), atol=1e-4)
    layers = count(path)
    assert len(layers) < MODELS[name]
    extra = _clearing(model, shape) if target == "tflite" else 0
    expected = sum(layer.macs for layer in layer_costs(model, shape))
    assert sum(layer.macs for layer in layers) == expected + extra


def _clearing(model: nn.Module, shape: tuple[int, int]) -> int:
    """Return the MACs of the step and of the input that clear the state of TFLite's LSTMs."""
    total = 0
    for cost in layer_costs(model, shape):
        layer = model.get_submodule(cost.name)
        if isinstance(layer, nn.LSTM):
            inputs, hidden = layer.input_size, layer.hidden_size
            steps = cost.macs // (2 * 4 * hidden * (inputs + hidden))
            with_clearing = 2 * 4 * hidden * (inputs + 1 + hidden) * (steps + 1)
            total += with_clearing - cost.macs
    return total


class Recurrent(nn.Module):
    """One LSTM, and a head on its last step."""

    def __init__(self, **options: bool | int) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.lstm = nn.LSTM(2, 4, batch_first=True, **options)
        self.head = nn.Linear(8 if self.lstm.bidirectional else 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        steps, _ = self.lstm(x.transpose(1, 2))
        return self.head(steps[:, -1])


@pytest.fixture(scope="module")
def recurrent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recurrent")
    return written(Recurrent(bidirectional=True).eval(), "tflite", (2, 16), folder)


def without_reset(path: Path, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Run windows like a program that does not reset the state between them."""
    from ai_edge_litert.interpreter import Interpreter

    with quiet():
        interpreter = Interpreter(model_path=str(path), num_threads=1)
        interpreter.allocate_tensors()
    given, answer = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    found: list[NDArray[np.float32]] = []
    for window in x:
        interpreter.set_tensor(given["index"], window[np.newaxis])
        interpreter.invoke()
        found.append(interpreter.get_tensor(answer["index"])[0])
    return np.stack(found)


def test_an_lstm_keeps_no_state_between_windows(recurrent: Path) -> None:
    x = np.random.default_rng(3).normal(size=(4, 2, 16)).astype(np.float32)
    x[1] *= 1000
    expected = outputs(Recurrent(bidirectional=True).eval(), x)
    np.testing.assert_allclose(without_reset(recurrent, x), expected, atol=1e-5)


def test_lstms_are_one_operation_per_direction_named_after_the_layer(recurrent: Path) -> None:
    layers = [layer for layer in count(recurrent) if layer.op == "UNIDIRECTIONAL_SEQUENCE_LSTM"]
    assert [layer.name for layer in layers] == ["lstm.forward", "lstm.backward"]
    # tflite-runtime cannot load a file with composite operations.
    assert b"edgeecg.lstm" not in recurrent.read_bytes()


def test_an_lstm_in_one_direction(tmp_path: Path) -> None:
    model = Recurrent().eval()
    path = written(model, "tflite", (2, 16), tmp_path)
    x = np.random.default_rng(4).normal(size=(1, 2, 16)).astype(np.float32)
    session: Session = runtimes.for_file(path).load(path)
    np.testing.assert_allclose(session.run(x), outputs(model, x), atol=1e-5)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_an_lstm_in_an_int8_file_is_int8_with_int16_cells(
    bidirectional: bool, tmp_path: Path
) -> None:
    model = Recurrent(bidirectional=bidirectional).eval()
    path = written(model, "tflite-int8", (2, 16), tmp_path)
    assert why_float32(path) == {}
    assert any("on ARM only" in each.why for each in inspect_file(path).slow)
    lstms = [each for each in tflite_file.read(path).operators if each.op.endswith("SEQUENCE_LSTM")]
    assert len(lstms) == 1 + bidirectional
    for lstm in lstms:
        kinds = [None if each is None else each.type for each in lstm.inputs]
        # Input, four matrices of it, four of the state; four biases; state and cell.
        assert kinds[:9] == ["INT8"] * 9
        assert kinds[12:16] == ["INT32"] * 4
        assert kinds[18:20] == ["INT8", "INT16"]
        cells = lstm.inputs[19]
        assert cells is not None
        # TFLite's kernel takes powers of two up to 2 ** -9 only.
        assert cells.scales == (2.0**-11,)
    x = np.random.default_rng(0).normal(size=(4, 2, 16)).astype(np.float32)
    session = runtimes.for_file(path).load(path)
    found = np.concatenate([session.run(window[np.newaxis]) for window in x])
    np.testing.assert_allclose(found, outputs(model, x), atol=0.04)


def test_an_lstm_in_int8_keeps_no_state_between_windows(tmp_path: Path) -> None:
    model = Recurrent(bidirectional=True).eval()
    with torch.no_grad():
        # Large weights of the state fill the cells, and open the gates of the next window.
        for name, parameter in model.lstm.named_parameters():
            parameter.mul_(8.0 if "hh" in name else 2.0)
    path = written(model, "tflite-int8", (2, 16), tmp_path)
    assert {each.dtype for each in count(path) if each.op.endswith("LSTM")} == {"int8"}
    x = np.random.default_rng(3).normal(size=(8, 2, 16)).astype(np.float32)
    forwards, backwards = without_reset(path, x), without_reset(path, x[::-1])
    np.testing.assert_array_equal(forwards, backwards[::-1])
    # The windows have answers of their own: several steps of int8 apart.
    assert np.ptp(forwards, axis=0).max() > 0.03


def test_an_lstm_that_would_keep_state_in_int8_stays_float32(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(_lstm_int8, "_CLOSED", 0.0)
    model = Recurrent(bidirectional=True).eval()
    path = written(model, "tflite-int8", (2, 16), tmp_path)
    assert {each.dtype for each in count(path) if each.op.endswith("LSTM")} == {"float32"}
    assert "depended on the window before" in why_float32(path)["UNIDIRECTIONAL_SEQUENCE_LSTM"]
    kept = {"float_ops": ("UNIDIRECTIONAL_SEQUENCE_LSTM",)}
    assert why_float32(path, **kept) == {}
    x = np.random.default_rng(3).normal(size=(4, 2, 16)).astype(np.float32)
    np.testing.assert_array_equal(without_reset(path, x), without_reset(path, x[::-1])[::-1])


def test_an_lstm_behind_a_float32_operation_says_so(tmp_path: Path) -> None:
    kept = {"float_ops": ("TRANSPOSE",)}
    path = written(Recurrent().eval(), "tflite-int8", (2, 16), tmp_path, **kept)
    assert {each.dtype for each in count(path) if each.op.endswith("LSTM")} == {"float32"}
    (why,) = why_float32(path, **kept).values()
    assert "operation before them is in float32" in why


def test_a_recipe_can_keep_lstms_in_float32(tmp_path: Path) -> None:
    recipe = resources.load_target("tflite-int8")
    kept = (*recipe.float_ops, "UNIDIRECTIONAL_SEQUENCE_LSTM")
    calibration = np.random.default_rng(0).normal(size=(4, 2, 16)).astype(np.float32)
    with quiet():
        content = exporter("tflite").export(
            Recurrent().eval(), recipe.model_copy(update={"float_ops": kept}), calibration, (2, 16)
        )
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    assert not any("on ARM only" in each.why for each in inspect_file(path).slow)
    types = {layer.op: layer.dtype for layer in count(path) if layer.macs}
    assert types == {"UNIDIRECTIONAL_SEQUENCE_LSTM": "float32", "FULLY_CONNECTED": "int8"}


def test_stacked_lstms_are_refused_by_tflite_and_onnx_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"'lstm' cannot be written as TFLite.*'onnx'"):
        written(Recurrent(num_layers=2).eval(), "tflite", (2, 16), tmp_path)
