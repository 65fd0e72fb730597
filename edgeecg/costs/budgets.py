"""What a compressed model costs in the terms of a budget, in PyTorch and as an exported file.

During compression the layers with weights are counted in PyTorch. A file is counted operation by
operation, so its count also includes the activations of operations without weights (additions,
pooling, transpositions) and the biases of folded batch normalisations. Relative to the baseline its
energy proxy is a little higher, because these parts shrink less than the products of matrices.
"""

from __future__ import annotations

from edgeecg.costs import proxy
from edgeecg.schema import Artifact, Budget, CompressionLog, ProxyCoefficients


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
