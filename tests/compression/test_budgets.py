"""Budgets are met step by step, or the run says what could be."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_runs import KilledError, kill_at, small_run

from edgeecg.compression.budget import (
    check_reachable,
    costs_by_kind,
    goal,
    idle_settings,
    missed_sparsity,
    prune_to_budget,
)
from edgeecg.compression.pipeline import compress, planned
from edgeecg.data import Dataset
from edgeecg.errors import UsageError
from edgeecg.files import sha256
from edgeecg.models import architecture, build, layer_costs, parameters
from edgeecg.pruning.channels import prune_channels
from edgeecg.pruning.schedule import scheduled
from edgeecg.runs import RunFolder
from edgeecg.schema import Budget, CompressionConfig, TrainingConfig

CNN = architecture("cnn1d")


def asked(*budgets: str, **changes: Any) -> CompressionConfig:
    return CompressionConfig(
        training=TrainingConfig(model="cnn1d"),
        budgets=tuple(map(Budget.parse, budgets)),
        **changes,
    )


def test_what_a_dense_model_spends_by_hand() -> None:
    # 188,035 parameters of 4 bytes; MACs: kernel x inputs x outputs x positions, dense layers.
    found = costs_by_kind(build("cnn1d"), CNN)
    assert found["size"] == 752_140
    convolutions = 15 * 32 * 256 + 7 * 32 * 64 * 128 + 5 * 64 * 128 * 64
    assert found["macs"] == convolutions + 1024 * 128 + 128 * 3


@pytest.mark.parametrize(
    "budgets",
    [("energy=0.3",), ("macs=0.2",), ("size=150kB",), ("size=0.5", "macs=0.2")],
)
def test_every_step_is_at_or_below_its_point_of_the_way(budgets: tuple[str, ...]) -> None:
    config = asked(*budgets)
    dense = build("cnn1d")
    whole = goal(dense, CNN, config)
    assert whole is not None
    model, last = dense, costs_by_kind(dense, CNN)
    for progress in (0.5, 1.0):
        model = prune_to_budget(model, dense, config, whole, progress)
        now = costs_by_kind(model, CNN)
        for kind, share in whole.shares.items():
            assert now[kind] <= last[kind]
            assert now[kind] <= whole.dense[kind] * share**progress
        last = now
    # Not much further than was asked for: one of the budgets is nearly used up.
    assert max(last[kind] / whole.dense[kind] / share for kind, share in whole.shares.items()) > 0.8
    assert costs_by_kind(dense, CNN) == whole.dense


def test_a_size_in_bytes_is_a_share_of_the_dense_model() -> None:
    whole = goal(build("cnn1d"), CNN, asked("size=75214B"))
    assert whole is not None
    assert whole.shares == {"size": pytest.approx(0.1)}


def test_steps_follow_from_how_far_it_is() -> None:
    assert [planned(asked(text)).steps for text in ("energy=0.9", "energy=0.2", "macs=0.001")] == [
        1,
        5,
        10,
    ]
    config = asked(steps=7)
    assert planned(config) == config


def test_out_of_reach_names_the_smallest_and_that_one_works() -> None:
    dense = build("cnn1d")
    before = copy.deepcopy(dense.state_dict())
    for text in ("energy=0.001", "size=1kB"):
        config = asked(text)
        whole = goal(dense, CNN, config)
        assert whole is not None
        with pytest.raises(UsageError, match="out of reach") as caught:
            check_reachable(dense, config, whole)
        named = caught.value.todo.partition("--budget ")[2].partition(";")[0]
        config = asked(named)
        whole = goal(dense, CNN, config)
        assert whole is not None
        check_reachable(dense, config, whole)
        assert whole.met(prune_to_budget(dense, dense, config, whole, 1.0), 1.0)
    assert all(value.equal(before[key]) for key, value in dense.state_dict().items())


@pytest.mark.parametrize(
    ("config", "why"),
    [
        (asked("energy=0.2", structure="none"), "no budget gets nearer"),
        (asked("size=2MB"), "752.1 kB"),
    ],
)
def test_budgets_that_make_no_sense(config: CompressionConfig, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        planned(config)
    assert why in caught.value.why


def test_an_unreachable_budget_leaves_no_run(
    toy_dataset: Dataset, start: RunFolder, tmp_path: Path
) -> None:
    job = small_run(toy_dataset, start, tmp_path / "run", ("energy=0.001",))
    with pytest.raises(UsageError, match="out of reach"):
        compress(job)
    assert not job.run.path.exists()


def test_a_run_ends_at_or_below_its_budget_also_when_killed(
    toy_dataset: Dataset, start: RunFolder, tmp_path: Path
) -> None:
    job = small_run(toy_dataset, start, tmp_path / "whole", ("energy=0.3",))
    log = compress(job)
    assert [step.progress for step in log.steps] == [0.5, 1.0]
    assert log.steps[0].proxy_executed <= 0.3**0.5
    assert 0.24 < log.steps[1].proxy_executed <= 0.3
    assert all(step.target_sparsity is None for step in log.steps)
    assert log.steps[1].weight_bytes == 4 * log.steps[1].parameters
    assert log.stopped is None
    killed = replace(job, run=RunFolder(tmp_path / "killed"))
    with pytest.raises(KilledError):
        compress(kill_at(killed, 2))
    compress(killed)
    assert sha256(killed.run.model_weights) == sha256(job.run.model_weights)


def test_what_a_budget_leaves_without_effect_is_said_and_changes_nothing(
    toy_dataset: Dataset, start: RunFolder, tmp_path: Path
) -> None:
    job = small_run(toy_dataset, start, tmp_path / "plain", ("energy=0.6",), steps=1)
    assert compress(job).warnings == ()
    idle: dict[str, Any] = {"alpha": 0.1, "energy_term": "protect-costly"}
    changed = small_run(toy_dataset, start, tmp_path / "idle", ("energy=0.6",), steps=1, **idle)
    first, second = compress(changed).warnings
    assert "--alpha has no effect beside a budget" in first
    assert "--energy-term has no effect beside a budget" in second
    assert sha256(changed.run.model_weights) == sha256(job.run.model_weights)


@pytest.mark.parametrize("method", ["taylor", "l1"])
def test_class_weights_that_the_importance_of_each_class_leaves_without_effect_are_said(
    method: str,
) -> None:
    config = CompressionConfig.model_validate(
        {"method": method, "class_importance": "largest", "class_weight": "S=4"}
    )
    said = idle_settings(config)
    assert len(said) == (method == "taylor")
    assert all("--class-weight has no effect on the importance" in text for text in said)
    assert not idle_settings(config.model_copy(update={"class_importance": "together"}))


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ({"distill": False, "distill_alpha": 0.5}, ["--distill-alpha"]),
        ({"distill": False, "distill_features": 1.0}, ["--distill-features"]),
        ({"finetune_most": 9}, ["--finetune-most"]),
        ({"finetune_most": 9, "finetune_fidelity": 0.9}, []),
        ({"structure": "none", "round_to": 8}, ["--round"]),
        ({"method": "l1", "alpha": 0.1}, ["--alpha"]),
        (
            {"method": "l1", "energy_term": "protect-costly", "budgets": ["macs=0.5"]},
            ["--energy-term"],
        ),
        ({"alpha": 0.1, "distill_alpha": 0.5, "distill_features": 1.0, "round_to": 8}, []),
        ({"distill": False, "structure": "none", "method": "l1"}, []),
    ],
)
def test_settings_that_have_no_effect_are_said(changes: dict[str, Any], options: list[str]) -> None:
    said = idle_settings(CompressionConfig.model_validate(changes))
    assert [text.partition(" has no effect ")[0] for text in said] == options


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({"sparsity": 0.75, "round_to": 64}, True),
        ({"sparsity": 0.3, "round_to": 16}, True),
        ({"sparsity": 0.75}, False),
        ({"sparsity": 0.75, "round_to": 64, "budgets": ["macs=0.5"]}, False),
        ({"sparsity": 0.75, "round_to": 64, "structure": "none"}, False),
    ],
)
def test_a_sparsity_that_whole_channels_do_not_reach_is_said(
    changes: dict[str, Any], missed: bool
) -> None:
    config = CompressionConfig.model_validate(changes)
    said = missed_sparsity(build("cnn1d"), CNN, config)
    assert len(said) == missed
    assert all(f"The sparsity {config.sparsity:g} is missed" in text for text in said)


def test_the_sparsity_that_is_named_is_what_a_compression_reaches() -> None:
    dense = build("cnn1d")
    config = CompressionConfig(sparsity=0.75, round_to=64)
    (said,) = missed_sparsity(dense, CNN, config)
    pruned = copy.deepcopy(dense)
    prune_channels(pruned, dense, CNN, scheduled(config), 1.0)
    assert f"comes to {1 - parameters(pruned) / parameters(dense):.3f} of" in said


def test_layers_keep_a_balance_on_the_way_down() -> None:
    # The seed's schedule bounds each layer: no layer is emptied while others stay whole.
    dense = build("cnn1d")
    config = asked("macs=0.5")
    whole = goal(dense, CNN, config)
    assert whole is not None
    cut = prune_to_budget(dense, dense, config, whole, 1.0)
    before = {cost.name: cost.weight_bytes for cost in layer_costs(dense, CNN.INPUT_SHAPE)}
    after = {cost.name: cost.weight_bytes for cost in layer_costs(cut, CNN.INPUT_SHAPE)}
    assert min(after[name] / before[name] for name in before) > 0.1
