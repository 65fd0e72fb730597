"""The limits of a target, and what is left of a file that misses one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgeecg import resources
from edgeecg.data import Dataset
from edgeecg.errors import SchemaError
from edgeecg.exporters import _rejection, _speed, _validation, _verify
from edgeecg.exporters._limits import MissedLimitError, check_score, check_speed, way_on
from edgeecg.schema import ExportRecipe, Parity, ScoreDrop, Speed

INT8 = resources.load_target("tflite-int8")
MIXED = resources.load_target("tflite-mixed")


def speed(low: float, middle: float, high: float) -> Speed:
    return Speed(p50_s=middle, float32_p50_s=1.0, ratio=middle, ratio_low=low, ratio_high=high)


def test_a_score_within_the_limit_passes_and_one_below_does_not() -> None:
    check_score("f", INT8, ScoreDrop(metric="macro-F1", reference=0.80, file=0.791))
    check_score("f", INT8, ScoreDrop(metric="macro-F1", reference=0.80, file=0.90))
    with pytest.raises(MissedLimitError) as caught:
        check_score("f", INT8, ScoreDrop(metric="macro-F1", reference=0.80, file=0.789))
    assert "0.7890" in caught.value.why
    assert "0.8000; export/tflite-int8.toml accepts a drop of 0.01" in caught.value.why
    assert "tflite-mixed" in caught.value.todo
    assert "--quantize qat" in caught.value.todo


def test_a_file_is_too_slow_only_beyond_the_spread() -> None:
    check_speed("f", MIXED, speed(1.04, 1.20, 1.40))
    check_speed("f", INT8, speed(3.0, 3.1, 3.2))
    with pytest.raises(MissedLimitError, match=r"1\.20 \(1\.10-1\.40\) of the time.*accepts 1\.05"):
        check_speed("f", MIXED, speed(1.10, 1.20, 1.40))


@pytest.mark.parametrize("name", resources.target_names())
def test_every_target_names_a_way_on_that_is_not_itself(name: str) -> None:
    recipe = resources.load_target(name)
    said = way_on(recipe)
    assert f"--target {name} " not in f"{said} "
    assert recipe.dtype == "float32" or "--target" in said or "--quantize qat" in said


def test_large_logits_may_differ_in_int8_when_labels_and_scores_hold() -> None:
    # The package's dense conv_transformer: a logit differs by 1.39 in int8.
    assert INT8.max_abs_diff is None
    far = Parity(n=256, max_abs_diff=1.39, label_agreement=0.96)
    _verify.check_agreement("f", far, INT8)
    with pytest.raises(MissedLimitError, match=r"accepts 0\.0001"):
        _verify.check_agreement("f", far, resources.load_target("tflite"))


@pytest.mark.parametrize(
    ("key", "value"), [("max_score_dorp", 0.1), ("search", "sometimes"), ("io_dtype", "uint8")]
)
def test_unknown_keys_and_values_of_a_recipe_are_named(key: str, value: object) -> None:
    document = INT8.to_document() | {key: value}
    with pytest.raises(SchemaError, match=key):
        ExportRecipe.from_document(document, "export/mine.toml")


class Linear(nn.Module):
    """Two layers, of which the second is nearly lost in one scale for the whole tensor."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Linear(256, 8), nn.Linear(8, 3)
        with torch.no_grad():
            self.first.weight.mul_(1000.0)
            self.second.weight.mul_(0.001)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(torch.relu(self.first(x.flatten(1))))


def test_layers_are_listed_by_what_they_change() -> None:
    x = np.random.default_rng(0).normal(size=(8, 1, 256)).astype(np.float32)
    found = _rejection.differences(Linear().eval(), INT8, x, x)
    assert set(found) == {"first", "second"}
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert min(found.values()) > 0
    said = _rejection.where_it_starts(found)
    assert next(iter(found)) in said
    assert _rejection.where_it_starts({}) == ""
    for target in ("tflite", "tflite-int16x8", "tflite-dynamic"):
        assert _rejection.differences(Linear(), resources.load_target(target), x, x) == {}


def test_the_score_of_a_model_is_computed_once_for_all_its_files(
    monkeypatch: pytest.MonkeyPatch, toy_dataset: Dataset
) -> None:
    seen: list[int] = []

    class Session:
        def run(self, x: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> object:
            return np.array([[1.0, 0.0, 0.0]], np.float32)

    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bias = nn.Parameter(torch.tensor([0.0, 0.0, 1.0]))

        def forward(self, x: Tensor) -> Tensor:
            seen.append(len(x))
            return self.bias.expand(len(x), 3)

    def load(path: Path) -> Session:
        return Session()

    monkeypatch.setattr(_verify, "load", load)
    scores, model = _validation.ValidationScores(toy_dataset), Constant().eval()
    y = toy_dataset.val.y
    for _ in range(2):
        drop = scores.compare(model, Path("f.tflite"))
        # All windows in one class: F1 = 2 n / (n + N) of this class, and 0 of the two others.
        assert drop.reference == pytest.approx(2 * sum(y == 2) / (sum(y == 2) + len(y)) / 3)
        assert drop.file == pytest.approx(2 * sum(y == 0) / (sum(y == 0) + len(y)) / 3)
    assert sum(seen) == len(y)


def test_times_are_compared_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    class Session:
        def __init__(self, name: str) -> None:
            self.name = name

        def run(self, x: object) -> None:
            order.append("set")

        def invoke(self) -> None:
            order.append(self.name)

    def load(path: Path) -> Session:
        return Session(path.stem)

    ticks = iter(range(10_000))

    def clock() -> float:
        # Every run takes a second, so that each file is run once in a turn.
        return float(next(ticks))

    monkeypatch.setattr(_speed, "load", load)
    monkeypatch.setattr(_speed.time, "perf_counter", clock)
    found = _speed.compare(Path("int8"), Path("float32"), np.zeros((1, 1, 8), np.float32), 3)
    assert order[-6:] == ["int8", "float32"] * 3
    assert (found.ratio, found.p50_s, found.float32_p50_s) == (1.0, 1.0, 1.0)
