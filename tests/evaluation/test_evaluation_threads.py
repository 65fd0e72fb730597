"""How many threads scoring and classifying take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from evaluated import write_model, write_onnx
from numpy.typing import NDArray
from threadpoolctl import threadpool_info

from edgeecg import runtimes
from edgeecg.data import DataRequest, Dataset
from edgeecg.data.sources import _synthetic_beats
from edgeecg.evaluation import named, predictors, scoring
from edgeecg.evaluation.threads import limited_threads
from edgeecg.schema import ModelCard


def blas_threads() -> list[int]:
    """Return the number of threads of each BLAS library in this process."""
    return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]


@pytest.fixture(autouse=True)
def three_threads() -> Any:
    """Start with three threads, as on a machine with that many cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_limits_hold_inside_the_block_only() -> None:
    before = blas_threads()
    assert before
    with limited_threads(1):
        assert torch.get_num_threads() == 1
        assert set(blas_threads()) == {1}
    assert torch.get_num_threads() == 3
    assert blas_threads() == before


@pytest.mark.parametrize(("options", "expected"), [({}, 1), ({"threads": 2}, 2)])
def test_a_model_is_scored_on_the_threads_that_are_asked_for(
    options: dict[str, Any],
    expected: int,
    toy_dataset: Dataset,
    model_card: ModelCard,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    used: list[int] = []

    def load_dataset(request: DataRequest, on_record: object) -> Dataset:
        return toy_dataset

    def predict(model: object, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        used.append(torch.get_num_threads())
        return np.zeros((len(windows), 3), np.float32)

    monkeypatch.setattr(scoring, "load_dataset", load_dataset)
    monkeypatch.setattr(predictors, "predict", predict)
    weights = write_model(tmp_path / "mine.safetensors", model_card)
    named.evaluate(str(weights), "synthetic", **options)
    assert used == [expected]
    assert torch.get_num_threads() == 3


def test_records_are_classified_on_the_threads_that_are_asked_for(
    model_card: ModelCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[int] = []

    def predict(model: object, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        used.append(torch.get_num_threads())
        return np.zeros((len(windows), 3), np.float32)

    monkeypatch.setattr(predictors, "predict", predict)
    (tmp_path / "records").mkdir()
    _synthetic_beats.generate(tmp_path / "records", seed=5, names=("a",), duration_s=60)
    weights = write_model(tmp_path / "mine.safetensors", model_card)
    named.classify(str(weights), tmp_path / "records")
    named.classify(str(weights), tmp_path / "records", threads=2)
    assert used == [1, 2]


@pytest.mark.parametrize(("options", "expected"), [({}, 1), ({"threads": 2}, 2)])
def test_a_file_is_scored_on_the_threads_that_are_asked_for(
    options: dict[str, Any],
    expected: int,
    toy_dataset: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    used: list[int] = []
    runtime = runtimes.get("onnxruntime")
    load: Callable[..., runtimes.Session] = runtime.load

    def load_dataset(request: DataRequest, on_record: object) -> Dataset:
        return toy_dataset

    def watched(path: Path, threads: int = 0, spin: bool | None = None) -> runtimes.Session:
        used.append(threads)
        return load(path, threads, spin)

    monkeypatch.setattr(scoring, "load_dataset", load_dataset)
    monkeypatch.setattr(runtime, "load", watched)
    named.evaluate(str(write_onnx(tmp_path / "one.onnx")), "synthetic", **options)
    assert used == [expected]
