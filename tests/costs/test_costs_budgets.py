"""Budgets of a run against the counts of PyTorch and of exported files, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from edgeecg.costs import budgets
from edgeecg.schema import (
    Artifact,
    Baseline,
    Budget,
    BudgetCheck,
    CompressionConfig,
    CompressionLog,
    CompressionStep,
    CostTotals,
    DataSummary,
    ModelCard,
    Parity,
    Preprocessing,
)


def totals(macs: int, weight_bytes: int, activation_bytes: int) -> CostTotals:
    return CostTotals(
        macs={"float32": macs},
        nonzero_macs={"float32": macs},
        weight_bytes=weight_bytes,
        nonzero_weight_bytes=weight_bytes,
        activation_bytes=activation_bytes,
    )


@pytest.fixture
def manifest() -> Artifact:
    """A file with a tenth of the products, but half of the activations, of the baseline's."""
    fields: dict[str, Any] = {
        "name": "toy-compressed-onnx",
        "role": "compressed",
        "format": "onnx",
        "dtype": "float32",
        "target": "onnx",
        "model": "cnn1d",
        "run": "toy",
        "parameters": 1000,
        "classes": ("N", "S", "V"),
        "input_shape": (1, 1, 256),
        "preprocessing": Preprocessing(),
        "data": "synthetic",
        "weights_sha256": "0" * 64,
        "layers": (),
        "costs": totals(1000, 4000, 10_000),
        "baseline": Baseline(weights_sha256="1" * 64, costs=totals(10_000, 40_000, 20_000)),
        "verification": Parity(n=None, max_abs_diff=None, label_agreement=None, reason="toy"),
        "test": None,
        "versions": {},
        "git_revision": None,
        "size_bytes": 5200,
    }
    return Artifact(**fields)


@pytest.fixture
def log(model_card: ModelCard) -> CompressionLog:
    """A run whose last step keeps a tenth of the products as counted in PyTorch."""
    data: DataSummary = model_card.data
    step: dict[str, Any] = {
        "step": 1,
        "attempt": 1,
        "progress": 1.0,
        "target_sparsity": None,
        "sparsity": 0.9,
        "parameters": 1000,
        "weight_bytes": 4000,
        "nonzero_parameters": 1000,
        "macs": 1000,
        "proxy_ideal": 0.1,
        "proxy_executed": 0.1,
        "widths": model_card.widths,
        "layer_sparsity": {},
        "val": model_card.val,
        "train_loss": (),
        "seconds": 1.0,
    }
    return CompressionLog(
        config=CompressionConfig(),
        data=data,
        steps=(CompressionStep(**step),),
        baseline_costs=totals(10_000, 40_000, 5000),
        command="edgeecg compress",
    )


def test_the_energy_of_a_file_counts_its_activations(
    manifest: Artifact, log: CompressionLog
) -> None:
    # 4.6 pJ a MAC, 12.5 pJ a byte of weights, 2.5 pJ a byte of activations.
    file = 4.6 * 1000 + 12.5 * 4000 + 2.5 * 10_000
    base = 4.6 * 10_000 + 12.5 * 40_000 + 2.5 * 20_000
    budget = Budget.parse("energy=0.12")
    assert budgets.of_file(budget, manifest) == pytest.approx(file / base)
    assert budgets.of_model(budget, log) == 0.1
    # Met in PyTorch, and exceeded by the file.
    assert 0.1 < budgets.limit(budget) < file / base


@pytest.mark.parametrize(
    ("text", "limit", "file", "model"),
    [
        ("macs=0.2", 0.2, 0.1, 0.1),
        ("size=0.2", 0.2, 0.1, None),
        ("size=5kB", 5000, 5200, 4000),
        ("latency=0.2", 0.2, None, None),
    ],
)
def test_each_kind_of_budget_has_its_own_unit(
    text: str,
    limit: float,
    file: float | None,
    model: float | None,
    manifest: Artifact,
    log: CompressionLog,
) -> None:
    budget = Budget.parse(text)
    assert budgets.limit(budget) == limit
    assert budgets.of_file(budget, manifest) == file
    assert budgets.of_model(budget, log) == model


def test_a_file_without_baseline_has_no_relative_cost(manifest: Artifact) -> None:
    alone = manifest.model_copy(update={"baseline": None})
    assert budgets.of_file(Budget.parse("energy=0.2"), alone) is None
    assert budgets.of_file(Budget.parse("size=5kB"), alone) == 5200


def test_the_tighter_budget_leaves_room_for_what_only_the_file_counts(log: CompressionLog) -> None:
    # 0.148 counted in PyTorch, 0.153 in the file, 0.15 asked for.
    step = log.steps[-1].model_copy(update={"proxy_executed": 0.148})
    run = log.model_copy(update={"steps": (step,)})
    budget = Budget.parse("energy=0.15")

    def check(cost: float) -> BudgetCheck:
        return BudgetCheck(
            budget=str(budget), target="onnx", limit=0.15, cost=cost, met=cost <= 0.15
        )

    found = budgets.tighter(budget, run, [check(0.149), check(0.1534)])
    # 0.15 - (0.1534 - 0.148) = 0.1446, rounded down.
    assert found == Budget.parse("energy=0.144")
    assert budgets.tighter(budget, run, [check(0.149)]) is None
    assert budgets.tighter(budget, run, [check(0.4)]) is None
