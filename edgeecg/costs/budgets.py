"""Whether a budget is met: what exported files cost, and what was counted during compression.

The count of the exported file decides. During compression the layers with weights are counted in
PyTorch, which says how far to go. A file is counted operation by operation, so its count also
includes the activations of operations without weights (additions, pooling, transpositions) and the
biases of folded batch normalisations. Relative to the baseline its energy proxy is a little higher,
because these parts shrink less than the products of matrices.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgeecg.costs import proxy
from edgeecg.schema import Artifact, Budget, BudgetCheck, CompressionLog, ProxyCoefficients


def limit(budget: Budget) -> float:
    """Return the largest cost that a budget allows: a share of the baseline, or bytes."""
    return budget.share if budget.share is not None else float(budget.size_bytes or 0)


def of_model(budget: Budget, log: CompressionLog) -> float | None:
    """Return the cost of the compressed model as it was counted in PyTorch.

    Args:
        budget: Says what is counted.
        log: The finished run.

    Returns:
        A share of the dense model's cost, or bytes; None where the log does not contain it.
    """
    if not log.steps:
        return None
    last = log.steps[-1]
    if budget.kind == "energy":
        return last.proxy_executed
    if budget.kind == "macs":
        return last.macs / sum(log.baseline_costs.macs.values())
    if budget.kind == "latency":
        return last.latency_predicted
    return None if budget.size_bytes is None else last.weight_bytes


def of_file(budget: Budget, manifest: Artifact) -> float | None:
    """Return the cost of an exported file.

    Args:
        budget: Says what is counted. Of an absolute size, all bytes of the file count.
        manifest: Of the file.

    Returns:
        A share of the baseline's float32 file of the same format, or bytes; None where it is not
        known, as a latency is before ``edgeecg bench``.
    """
    if budget.size_bytes is not None:
        return manifest.size_bytes
    if manifest.baseline is None or budget.kind == "latency":
        return None
    found, base = manifest.costs, manifest.baseline.costs
    if budget.kind == "energy":
        return proxy.relative(found, base, ProxyCoefficients()).executed
    if budget.kind == "macs":
        return sum(found.macs.values()) / sum(base.macs.values())
    return found.weight_bytes / base.weight_bytes


def checks(log: CompressionLog | None, manifests: Sequence[Artifact]) -> tuple[BudgetCheck, ...]:
    """Compare each compressed file of a run with each budget of the run.

    Args:
        log: The run; None or a run without budgets gives nothing.
        manifests: Its exported files; those of the baseline are left out.

    Returns:
        One check for each budget and file whose cost is known.
    """
    found: list[BudgetCheck] = []
    for budget in log.config.budgets if log else ():
        for manifest in manifests:
            cost = of_file(budget, manifest) if manifest.role == "compressed" else None
            if cost is not None:
                most = limit(budget)
                found.append(
                    BudgetCheck(
                        budget=str(budget),
                        target=manifest.target,
                        limit=most,
                        cost=cost,
                        met=cost <= most,
                    )
                )
    return tuple(found)


def tighter(budget: Budget, log: CompressionLog, found: Sequence[BudgetCheck]) -> Budget | None:
    """Return the budget to ask for so that the files keep the one that was asked for.

    What only the file's count includes hardly changes with a few channels more or less, so the
    budget is made smaller by it, and rounded down.

    Args:
        budget: The budget that a file exceeds.
        log: The run.
        found: The checks of this budget.

    Returns:
        The tighter budget; None where every file keeps the budget, where the compression did not
        reach it either, or where what is only in the file takes all of it.
    """
    exceeded = [each.cost for each in found if not each.met]
    counted, most = of_model(budget, log), limit(budget)
    if not exceeded or counted is None or counted > most:
        return None
    wanted = most - (max(exceeded) - counted)
    if budget.size_bytes is not None:
        size = math.floor(wanted / 100) * 100
        return Budget(kind="size", size_bytes=size) if size > 0 else None
    share = math.floor(wanted * 1000) / 1000
    return Budget(kind=budget.kind, share=share) if share > 0 else None
