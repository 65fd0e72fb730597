"""Whether the budgets of a run are met by its exported files, in words."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from edgeecg.costs import budgets
from edgeecg.reporting import units
from edgeecg.schema import Artifact, Budget, BudgetCheck, CompressionConfig, CompressionLog

_WHY = (
    "A file's count also includes the activations of operations without weights (additions, "
    "pooling, transpositions) and the biases of folded batch normalisations."
)


def lines(log: CompressionLog | None, manifests: Sequence[Artifact]) -> tuple[str, ...]:
    """Return a sentence for each budget: whether the exported files keep it.

    Args:
        log: The run; None or a run without budgets gives no sentence.
        manifests: Its exported files; those of the baseline are left out.
    """
    found = budgets.checks(log, manifests)
    if log is None or not found:
        return ()
    said = [line for each in log.config.budgets if (line := _of_files(each, log, found))]
    exceeded = any(each.budget.startswith("energy") and not each.met for each in found)
    return (*said, _WHY) if exceeded else tuple(said)


def after_compression(log: CompressionLog) -> tuple[str, ...]:
    """Return a sentence for each budget of a run without files: how far its compression went.

    Args:
        log: The finished run.
    """
    return tuple(
        f"Budget {each}: compressed to {_amount(each, cost)}; {_decided_by(each)} decides."
        for each in log.config.budgets
        if (cost := budgets.of_model(each, log)) is not None
    )


def _decided_by(budget: Budget) -> str:
    if budget.kind == "latency":
        return "the measured time of the exported file"
    return f"the {'size' if budget.size_bytes else 'count'} of the exported file"


def _of_files(budget: Budget, log: CompressionLog, found: Sequence[BudgetCheck]) -> str | None:
    here = [each for each in found if each.budget == str(budget)]
    if not here:
        return None
    parts = [
        f"{each.target} {_amount(budget, each.cost)}, {'met' if each.met else 'exceeded'}"
        for each in here
    ]
    line = f"Budget {budget}: {'; '.join(parts)}."
    if all(each.met for each in here):
        return line
    counted = budgets.of_model(budget, log)
    if counted is not None:
        line += f" The compression went to {_amount(budget, counted)}, counted in PyTorch."
    tighter = budgets.tighter(budget, log, here)
    if tighter is not None:
        line += f" For files within the budget: {_compress(log.config, tighter)}"
    return line


def _compress(config: CompressionConfig, budget: Budget) -> str:
    """Return the command that compresses the dense model of a run to a budget."""
    if config.start is not None:
        start = ["--start", config.start]
    else:
        start = [config.training.model if config.custom is None else config.custom.file]
    return shlex.join(["edgeecg", "compress", *start, "--budget", str(budget)])


def _amount(budget: Budget, cost: float) -> str:
    """Return a cost as text, with so many digits that one above the limit is not shown as equal."""
    limit = budgets.limit(budget)
    if budget.size_bytes is not None:
        text = units.size(round(cost))
        if cost > limit and text == units.size(round(limit)):
            text = f"{units.count(round(cost))}\N{NO-BREAK SPACE}B"
        return text
    digits = 3
    while cost > limit and f"{cost:.{digits}f}" == f"{limit:.{digits}f}":
        digits += 1
    return f"{cost:.{digits}f}"
