"""``tflite-mixed``: the operations that stay float32 are searched for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from narrow_models import narrow
from numpy.typing import NDArray
from timed_layers import result, timed, written
from tiny_run import build, silent
from torch import Tensor, nn

from edgeecg import models, resources
from edgeecg.costs import tflite_file
from edgeecg.costs.counting import count
from edgeecg.data import Dataset
from edgeecg.errors import ExportError, UsageError
from edgeecg.exporters import _pipeline, _rejection, _search, _search_times, _speed, _verify
from edgeecg.exporters._float32 import Conversions
from edgeecg.exporters._float_lstm import OPERATION
from edgeecg.exporters._limits import MissedLimitError
from edgeecg.models import architecture, layer_costs, names
from edgeecg.runs import RunFolder
from edgeecg.schema import (
    BenchReport,
    EmulatorImage,
    ExportRecipe,
    InstructionReport,
    InstructionResult,
    Instructions,
    OperationInstructions,
    Speed,
)

MIXED = resources.load_target("tflite-mixed").model_copy(update={"max_score_drop": None})
Times = Callable[[dict[str, set[str]]], float]


@pytest.fixture(scope="module")
def conversions(toy_dataset: Dataset) -> tuple[Any, Conversions]:
    """The tiny baseline, converted once for all tests of this module."""
    source = SimpleNamespace(model=build("baseline"), probe=SimpleNamespace(x=toy_dataset.val.x))
    return source, Conversions(toy_dataset)


def job(conversions: tuple[Any, Conversions], dataset: Dataset, **changes: Any) -> Any:
    recipe = changes.pop("recipe", MIXED)
    known = {"recipe": recipe, "bench": None, "progress": silent, "validation": None}
    return SimpleNamespace(conversions=conversions[1], dataset=dataset, **(known | changes))


def types(path: Path) -> dict[str, set[str]]:
    """Return the types of the outputs of every kind of operation."""
    found: dict[str, set[str]] = {}
    for each in tflite_file.read(path).operators:
        found.setdefault(each.op, set()).update(tensor.type for tensor in each.outputs)
    return found


def use_times(monkeypatch: pytest.MonkeyPatch, times: Times) -> list[float]:
    """Let a function of the types decide how long a file takes; all files agree with PyTorch."""
    seen: list[float] = []

    def compare(path: Path, float32: Path, window: NDArray[np.float32], turns: int) -> Speed:
        seen.append(times(types(path)))
        ratio = seen[-1]
        return Speed(p50_s=ratio, float32_p50_s=1.0, ratio=ratio, ratio_low=ratio, ratio_high=ratio)

    def check(*arguments: object) -> None:
        del arguments

    monkeypatch.setattr(_speed, "compare", compare)
    monkeypatch.setattr(_verify, "check", check)
    return seen


def test_a_kind_of_operation_that_is_slow_in_int8_stays_float32(
    monkeypatch: pytest.MonkeyPatch,
    conversions: tuple[Any, Conversions],
    toy_dataset: Dataset,
    tmp_path: Path,
) -> None:
    seen = use_times(monkeypatch, lambda found: 0.8 if "INT8" in found["MAX_POOL_2D"] else 0.4)
    found = _search.fastest(job(conversions, toy_dataset), conversions[0])
    assert found.ratio == min(seen) == 0.4
    assert "MAX_POOL_2D" in found.recipe.float_ops
    path = tmp_path / "f.tflite"
    path.write_bytes(found.content)
    assert types(path)["MAX_POOL_2D"] == {"FLOAT32"}
    assert {layer.dtype for layer in count(path) if layer.macs} == {"int8"}


def test_without_a_faster_file_everything_stays_float32(
    monkeypatch: pytest.MonkeyPatch, conversions: tuple[Any, Conversions], toy_dataset: Dataset
) -> None:
    use_times(monkeypatch, lambda found: 1.2)
    source, made = conversions
    found = _search.fastest(job(conversions, toy_dataset), source)
    assert found.content == made.file(source.model, resources.load_target("tflite"))


def test_where_int8_misses_a_limit_the_worst_layers_stay_float32(
    monkeypatch: pytest.MonkeyPatch, conversions: tuple[Any, Conversions], toy_dataset: Dataset
) -> None:
    use_times(monkeypatch, lambda found: 0.5)

    def check(path: Path, name: str, probe: object, recipe: ExportRecipe) -> None:
        if len(recipe.float_layers) < 2:
            raise MissedLimitError("It", "is too", "far.")

    def differences(*arguments: object) -> dict[str, float]:
        return {"dense": 0.5, "features.0": 0.3, "head": 0.1}

    monkeypatch.setattr(_verify, "check", check)
    monkeypatch.setattr(_rejection, "differences", differences)
    found = _search.fastest(job(conversions, toy_dataset), conversions[0])
    assert found.recipe.float_layers == ("dense", "features.0")


def test_only_int8_tflite_is_searched(
    conversions: tuple[Any, Conversions], toy_dataset: Dataset
) -> None:
    wrong = resources.load_target("onnx-int8").model_copy(update={"search": True})
    with pytest.raises(ExportError, match="for int8 TFLite files only"):
        _search.fastest(job(conversions, toy_dataset, recipe=wrong), conversions[0])


def report(tmp_path: Path, in_int8: dict[str, float]) -> tuple[Path, Any]:
    """Write a report in which every layer takes 1 in float32; return it and the layers."""
    layers = layer_costs(build("baseline"), (1, 256))
    results = [
        result(
            "cnn1d",
            f"{target}.tflite",
            format="tflite",
            nodes=layers,
            **timed(
                *((f"{layer.name} Convolution", times.get(layer.name, 1.0)) for layer in layers)
            ),
        )
        for target, times in (("tflite", {}), ("tflite-int8", in_int8))
    ]
    changed = [
        each.model_copy(
            update={
                "artifact": each.artifact.model_copy(
                    update={
                        "manifest": each.artifact.manifest.model_copy(update={"target": target})
                    }
                )
            }
        )
        for each, target in zip(results, ("tflite", "tflite-int8"), strict=True)
        if each.artifact.manifest is not None
    ]
    path = written(tmp_path, changed)
    return path, layers


def test_times_of_another_device_decide_by_layer(tmp_path: Path) -> None:
    fast = {"features.0": 1.5, "features.4": 0.2, "features.8": 0.2, "dense": 0.1, "head": 1.0}
    path, layers = report(tmp_path, fast)
    found = _search_times.read(path, "1" * 64, layers)
    assert found.slower == ("features.0", "head")
    # (1.5 + 0.2 + 0.2 + 0.1 + 1.0) of 5, less the 0.5 that features.0 is faster in float32.
    assert found.ratio == pytest.approx(2.5 / 5)


class Recurrent(nn.Module):
    """One LSTM on every eighth sample, and a head on its last step."""

    def __init__(self, bidirectional: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.lstm = nn.LSTM(1, 4, batch_first=True, bidirectional=bidirectional)
        self.head = nn.Linear(8 if bidirectional else 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(x[:, :, ::8].transpose(1, 2))[0][:, -1])


@pytest.mark.parametrize(("slower", "expected"), [((), "INT8"), (("lstm",), "FLOAT32")])
def test_an_lstm_that_is_slower_on_another_device_stays_float32(
    monkeypatch: pytest.MonkeyPatch,
    toy_dataset: Dataset,
    tmp_path: Path,
    slower: tuple[str, ...],
    expected: str,
) -> None:
    def read(*_: object) -> _search_times.Benched:
        return _search_times.Benched(slower, 0.9)

    monkeypatch.setattr(_search_times, "read", read)
    use_times(monkeypatch, lambda _: 0.9)
    source: Any = SimpleNamespace(
        model=Recurrent().eval(),
        probe=SimpleNamespace(x=toy_dataset.val.x),
        card=SimpleNamespace(weights_sha256="0" * 64),
    )
    asked = job((source, Conversions(toy_dataset)), toy_dataset, bench=Path("pi.json"))
    path = tmp_path / "found.tflite"
    path.write_bytes(_search.fastest(asked, source).content)
    assert types(path)["UNIDIRECTIONAL_SEQUENCE_LSTM"] == {expected}
    assert types(path)["FULLY_CONNECTED"] == {"INT8"}


def test_operations_that_the_quantiser_does_not_know_are_not_searched(
    monkeypatch: pytest.MonkeyPatch, toy_dataset: Dataset, tmp_path: Path
) -> None:
    # The second direction of an LSTM reverses its inputs, and its outputs back.
    use_times(monkeypatch, lambda found: 0.5 if "INT8" in found["FULLY_CONNECTED"] else 0.9)
    source: Any = SimpleNamespace(
        model=Recurrent(bidirectional=True).eval(), probe=SimpleNamespace(x=toy_dataset.val.x)
    )
    asked = job((source, Conversions(toy_dataset)), toy_dataset)
    path = tmp_path / "found.tflite"
    path.write_bytes(_search.fastest(asked, source).content)
    assert types(path)["REVERSE_V2"] == {"INT8"}
    assert types(path)["FULLY_CONNECTED"] == {"INT8"}


def counts(folder: Path, in_int8: dict[str, int]) -> tuple[Path, Any]:
    """Write counted instructions: every layer takes 4000 in float32; return them and the layers."""
    path, layers = report(folder, {})
    results = [
        InstructionResult(
            artifact=each.artifact,
            device=each.device.model_copy(update={"emulated": True}),
            runtime="litert 2.3.0",
            input_shape=(1, 1, 256),
            instructions=Instructions(
                per_inference=20_000,
                core="cortex-a76",
                emulator="qemu 7.2",
                operations=tuple(
                    OperationInstructions(
                        name=layer.name,
                        op="Convolution",
                        instructions=taken.get(layer.name, 4000),
                    )
                    for layer in layers
                ),
            ),
            proxy=each.proxy,
            parity=each.parity,
        )
        for each, taken in zip(
            BenchReport.from_json(path.read_bytes(), "it").results, ({}, in_int8), strict=True
        )
    ]
    image = EmulatorImage(
        recipe="1",
        architecture="arm64",
        python="3.11",
        kernel="linux",
        packages={},
        wheels={},
        kernel_sha256="3" * 64,
        root_sha256="4" * 64,
        created_utc="2026-01-02T03:04:05+00:00",
    )
    counted = InstructionReport(
        results=tuple(results),
        image=image,
        created_utc="2026-01-02T03:04:05+00:00",
        command="edgeecg bench",
        edgeecg_version="0",
    )
    path.write_text(counted.to_json(), encoding="utf-8")
    return path, layers


def test_instructions_on_an_emulated_core_decide_by_layer(tmp_path: Path) -> None:
    path, layers = counts(tmp_path, {"features.0": 6000, "features.4": 1000, "features.8": 1000})
    found = _search_times.read(path, "1" * 64, layers)
    # The two dense layers take as many in both types: int8 is the smaller file.
    assert found.slower == ("features.0",)
    # 6 + 1 + 1 + 4 + 4 of 20 thousand, less the 2 that features.0 takes fewer in float32.
    assert found.ratio == pytest.approx(14 / 20)


def test_times_of_another_model_are_refused(tmp_path: Path) -> None:
    path, layers = report(tmp_path, {})
    with pytest.raises(ExportError, match="no times of the operations of its 'tflite' file"):
        _search_times.read(path, "2" * 64, layers)
    with pytest.raises(UsageError, match=r"missing\.json.*cannot be read"):
        _search_times.read(tmp_path / "missing.json", "1" * 64, layers)


@pytest.mark.system
@pytest.mark.alone
def test_a_searched_file_is_never_slower_than_float32_beyond_the_spread(
    run: RunFolder, toy_dataset: Dataset
) -> None:
    made = _pipeline.export_run(run, [MIXED], toy_dataset, silent)
    for each in made:
        assert each.speed is not None
        assert each.speed.ratio_low <= 1.05


@pytest.mark.system
@pytest.mark.parametrize("name", names())
def test_every_model_can_be_searched(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Every kind of operation that is kept in float32 makes the file faster, so that all are tried.
    use_times(
        monkeypatch, lambda found: 0.3 + 0.01 * sum("INT8" in each for each in found.values())
    )
    shape = architecture(name).INPUT_SHAPE
    x = np.random.default_rng(0).normal(size=(6, *shape)).astype(np.float32)
    dataset: Any = SimpleNamespace(train=SimpleNamespace(x=x, y=np.arange(6) % 3))
    source: Any = SimpleNamespace(model=narrow(name), probe=SimpleNamespace(x=x))
    found = _search.fastest(job((source, Conversions(dataset)), dataset), source)
    assert 0.3 <= found.ratio < 0.6


def test_layers_that_cannot_be_kept_one_by_one_do_not_end_a_search() -> None:
    recipe = resources.load_target("tflite-mixed")
    slower = ("blocks.0.attention", "head", "no_module", "rnn")
    model = models.build("conv_transformer")
    found = _search.keeping(recipe, model, ("rnn",), slower)
    assert set(found.float_ops) - set(recipe.float_ops) <= {"BATCH_MATMUL", OPERATION}
    assert {"BATCH_MATMUL", OPERATION} <= set(found.float_ops)
    assert found.float_layers == ("head",)
