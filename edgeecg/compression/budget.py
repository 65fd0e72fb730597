"""Budgets: what the compressed model may cost, and what it may cost after each step.

The costs fall geometrically: a cost that may be the share r of the dense model's in the end may be
r^p at progress p (0 to 1), so that every step removes the same part of what is left.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import nn

from edgeecg.costs import measured, proxy
from edgeecg.errors import EdgeECGError, UsageError
from edgeecg.models import Architecture, layer_costs, parameters
from edgeecg.pruning.channels import prune_channels
from edgeecg.pruning.importance import WeightImportance
from edgeecg.pruning.schedule import scheduled
from edgeecg.schema import Budget, BudgetKind, CompressionConfig, MeasuredCosts, ProxyCoefficients
from edgeecg.schema.options import option_of
from edgeecg.training.cards import weight_bytes

_STEP_KEEPS = 0.72
_MOST_STEPS = 10
_EVERYTHING = 0.999
# Whole channels come in larger parts than weights; less than this is not worth a warning.
_MISSED = 0.01


@dataclass(frozen=True)
class Goal:
    """What the budgets of a run ask for.

    Attributes:
        architecture: The architecture.
        dense: Costs of the dense model, by kind.
        shares: The share of these that the compressed model may cost, 0..1, by kind.
        costs: Measured seconds of the dense model's layers, or None.
    """

    architecture: Architecture
    dense: Mapping[BudgetKind, float]
    shares: Mapping[BudgetKind, float]
    costs: MeasuredCosts | None = None

    def met(self, model: nn.Module, progress: float) -> bool:
        """Whether a model costs no more than it may at this progress.

        Args:
            model: A model of the architecture.
            progress: 0 (the dense model) to 1 (every budget is kept).
        """
        now = costs_by_kind(model, self.architecture, self.costs)
        return all(
            now[kind] <= self.dense[kind] * share**progress for kind, share in self.shares.items()
        )

    @property
    def steps(self) -> int:
        """Number of steps such that each leaves about 72 % of what the one before it left."""
        lowest = min(self.shares.values())
        return min(_MOST_STEPS, max(1, round(math.log(lowest) / math.log(_STEP_KEEPS))))


def costs_by_kind(
    model: nn.Module, architecture: Architecture, costs: MeasuredCosts | None = None
) -> dict[BudgetKind, float]:
    """Return the costs of a model: executed proxy in picojoules, MACs, bytes of float32 weights.

    With measured costs of the dense model's layers, also the predicted seconds of an inference.
    """
    layers = layer_costs(model, architecture.INPUT_SHAPE)
    found: dict[BudgetKind, float] = {
        "energy": proxy.executed(proxy.totals(layers), ProxyCoefficients()),
        "macs": sum(layer.macs for layer in layers),
        "size": weight_bytes(model),
    }
    if costs is not None:
        found["latency"] = measured.seconds(layers, costs)
    return found


def goal(dense: nn.Module, architecture: Architecture, config: CompressionConfig) -> Goal | None:
    """Return what the budgets of a run ask for; None when it has none.

    Raises:
        UsageError: The dense model is within a budget already.
    """
    if not config.budgets:
        return None
    before = costs_by_kind(dense, architecture, config.costs)
    shares: dict[BudgetKind, float] = {}
    for budget in config.budgets:
        share = budget.share
        if share is None:
            share = (budget.size_bytes or 0) / before["size"]
        if share >= 1:
            raise UsageError(
                f"There is nothing to do for the budget '{budget}'.",
                f"The dense model has {_in_words('size', before['size'])} of weights already.",
                "Ask for less.",
            )
        shares[budget.kind] = min(share, shares.get(budget.kind, 1.0))
    return Goal(architecture, before, shares, config.costs)


def check_structure(config: CompressionConfig) -> None:
    """Refuse budgets for a model that keeps its shape.

    Raises:
        UsageError: Single weights are to be zeroed, and there is a budget.
    """
    if config.budgets and config.structure == "none":
        raise UsageError(
            f"The budget '{config.budgets[0]}' and '--structure none' contradict each other.",
            "Single zeros are multiplied and stored like any number: no budget gets nearer.",
            "Leave '--structure none' out, or give '--sparsity' in place of the budget.",
        )


def missed_sparsity(
    dense: nn.Module, architecture: Architecture, config: CompressionConfig
) -> tuple[str, ...]:
    """Return a warning where the channels that a sparsity may remove hold too few of the weights.

    Args:
        dense: A model of the dense widths; its weights do not matter, and it is not changed.
        architecture: Its architecture.
        config: Sparsity, structure, schedule and rounding.
    """
    if config.budgets or config.structure == "none":
        return ()
    smallest = copy.deepcopy(dense).cpu()
    # When everything is removed, the order does not matter.
    everything = config.model_copy(update={"method": "l1"})
    prune_channels(smallest, dense, architecture, scheduled(everything), 1.0, lambda _: False)
    most = 1 - parameters(smallest) / parameters(dense)
    if most > config.sparsity - _MISSED:
        return ()
    return (
        f"The sparsity {config.sparsity:g} is missed: with --round {config.round_to} what each "
        f"layer may lose of it comes to {most:.3f} of the parameters. A smaller --round, a higher "
        "--sparsity or a --budget removes more.",
    )


def idle_settings(config: CompressionConfig) -> tuple[str, ...]:
    """Return warnings for settings of options that were changed and have no effect beside others.

    Args:
        config: What is asked for.
    """
    fields = CompressionConfig.model_fields
    return tuple(
        f"{option_of(fields[name])} has no effect {why}"
        for name, why in _without_effect(config)
        if getattr(config, name) != fields[name].default
    )


def _without_effect(config: CompressionConfig) -> Iterator[tuple[str, str]]:
    """Yield each setting that has no effect beside the others, and where and why it has none."""
    energy = ("alpha", "energy_term")
    if config.method in ("l1", "random"):
        yield from (
            (name, f"with --method {config.method}: its score has no energy term.")
            for name in energy
        )
    elif config.budgets:
        why = "beside a budget: what is removed is ranked by its importance per cost saved."
        yield from ((name, why) for name in energy)
    if config.method == "taylor" and config.class_importance == "largest":
        yield (
            "class_weight",
            "on the importance with --class-importance largest: each class counts as much as any "
            "other there.",
        )
    if config.structure == "none":
        yield "round_to", "with --structure none: every layer keeps its width."
    if not config.distill:
        why = "with --no-distill: nothing is learned from the dense model."
        yield from ((name, why) for name in ("distill_alpha", "distill_features"))
    if config.finetune_fidelity is None:
        yield "finetune_most", "without --finetune-fidelity: every step has its own epochs alone."


def check_costs(dense: nn.Module, architecture: Architecture, config: CompressionConfig) -> None:
    """Refuse layer costs of another model, and a budget of latency without any.

    Raises:
        UsageError: They do not fit, or are not there.
    """
    if config.costs is not None:
        measured.check(
            config.costs, config.training.model, layer_costs(dense, architecture.INPUT_SHAPE)
        )
        return
    timed = [budget for budget in config.budgets if budget.kind == "latency"]
    if timed:
        raise UsageError(
            f"The budget '{timed[0]}' needs the seconds of the model's layers.",
            "How long a smaller model takes is predicted from those, and none were given.",
            f"Give them by --costs. {measured.HOW}",
        )


def check_reachable(dense: nn.Module, config: CompressionConfig, goal: Goal) -> None:
    """Refuse budgets that stay out of reach when everything is removed that may be removed.

    Args:
        dense: A model of the dense widths; its weights do not matter, and it is not changed.
        config: Structure and rounding.
        goal: What the budgets ask for.

    Raises:
        UsageError: A budget is out of reach; names the smallest that is reachable.
    """
    floor = copy.deepcopy(dense).cpu()
    # When everything is removed, the order does not matter.
    everything = _with_sparsity(config, _EVERYTHING).model_copy(update={"method": "l1"})
    prune_channels(floor, dense, goal.architecture, everything, 1.0, lambda _: False)
    least = costs_by_kind(floor, goal.architecture, goal.costs)
    for budget in config.budgets:
        share = least[budget.kind] / goal.dense[budget.kind]
        if share > goal.shares[budget.kind]:
            raise _out_of_reach(budget, config, least, goal)


def _out_of_reach(
    budget: Budget, config: CompressionConfig, least: Mapping[BudgetKind, float], goal: Goal
) -> UsageError:
    """Return the error of a budget below what is left when everything is cut that may be cut."""
    share = least[budget.kind] / goal.dense[budget.kind]
    # Rounded up: what is named can be asked for.
    thousandths, kilobytes = math.ceil(share * 1000), math.ceil(least["size"] / 100) / 10
    if budget.size_bytes is None:
        nothing, reachable = thousandths >= 1000, f"{budget.kind}={thousandths / 1000:g}"
    else:
        nothing, reachable = 1000 * kilobytes >= goal.dense["size"], f"size={kilobytes:g}kB"
    if nothing:
        return UsageError(
            f"The budget '{budget}' is out of reach.",
            f"With '--round {config.round_to}' nothing of this model can be removed, or too little "
            "to be named.",
            "Give a smaller --round." if config.round_to > 1 else "Compress another model.",
        )
    return UsageError(
        f"The budget '{budget}' is out of reach.",
        f"With everything cut that may be cut, {_in_words(budget.kind, share)} are left"
        f"{' (predicted)' if budget.kind == 'latency' else ''}.",
        f"The smallest reachable is --budget {reachable}; a smaller --round may help.",
    )


def prune_to_budget(
    model: nn.Module,
    dense: nn.Module,
    config: CompressionConfig,
    goal: Goal,
    progress: float,
    weight_importance: WeightImportance | None = None,
) -> nn.Module:
    """Return a copy with channels removed until it costs no more than it may.

    How much each layer may lose follows from the schedule at a sparsity. This sparsity is searched:
    it starts at what the budgets ask to remove, and is increased until they can be met.

    Args:
        model: The model to prune, on the CPU; not changed.
        dense: The model before any pruning.
        config: Score, schedule and rounding.
        goal: What the budgets ask for.
        progress: 0 (the dense model) to 1 (every budget is kept).
        weight_importance: Measures single weights; their magnitude if left out.

    Raises:
        EdgeECGError: Removing everything that may be removed is not enough.
    """
    lowest = min(goal.shares.values()) ** progress
    for sparsity in _increasing(1 - lowest):
        trial = copy.deepcopy(model)
        prune_channels(
            trial, dense, goal.architecture, _with_sparsity(config, sparsity), 1.0,
            lambda tried: goal.met(tried, progress), weight_importance,
        )  # fmt: skip
        if goal.met(trial, progress):
            return trial
    raise EdgeECGError(
        f"The budget '{', '.join(map(str, config.budgets))}' cannot be reached from here.",
        f"Everything was cut that may be cut, and {progress:.0%} of the way is not done.",
        "Ask for a larger budget, or for a smaller --round.",
    )


def _with_sparsity(config: CompressionConfig, sparsity: float) -> CompressionConfig:
    """Return the configuration that removes this share of the weights, without budgets."""
    return scheduled(config).model_copy(update={"sparsity": sparsity, "budgets": ()})


def _increasing(first: float) -> Iterator[float]:
    """Yield shares that start at ``first`` and approach 1; each step takes a third of the rest."""
    share = min(first, _EVERYTHING)
    while share < 0.98:
        yield share
        share += (1 - share) / 3
    yield _EVERYTHING


def _in_words(kind: BudgetKind, value: float) -> str:
    """Return bytes as kilobytes, and a share as a percentage of its kind."""
    if kind == "size" and value > 1:
        return f"{value / 1000:,.1f} kB"
    return f"{value:.1%} of its {kind}"
