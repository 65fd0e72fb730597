"""Custom modules: which are accepted, and what the message says when one is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from edgeecg.compression.pipeline import planned
from edgeecg.errors import UnknownNameError, UsageError
from edgeecg.models import architecture, build, load_custom
from edgeecg.models._custom import CustomArchitecture
from edgeecg.schema import CompressionConfig, TrainingConfig

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


def loaded(folder: Path, source: str) -> CustomArchitecture:
    path = folder / "net.py"
    path.write_text(HEADER + source)
    return load_custom(f"{path}:build")


def test_both_layers_that_make_the_logits_are_found(tmp_path: Path) -> None:
    found = loaded(tmp_path, ALL_KINDS)
    assert found.RECIPE.model == "net.build"
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
    found = loaded(tmp_path, ALL_KINDS)
    widths = {
        "stem": (1, 4, 1),
        "norm": (4,),
        "lstm": (4, 2),
        "layer_norm": (4,),
        "one": (4, 3),
        "two": (4, 3),
    }
    small = build(found, widths)
    assert found.widths(small) == widths
    assert small(torch.zeros(2, 1, 256)).shape == (2, 3)
    # stem 4 x 5, norm 2 x 4, lstm 2 x 4 x (2 x 4 + 2 x 2 + 2 + 2), layer norm 2 x 4, heads.
    assert sum(p.numel() for p in small.parameters()) == 20 + 8 + 128 + 8 + 2 * 15
    torch.manual_seed(0)
    fresh = build(found)
    fresh.load_state_dict(build(found).state_dict())


def test_constants_of_the_file_say_what_it_is_for(tmp_path: Path) -> None:
    source = """
TASK, CLASSES, INPUT_SHAPE = "records", ("A", "B"), (3, 50)
def build():
    return nn.Sequential(nn.Flatten(), nn.Linear(150, 2))
"""
    found = loaded(tmp_path, source)
    assert (found.TASK, found.CLASSES, found.INPUT_SHAPE) == ("records", ("A", "B"), (3, 50))
    assert found.FIXED == ("1",)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise RuntimeError('no')", "raised RuntimeError: no"),
        ("raise SystemExit('stop')", "raised SystemExit: stop"),
        ("def build(): raise SystemExit(0)", "raised SystemExit: 0"),
        ("def other(): pass", "has no function 'build'"),
        ("def build(): return 3", "a int came"),
        ("def build(): return nn.Linear(9, 3)", "does not take the windows"),
        ("def build(): return nn.Linear(256, 3)", "(2, 3) was expected, (2, 1, 3) came"),
    ],
)
def test_what_is_no_model_says_why(source: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        loaded(tmp_path, source)
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["nowhere.py:build", "net.txt:build", ":build", "net.py:"])
def test_a_name_that_is_no_file_and_function(text: str) -> None:
    with pytest.raises(UsageError, match="names no function of a Python file"):
        load_custom(text)


def test_a_custom_module_that_is_not_named_is_not_run(tmp_path: Path) -> None:
    found = loaded(tmp_path, ALL_KINDS)
    with pytest.raises(UsageError, match="only run when the command line names it"):
        architecture("net.build")
    with pytest.raises(UsageError, match="only run when the command line names it"):
        architecture("other.build", found)
    assert architecture("net.build", found) is found
    with pytest.raises(UnknownNameError):
        architecture("own")


def test_two_files_of_one_name_do_not_disturb_each_other(tmp_path: Path) -> None:
    for folder, classes in (("a", 2), ("b", 4)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "net.py").write_text(
            f"{HEADER}CLASSES = tuple('ABCD'[:{classes}])\n"
            f"def build():\n    return nn.Sequential(nn.Flatten(), nn.Linear(256, {classes}))\n"
        )
    first, second = (load_custom(f"{tmp_path / folder / 'net.py'}:build") for folder in "ab")
    assert build(first)(torch.zeros(1, 1, 256)).shape == (1, 2)
    assert build(second)(torch.zeros(1, 1, 256)).shape == (1, 4)
    assert first.origin.sha256 != second.origin.sha256


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
        (STRANGE, "layer '1' of the type Scale cannot be pruned"),
        (FIXED_SIZE, "cannot be pruned"),
    ],
)
def test_a_module_that_cannot_be_cut_names_the_layer_and_may_be_zeroed(
    source: str, said: str, tmp_path: Path
) -> None:
    custom = loaded(tmp_path, source)
    training = TrainingConfig(model=custom.RECIPE.model)
    config = CompressionConfig(training=training, custom=custom.origin)
    with pytest.raises(UsageError) as caught:
        planned(config, custom)
    assert said in caught.value.what
    assert "--structure none" in caught.value.todo
    zeroed = config.model_copy(update={"structure": "none"})
    assert planned(zeroed, custom) == zeroed


ONE_OBJECT = """
NET = nn.Sequential(nn.Conv1d(1, 8, 5), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(),
                    nn.Linear(8, 3))

def build():
    return NET
"""


def test_a_function_that_returns_one_object_each_time_makes_models_of_their_own(
    tmp_path: Path,
) -> None:
    found = loaded(tmp_path, ONE_OBJECT)
    dense, small = build(found), build(found, {"0": (1, 4, 1), "4": (4, 3)})
    assert found.widths(dense) == {"0": (1, 8, 1), "4": (8, 3)}
    assert found.widths(small) == {"0": (1, 4, 1), "4": (4, 3)}
    assert not {id(p) for p in dense.parameters()} & {id(p) for p in build(found).parameters()}


def test_a_module_that_is_one_object_and_cannot_be_copied_is_refused(tmp_path: Path) -> None:
    lines = ("def refuse(memo):", "    raise RuntimeError('no')", "", "NET.__deepcopy__ = refuse")
    source = ONE_OBJECT.replace("def build", "\n".join((*lines, "", "def build")))
    with pytest.raises(UsageError, match="makes the same model at each call"):
        loaded(tmp_path, source)


def test_a_constant_that_is_none_is_one_that_is_left_out(tmp_path: Path) -> None:
    source = ALL_KINDS + "\nCLASSES = INPUT_SHAPE = TASK = DATASET = None\n"
    assert loaded(tmp_path, source).CLASSES == loaded(tmp_path, ALL_KINDS).CLASSES
