"""Custom modules that could not be trained, copied or saved are refused when they are loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from edgeecg.errors import UsageError
from edgeecg.models import build, load_custom
from edgeecg.models._custom import CustomArchitecture

HEADER = """
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, prune

class Net(nn.Module):
    def __init__(self, forward, **layers):
        super().__init__()
        self._compute = forward
        for name, layer in layers.items():
            setattr(self, name, layer)
    def forward(self, x):
        return self._compute(self, x)

def head():
    return nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(8, 3)
"""
OLD_WEIGHT_NORM = "ignore:.*torch.nn.utils.weight_norm.*deprecated:FutureWarning"


def loaded(folder: Path, source: str) -> CustomArchitecture:
    path = folder / "net.py"
    path.write_text(HEADER + source)
    return load_custom(f"{path}:build")


def build_of(layers: str) -> str:
    return f"def build(): return nn.Sequential({layers}, *head())"


COMPUTED = "The layer '0' of the module 'net.build' cannot be used. Its weight is computed"
REFUSED = {
    "weight_norm": (build_of("parametrizations.weight_norm(nn.Conv1d(1, 8, 7))"), COMPUTED),
    "old weight_norm": (build_of("nn.utils.weight_norm(nn.Conv1d(1, 8, 7))"), COMPUTED),
    "spectral_norm": (build_of("parametrizations.spectral_norm(nn.Conv1d(1, 8, 7))"), COMPUTED),
    "old spectral_norm": (build_of("nn.utils.spectral_norm(nn.Conv1d(1, 8, 7))"), COMPUTED),
    "weight_norm of an LSTM": (
        "def build(): return Net(lambda m, x: m.f(m.l(x.mT)[0][:, -1]), f=nn.Linear(4, 3), "
        "l=parametrizations.weight_norm(nn.LSTM(1, 4, batch_first=True), 'weight_hh_l0'))",
        "The layer 'l' of the module 'net.build' cannot be used. Its weight is computed",
    ),
    "torch's pruning": (
        build_of("prune.l1_unstructured(nn.Conv1d(1, 8, 7), 'weight', 0.5)"),
        COMPUTED,
    ),
    "scripted": (
        "def build(): return torch.jit.script(nn.Sequential(nn.Conv1d(1, 8, 7), *head()))",
        "The module 'net.build' cannot be used. It was compiled by torch.jit",
    ),
    "scripted layer": (
        build_of("torch.jit.script(nn.Conv1d(1, 8, 7))"),
        "The layer '0' of the module 'net.build' cannot be used. It was compiled by torch.jit",
    ),
    "compiled": (
        "def build():\n a = nn.Sequential(nn.Conv1d(1, 8, 7), *head())\n"
        " return torch.compile(a, backend='eager')",
        "It was compiled by torch.compile",
    ),
    "tied weights": (
        "def build():\n a, b = nn.Conv1d(8, 8, 3), nn.Conv1d(8, 8, 3)\n b.weight = a.weight\n"
        " return nn.Sequential(nn.Conv1d(1, 8, 7), a, b, *head())",
        "The layer '2' of the module 'net.build' cannot be used. It shares the tensor '1.weight'",
    ),
    "one layer under two names": (
        "def build():\n a = nn.Conv1d(8, 8, 3)\n"
        " return nn.Sequential(nn.Conv1d(1, 8, 7), a, a, *head())",
        "The layer '2' of the module 'net.build' cannot be used. It shares the tensor '1.weight'",
    ),
    "not contiguous": (
        "def build():\n a = nn.Conv1d(1, 8, 7)\n"
        " a.weight = nn.Parameter(torch.randn(7, 1, 8).permute(2, 1, 0))\n"
        " return nn.Sequential(a, *head())",
        "The layer '0' of the module 'net.build' cannot be saved",
    ),
    "no parameters": (
        "def build(): return nn.Sequential(nn.AdaptiveAvgPool1d(3), nn.Flatten())",
        "It has no parameters that require gradients",
    ),
    "random in evaluation mode": (
        "def build(): return Net(lambda m, x: m.f(F.dropout(x[:, 0])), f=nn.Linear(256, 3))",
        "it gives different logits for the same window",
    ),
    # The windows of the batch are taken for steps.
    "time first": (
        "def build(): return Net(lambda m, x: m.f(m.l(x)[0][:, -1]), l=nn.LSTM(256, 4), "
        "f=nn.Linear(4, 3))",
        "The logits of a window depend on the other windows of its batch",
    ),
    "not finite": (
        "def build(): return Net(lambda m, x: m.f(x[:, 0].log()), f=nn.Linear(256, 3))",
        "are not finite numbers",
    ),
    "a fixed batch": (
        "def build(): return Net(lambda m, x: m.f(x.reshape(2, 256)), f=nn.Linear(256, 3))",
        "On batches of 1 and 3 windows it raised RuntimeError",
    ),
    "fails in training": (
        "def build(): return Net(lambda m, x: m.f(x[:, 0]) if not m.training else m.g(x), "
        "f=nn.Linear(256, 3))",
        "On batches of 1 and 3 windows it raised AttributeError",
    ),
    "function with an argument": ("def build(width): return 1", "Called without arguments"),
    "wrong shape": ("INPUT_SHAPE = 256\ndef build(): pass", "INPUT_SHAPE of the module"),
    "wrong classes": ("CLASSES = 'NSV'\ndef build(): pass", "CLASSES of the module"),
    "wrong task": ("TASK = 'beat'\ndef build(): pass", "'beats' or 'records', and is 'beat'"),
}


@pytest.mark.filterwarnings(OLD_WEIGHT_NORM, "ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.parametrize("kind", REFUSED)
def test_a_module_that_cannot_be_used_is_refused_and_the_layer_named(
    kind: str, tmp_path: Path
) -> None:
    source, expected = REFUSED[kind]
    with pytest.raises(UsageError) as caught:
        loaded(tmp_path, source)
    assert expected in str(caught.value)


def test_a_layer_may_be_called_twice(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        "def build(): return Net(lambda m, x: m.f(m.a(m.a(x))[:, 0]), a=nn.Conv1d(1, 1, 3), "
        "f=nn.Linear(252, 3))",
    )
    assert set(found.WIDTHS) == {"a", "f"}


def test_lazy_layers_get_their_shapes_from_the_windows(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        "def build(): return nn.Sequential(nn.LazyConv1d(8, 7), nn.LazyBatchNorm1d(), *head())",
    )
    assert found.WIDTHS == {"0": (1, 8, 1), "1": (8,), "4": (8, 3)}
    model = build(found, {"0": (1, 4, 1), "1": (4,), "4": (4, 3)})
    assert type(model.get_submodule("0")) is nn.Conv1d
    assert model.training
    assert model(torch.zeros(2, 1, 256)).shape == (2, 3)


def test_loading_a_module_leaves_the_random_numbers_alone(tmp_path: Path) -> None:
    source = "torch.manual_seed(5)\n" + build_of("nn.Conv1d(1, 8, 7), nn.Dropout()")
    loaded(tmp_path, source)
    after = torch.rand(1)
    torch.manual_seed(5)
    nn.Sequential(nn.Conv1d(1, 8, 7), nn.Linear(8, 3))
    assert torch.equal(torch.rand(1), after)
