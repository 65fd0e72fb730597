"""A user's own module: what it may look like, and what is said when it cannot be used."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from edgeecg.compression.pipeline import planned
from edgeecg.errors import UnknownNameError, UsageError
from edgeecg.models import architecture, build
from edgeecg.models._custom import open_module
from edgeecg.schema import CompressionConfig, CustomModule, TrainingConfig

HEADER = "import torch\nfrom torch import nn\n"

ALL_KINDS = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv1d(1, 8, 5, stride=4, padding="valid", bias=False)
        self.norm = nn.BatchNorm1d(8)
        self.lstm = nn.LSTM(8, 6, batch_first=True, bidirectional=True)
        self.layer_norm = nn.LayerNorm(12)
        self.one = nn.Linear(12, 3)
        self.two = nn.Linear(12, 3)

    def forward(self, x):
        h, _ = self.lstm(self.norm(self.stem(x)).transpose(1, 2))
        h = self.layer_norm(h.mean(1))
        return self.one(h) + torch.relu(self.two(h))

def build():
    return Net()
"""


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("edgeecg_own."):
            del sys.modules[name]


def opened(folder: Path, source: str) -> str:
    path = folder / "net.py"
    path.write_text(HEADER + source)
    return open_module(f"{path}:build")


def test_both_layers_that_make_the_logits_are_found(tmp_path: Path) -> None:
    name = opened(tmp_path, ALL_KINDS)
    assert name == "net.build"
    found = architecture(name)
    assert set(found.FIXED) == {"one", "two"}
    assert found.WIDTHS == {
        "stem": (1, 8, 1),
        "norm": (8,),
        "lstm": (8, 6),
        "layer_norm": (12,),
        "one": (12, 3),
        "two": (12, 3),
    }


def test_a_module_of_other_widths_has_these_widths_and_works(tmp_path: Path) -> None:
    name = opened(tmp_path, ALL_KINDS)
    widths = {
        "stem": (1, 4, 1),
        "norm": (4,),
        "lstm": (4, 2),
        "layer_norm": (4,),
        "one": (4, 3),
        "two": (4, 3),
    }
    small = build(name, widths)
    assert architecture(name).widths(small) == widths
    assert small(torch.zeros(2, 1, 256)).shape == (2, 3)
    # stem 4 x 5, norm 2 x 4, lstm 2 x 4 x (2 x 4 + 2 x 2 + 2 + 2), layer norm 2 x 4, heads.
    assert sum(p.numel() for p in small.parameters()) == 20 + 8 + 128 + 8 + 2 * 15
    torch.manual_seed(0)
    fresh = build(name)
    fresh.load_state_dict(build(name).state_dict())


def test_constants_of_the_file_say_what_it_is_for(tmp_path: Path) -> None:
    source = """
TASK, CLASSES, INPUT_SHAPE = "records", ("A", "B"), (3, 50)
def build():
    return nn.Sequential(nn.Flatten(), nn.Linear(150, 2))
"""
    found = architecture(opened(tmp_path, source))
    assert (found.TASK, found.CLASSES, found.INPUT_SHAPE) == ("records", ("A", "B"), (3, 50))
    assert found.FIXED == ("1",)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise RuntimeError('no')", "raised RuntimeError: no"),
        ("def other(): pass", "has no function 'build'"),
        ("def build(): return 3", "a int came"),
        ("def build(): return nn.Linear(9, 3)", "does not take the windows"),
        ("def build(): return nn.Linear(256, 3)", "(2, 3) was expected, (2, 1, 3) came"),
    ],
)
def test_what_is_no_model_says_why(source: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        opened(tmp_path, source)
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["nowhere.py:build", "net.txt:build", ":build", "net.py:"])
def test_a_name_that_is_no_file_and_function(text: str) -> None:
    with pytest.raises(UsageError, match="names no function of a Python file"):
        open_module(text)


def test_what_nobody_has_named_is_not_run() -> None:
    with pytest.raises(UsageError, match="only run when the command line names it"):
        architecture("net.build")
    with pytest.raises(UnknownNameError):
        architecture("own")


STRANGE = """
class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(8, 1))
    def forward(self, x):
        return x * self.factor

def build():
    return nn.Sequential(
        nn.Conv1d(1, 8, 5, stride=4), Scale(), nn.AdaptiveAvgPool1d(1), nn.Flatten(),
        nn.Linear(8, 3),
    )
"""

FIXED_SIZE = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv1d(1, 8, 4, stride=4)
        self.head = nn.Linear(8 * 64, 3)
    def forward(self, x):
        return self.head(self.stem(x).reshape(len(x), 8 * 64))

def build():
    return Net()
"""


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (STRANGE, "layer '1' of the kind Scale cannot be cut"),
        (FIXED_SIZE, "cannot be cut"),
    ],
)
def test_a_module_that_cannot_be_cut_names_the_layer_and_may_be_zeroed(
    source: str, said: str, tmp_path: Path
) -> None:
    name = opened(tmp_path, source)
    own = CustomModule(file=f"{tmp_path / 'net.py'}:build", sha256="0" * 64)
    config = CompressionConfig(training=TrainingConfig(model=name), own=own)
    with pytest.raises(UsageError) as caught:
        planned(config)
    assert said in caught.value.what
    assert "--structure none" in caught.value.todo
    zeroed = config.model_copy(update={"structure": "none"})
    assert planned(zeroed) == zeroed
