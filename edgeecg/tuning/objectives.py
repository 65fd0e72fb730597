"""What a search trades off: the objectives, and the values of a trial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from edgeecg.costs import proxy
from edgeecg.errors import UnknownNameError, UsageError
from edgeecg.models import Architecture, build, layer_costs
from edgeecg.schema import (
    CompressionConfig,
    CompressionLog,
    CompressionStep,
    LayerCost,
    ProxyCoefficients,
    QuantizationLog,
    Scores,
)
from edgeecg.schema.search import Objective

_INT8_BYTES = 1
_FLOAT_BYTES = 4


def named(names: Sequence[str]) -> tuple[Objective, ...]:
    """Return the objectives of these names.

    Raises:
        UnknownNameError: There is no such objective.
    """
    known = {str(each): each for each in get_args(Objective)}
    for name in names:
        if name not in known:
            raise UnknownNameError("objective", name, known)
    return tuple(known[name] for name in names)


def check(objectives: Sequence[Objective], config: CompressionConfig, of: Architecture) -> None:
    """Check that every objective can be computed, and that together they leave a trade-off.

    Args:
        objectives: What is asked for.
        config: What all trials have in common.
        of: The architecture.

    Raises:
        UsageError: One needs what is not there, is named twice, or says the same as another.
    """
    if len(set(objectives)) < len(objectives):
        raise UsageError(
            "An objective is named twice.",
            f"The objectives are: {', '.join(objectives)}.",
            "Name each once.",
        )
    if "latency" in objectives and config.costs is None:
        raise UsageError(
            "The objective 'latency' needs the seconds of the model's layers.",
            "How long a smaller model takes is predicted from those, and none were given.",
            "Give them by --costs, or search for 'energy' instead.",
        )
    if config.costs is not None and {"latency", "energy"} <= set(objectives):
        raise UsageError(
            "With --costs the objectives 'energy' and 'latency' are the same number.",
            "Both are the predicted seconds relative to the dense model's: the power of a device "
            "is taken as constant.",
            "Name one of the two.",
        )
    if "macro_auroc" in objectives and of.TASK == "beats":
        raise UsageError(
            "The objective 'macro_auroc' cannot be computed.",
            "A beat has one class, and beats are scored by macro-F1.",
            "Use --objective macro_f1.",
        )


def of_step(step: CompressionStep, config: CompressionConfig) -> dict[Objective, float]:
    """Return the values of the float32 model after a step.

    Args:
        step: The step.
        config: Of the run; with layer costs, energy is predicted from them, too.
    """
    found = _scores(step.val)
    found["size"] = float(step.weight_bytes)
    found["energy"] = step.proxy_executed
    if config.costs is not None and step.latency_predicted is not None:
        found["energy"] = found["latency"] = step.latency_predicted
    return found


def of_run(
    log: CompressionLog, int8: QuantizationLog | None, of: Architecture
) -> dict[Objective, float]:
    """Return the values of a compressed model.

    A model that is prepared for int8 has the scores and the size of its int8 file, and its counted
    energy. Layer costs are measured in float32, and so its predicted latency is that of float32.

    Args:
        log: The log of the run.
        int8: What int8 did to the model, or None.
        of: The architecture.
    """
    if not log.steps:
        # Every step was undone: what is left is the dense model, which no trial needs to find.
        raise UsageError(
            "Nothing could be removed.",
            log.stopped or "The run has no steps.",
            "Lower the guard.",
        )
    last = log.steps[-1]
    found = of_step(last, log.config)
    if int8 is None or int8.kept == "none":
        return found
    found.update(_scores(int8.val))
    layers = layer_costs(build(of, last.widths), of.INPUT_SHAPE)
    rounded = [_as_int8(layer) for layer in layers if layer.name not in int8.float_layers]
    kept = [layer for layer in layers if layer.name in int8.float_layers]
    saved = sum(layer.weight_bytes for layer in layers) - sum(
        layer.weight_bytes for layer in (*rounded, *kept)
    )
    found["size"] = float(last.weight_bytes - saved)
    if log.config.costs is None:
        coefficients = ProxyCoefficients()
        dense = proxy.executed(log.baseline_costs, coefficients)
        found["energy"] = proxy.executed(proxy.totals((*rounded, *kept)), coefficients) / dense
    return found


def _scores(val: Scores) -> dict[Objective, float]:
    found: dict[Objective, float] = {"macro_f1": val.macro_f1}
    if val.macro_auroc is not None:
        found["macro_auroc"] = val.macro_auroc
    return found


def _as_int8(layer: LayerCost) -> LayerCost:
    """Return the costs of a layer whose weights and activations take one byte each."""
    return layer.model_copy(
        update={
            "dtype": "int8",
            "weight_bytes": layer.weight_bytes * _INT8_BYTES // _FLOAT_BYTES,
            "activation_bytes": layer.activation_bytes * _INT8_BYTES // _FLOAT_BYTES,
        }
    )
