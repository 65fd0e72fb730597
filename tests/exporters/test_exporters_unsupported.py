"""A module that cannot be converted: the error names the operation and the module that calls it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from edgeecg import resources
from edgeecg.data import Dataset
from edgeecg.errors import ExportError
from edgeecg.exporters import _unsupported, quiet
from edgeecg.exporters._float32 import Conversions

SHAPE = (1, 256)


class Unknown(nn.Module):
    """Calls an operation that neither TFLite nor ONNX has."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.linalg.svdvals(x)[:, :8]


class Decomposed(nn.Module):
    """Calls an operation that ONNX's converter decomposes before it fails."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.special.bessel_j0(x).mean(2)


class Branching(nn.Module):
    """Looks at the values, which no converter can follow."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(2) * (1.0 if float(x.sum()) > 0 else 2.0)


class Net(nn.Module):
    """Holds one of them two levels deep."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.stem = nn.Conv1d(1, 8, 7, padding=3)
        self.part = nn.ModuleDict({"inner": nn.Sequential(nn.ReLU(), inner)})
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.part["inner"](self.stem(x)))


@pytest.mark.parametrize(
    ("inner", "message", "operation"),
    [
        (Unknown(), "Lowering not found: aten._linalg_svd.default While", "aten._linalg_svd"),
        (
            Decomposed(),
            "No ONNX function found for <OpOverload(op='prims.bessel_j0', overload='default')>",
            "prims.bessel_j0",
        ),
    ],
)
def test_the_operation_and_the_path_of_its_module_are_named(
    inner: nn.Module, message: str, operation: str
) -> None:
    found = _unsupported.reason(RuntimeError(message), Net(inner).eval(), SHAPE)
    assert found == (
        f"The converter does not know the operation {operation}, "
        f"which the module 'part.inner.1' ({type(inner).__name__}) calls."
    )


def test_an_operation_that_no_module_calls_is_named_alone() -> None:
    error = RuntimeError("Lowering not found: aten.other.default While")
    found = _unsupported.reason(error, Net(Unknown()).eval(), SHAPE)
    assert found == "The converter does not know the operation aten.other."


def test_the_innermost_module_of_a_traceback_is_named() -> None:
    model = Net(Branching()).eval()
    with pytest.raises(RuntimeError) as caught, quiet():
        torch.export.export(model, (torch.zeros(1, *SHAPE),))
    found = _unsupported.reason(caught.value, model, SHAPE)
    assert found is not None
    assert found.startswith("In the module 'part.inner.1' (Branching), line ")
    assert "data-dependent" in found


def test_another_error_is_not_explained() -> None:
    assert _unsupported.reason(ValueError("no"), Net(Unknown()), SHAPE) is None


@pytest.mark.system
@pytest.mark.parametrize("target", ["tflite", "onnx"])
@pytest.mark.parametrize("inner", [Unknown(), Branching()], ids=lambda each: type(each).__name__)
def test_the_export_says_so(target: str, inner: nn.Module, toy_dataset: Dataset) -> None:
    conversions = Conversions(toy_dataset)
    with pytest.raises(ExportError, match=rf"'part\.inner\.1' \({type(inner).__name__}\)"):
        conversions.file(Net(inner).eval(), resources.load_target(target))
