"""Files of custom modules give PyTorch's outputs, whatever can be folded or not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import custom_modules as custom
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgeecg import resources, runtimes
from edgeecg.errors import ExportError
from edgeecg.exporters import exporter, quiet
from edgeecg.exporters._batch_norm import fold_batch_norm

SHAPE = (1, 256)


def padded(kernel: int, dilation: int = 1) -> nn.Module:
    """Use ``padding="same"`` in a layer and in a function."""
    weight = nn.Parameter(torch.randn(4, 8, kernel))
    return custom.Custom(
        lambda m, x: m.head(F.conv1d(F.relu(m.stem(x)), m.weight, padding="same").mean(2)),
        stem=nn.Conv1d(1, 8, kernel, padding="same", dilation=dilation),
        weight=weight,
        head=nn.Linear(4, 3),
    )


def states(bidirectional: bool, cell: bool = False) -> nn.Module:
    """Use the final states of an LSTM."""

    def compute(model: custom.Custom, x: Tensor) -> Tensor:
        _, (hidden, memory) = model.lstm(custom.sequence(model, x))
        return model.head((memory if cell else hidden).transpose(0, 1).flatten(1))

    lstm = nn.LSTM(8, 6, batch_first=True, bidirectional=bidirectional)
    head = nn.Linear(12 if bidirectional else 6, 3)
    return custom.Custom(compute, stem=custom.stem(), lstm=lstm, head=head)


MODULES: dict[str, Callable[[], nn.Module]] = {
    "norm behind a linear layer": custom.norm_behind_linear,
    "norm called twice": custom.norm_called_twice,
    "branch on the shape": custom.branch_on_the_shape,
    "initial states of zero": custom.given_states_of_lstm,
    "final states": lambda: states(bidirectional=False),
    "final states of both directions": lambda: states(bidirectional=True),
    "odd kernel": lambda: padded(5, dilation=2),
    "even kernel": lambda: padded(4, dilation=3),
}


def written(model: nn.Module, target: str, folder: Path) -> Path:
    recipe = resources.load_target(target)
    calibration = np.random.default_rng(0).normal(size=(4, *SHAPE)).astype(np.float32)
    with quiet():
        content = exporter(recipe.format).export(model, recipe, calibration, SHAPE)
    path = folder / f"model.{recipe.format}"
    path.write_bytes(content)
    return path


# PyTorch warns that it copies the input to pad it; the file does not.
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")
@pytest.mark.parametrize("target", [pytest.param("onnx", marks=pytest.mark.system), "tflite"])
@pytest.mark.parametrize("kind", MODULES)
def test_the_file_gives_the_outputs_of_the_module(kind: str, target: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = MODULES[kind]().eval()
    path = written(model, target, tmp_path)
    session = runtimes.for_file(path).load(path)
    x = np.random.default_rng(1).normal(size=(4, *SHAPE)).astype(np.float32)
    with torch.no_grad():
        expected = model(torch.from_numpy(x)).numpy()
    found = np.concatenate([session.run(window[np.newaxis]) for window in x])
    np.testing.assert_allclose(found, expected, atol=1e-5 * float(np.abs(expected).max()) + 1e-6)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: states(bidirectional=False, cell=True), "final cell states"),
        (lambda: custom.given_states_of_lstm(0.5), "initial states that are not zero"),
    ],
)
def test_states_that_tflite_does_not_have_are_refused_and_the_layer_named(
    make: Callable[[], nn.Module], why: str, tmp_path: Path
) -> None:
    with pytest.raises(ExportError, match=rf"'lstm' cannot be written.*{why}.*'onnx'"):
        written(make().eval(), "tflite", tmp_path)


def norms(model: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm1d) for module in model.modules())


@pytest.mark.parametrize(
    "make", [custom.norm_behind_linear, custom.norm_called_twice, custom.branch_on_the_shape]
)
def test_a_norm_that_cannot_be_folded_is_left_to_the_converter(
    make: Callable[[], nn.Module],
) -> None:
    model = make()
    kept = fold_batch_norm(model, SHAPE)
    assert kept is model
    assert norms(kept) == 1


def test_a_norm_behind_a_linear_layer_on_rows_is_folded() -> None:
    model = custom.with_statistics(
        nn.Sequential(nn.Flatten(), nn.Linear(256, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))
    )
    folded = fold_batch_norm(model, SHAPE)
    assert norms(folded) == 0
    x = torch.randn(5, *SHAPE)
    torch.testing.assert_close(folded(x), model(x), atol=1e-5, rtol=1e-5)


def test_one_norm_is_folded_and_the_other_left() -> None:
    model = custom.with_statistics(
        nn.Sequential(
            nn.Conv1d(1, 16, 16, stride=16), nn.BatchNorm1d(16), nn.Linear(16, 8),
            nn.BatchNorm1d(16), nn.Flatten(), nn.Linear(128, 3),
        )
    )  # fmt: skip
    folded = fold_batch_norm(model, SHAPE)
    assert norms(folded) == 1
    x = torch.randn(5, *SHAPE)
    torch.testing.assert_close(folded(x), model(x), atol=1e-5, rtol=1e-5)
