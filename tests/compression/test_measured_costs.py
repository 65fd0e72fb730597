"""Measured seconds of the layers decide what is cut, and a budget of latency is kept."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_runs import KilledError, dense_run, kill_at, small_run
from timed_layers import costs, dense_layers, timed
from torch import nn

from edgeecg.compression.budget import check_reachable, costs_by_kind, goal, prune_to_budget
from edgeecg.compression.pipeline import compress, planned
from edgeecg.costs import measured
from edgeecg.data import Dataset
from edgeecg.errors import UsageError
from edgeecg.files import sha256
from edgeecg.models import architecture, build, layer_costs
from edgeecg.pruning import masks
from edgeecg.pruning.channels import prune_channels
from edgeecg.runs import RunFolder
from edgeecg.schema import Budget, CompressionConfig, MeasuredCosts, TrainingConfig

CNN = architecture("cnn1d")


def slow(folder: Path, dear: str, model: str = "cnn1d") -> MeasuredCosts:
    """Return costs by which one layer takes nearly all of the time."""
    names = [layer.name for layer in dense_layers(model)]
    return costs(folder, model, **timed(*((n, 1e-2 if n == dear else 1e-5) for n in names)))


def asked(held: MeasuredCosts | None, *budgets: str, **changes: Any) -> CompressionConfig:
    return CompressionConfig(
        training=TrainingConfig(model="cnn1d"),
        costs=held,
        budgets=tuple(map(Budget.parse, budgets)),
        **changes,
    )


def left(model: nn.Module) -> dict[str, int]:
    """Return what each layer's outputs are now."""
    return {
        name: len(layer.get_parameter("weight"))
        for name, layer in model.named_modules()
        if isinstance(layer, (nn.Conv1d, nn.Linear))
    }


@pytest.fixture(scope="module")
def dense() -> nn.Module:
    torch.manual_seed(0)
    return build("cnn1d").eval()


def test_the_score_cuts_more_where_the_seconds_are(dense: nn.Module, tmp_path: Path) -> None:
    found: dict[str, dict[str, int]] = {}
    for dear in ("features.4", "features.8"):
        model = copy.deepcopy(dense)
        config = asked(slow(tmp_path, dear), sparsity=0.4, alpha=0.3)
        prune_channels(model, dense, CNN, config, 1.0)
        found[dear] = left(model)
    assert found["features.4"]["features.4"] < found["features.8"]["features.4"]
    assert found["features.8"]["features.8"] < found["features.4"]["features.8"]


def test_single_weights_go_where_the_seconds_are(dense: nn.Module, tmp_path: Path) -> None:
    zeros: dict[str, float] = {}
    for dear in ("features.4", "head"):
        model = copy.deepcopy(dense)
        config = asked(slow(tmp_path, dear), structure="none", sparsity=0.4, alpha=0.3)
        masks.zero_weights(model, config, 1.0, CNN.INPUT_SHAPE)
        zeros[dear] = float((model.get_parameter("features.4.weight") == 0).float().mean())
    assert zeros["features.4"] > zeros["head"]


def test_a_budget_of_latency_cuts_what_saves_seconds(dense: nn.Module, tmp_path: Path) -> None:
    found: dict[str, dict[str, int]] = {}
    for dear in ("features.4", "features.8"):
        config = asked(slow(tmp_path, dear), "latency=0.5")
        whole = goal(dense, CNN, config)
        assert whole is not None
        found[dear] = left(prune_to_budget(dense, dense, config, whole, 1.0))
    # What a slow layer reads and writes goes, and what saves next to nothing stays whole.
    before = left(dense)
    for dear, idle in (("features.4", ("features.8", "dense")), ("features.8", ("features.0",))):
        assert found[dear][dear] < before[dear]
        assert all(found[dear][name] == before[name] for name in idle)


@pytest.mark.parametrize("method", ["energy", "l1"])
def test_every_step_is_at_or_below_its_point_of_the_way(
    method: str, dense: nn.Module, tmp_path: Path
) -> None:
    held = costs(tmp_path)
    config = asked(held, "latency=0.4", "size=0.5", method=method)
    whole = goal(dense, CNN, config)
    assert whole is not None
    assert whole.dense["latency"] == pytest.approx(600e-6)
    model = dense
    for progress in (0.5, 1.0):
        model = prune_to_budget(model, dense, config, whole, progress)
        now = measured.seconds(layer_costs(model, CNN.INPUT_SHAPE), held)
        assert costs_by_kind(model, CNN, held)["latency"] == now
        assert now <= 600e-6 * 0.4**progress
    assert now > 600e-6 * 0.3


def test_latency_is_spent_only_where_it_is_known(dense: nn.Module) -> None:
    assert "latency" not in costs_by_kind(dense, CNN)


def test_what_stays_whatever_is_cut_is_out_of_reach(dense: nn.Module, tmp_path: Path) -> None:
    # The call and what comes before the first layer are half of the time.
    names = [layer.name for layer in dense_layers("cnn1d")]
    held = costs(tmp_path, **timed(("Pad", 5e-4), *((name, 1e-4) for name in names)))
    config = asked(held, "latency=0.4")
    whole = goal(dense, CNN, config)
    assert whole is not None
    with pytest.raises(UsageError, match="out of reach") as caught:
        check_reachable(dense, config, whole)
    assert "of its latency are left (predicted)" in caught.value.why
    named = caught.value.todo.partition("--budget ")[2].partition(";")[0]
    config = asked(held, named)
    whole = goal(dense, CNN, config)
    assert whole is not None
    assert whole.shares["latency"] > 0.5
    check_reachable(dense, config, whole)
    assert whole.met(prune_to_budget(dense, dense, config, whole, 1.0), 1.0)


def test_a_budget_of_latency_without_costs_says_how_to_get_them() -> None:
    with pytest.raises(UsageError, match="needs the seconds") as caught:
        planned(asked(None, "latency=0.3"))
    assert "edgeecg export MODEL --target tflite" in caught.value.todo
    assert "--costs" in caught.value.todo


def test_costs_of_another_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="do not fit") as caught:
        planned(asked(costs(tmp_path, "bilstm"), "macs=0.5"))
    assert "'bilstm'" in caught.value.why
    held = costs(tmp_path)
    layer = held.layers["dense"].model_copy(update={"macs": 7})
    other = held.model_copy(update={"layers": {**held.layers, "dense": layer}})
    with pytest.raises(UsageError, match="do not fit") as caught:
        planned(asked(other, structure="none"))
    assert (
        "Layer 'dense' has 131,072 MACs in the model and 7 in the measured file" in caught.value.why
    )


def test_a_latency_that_no_zero_saves_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="contradict"):
        planned(asked(costs(tmp_path), "latency=0.3", structure="none"))


def test_the_config_alone_decides_also_when_the_run_was_killed(
    toy_dataset: Dataset, tmp_path: Path
) -> None:
    start = dense_run(toy_dataset, tmp_path / "dense")
    held = slow(tmp_path, "features.4")
    job = small_run(toy_dataset, start, tmp_path / "whole", ("latency=0.5",), costs=held)
    log = compress(job)
    for step in log.steps:
        assert step.latency_predicted is not None
        assert step.latency_predicted <= 0.5**step.progress
    assert log.steps[-1].latency_predicted is not None
    assert log.steps[-1].latency_predicted > 0.35
    killed = replace(job, run=RunFolder(tmp_path / "killed"))
    with pytest.raises(KilledError):
        compress(kill_at(killed, 2))
    (tmp_path / "pi.json").unlink()
    kept = CompressionConfig.from_json(killed.run.config.read_bytes(), "config")
    assert kept == job.config
    compress(replace(killed, config=kept))
    assert sha256(killed.run.model_weights) == sha256(job.run.model_weights)


def test_without_costs_nothing_is_predicted(toy_dataset: Dataset, tmp_path: Path) -> None:
    start = dense_run(toy_dataset, tmp_path / "dense")
    log = compress(small_run(toy_dataset, start, tmp_path / "run", ("macs=0.6",), steps=1))
    assert [step.latency_predicted for step in log.steps] == [None]
