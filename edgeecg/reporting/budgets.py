"""The budgets of a run beside what its model and its exported files cost."""

from __future__ import annotations

from collections.abc import Sequence

from edgeecg.costs import budgets
from edgeecg.reporting import units
from edgeecg.schema import Artifact, Budget, CompressionLog

_WHY = (
    "A file's count also includes the activations of operations without weights (additions, "
    "pooling, transpositions) and the biases of folded batch normalisations."
)


def lines(log: CompressionLog | None, manifests: Sequence[Artifact]) -> tuple[str, ...]:
    """Return a sentence for each budget: what was counted in PyTorch, and what the files cost.

    Args:
        log: The run; None or a run without budgets gives no sentence.
        manifests: Its exported files; those of the baseline are left out.
    """
    if log is None or not manifests:
        return ()
    compressed = [each for each in manifests if each.role == "compressed"]
    found = [line for budget in log.config.budgets if (line := _line(budget, log, compressed))]
    explained = any(budget.kind == "energy" for budget in log.config.budgets)
    return (*found, _WHY) if found and explained else tuple(found)


def _line(budget: Budget, log: CompressionLog, files: Sequence[Artifact]) -> str | None:
    counted = [(each.target, budgets.of_file(budget, each)) for each in files]
    parts = [f"{target} {_verdict(budget, cost)}" for target, cost in counted if cost is not None]
    if not parts:
        return None
    model = budgets.of_model(budget, log)
    in_torch = [] if model is None else [f"PyTorch {_verdict(budget, model)}"]
    return f"Budget {budget}: {'; '.join([*in_torch, *parts])}."


def _verdict(budget: Budget, cost: float) -> str:
    """Return a cost, and whether it is within the budget."""
    within = "met" if cost <= budgets.limit(budget) else "exceeded"
    shown = f"{cost:.3f}" if budget.size_bytes is None else units.size(round(cost))
    return f"{shown}, {within}"
