"""The record of a compression: every step that was kept or undone; ``compression.json``."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from edgeecg.schema.compression import CompressionConfig
from edgeecg.schema.costs import CostTotals
from edgeecg.schema.data import DataSummary
from edgeecg.schema.fidelity import Fidelity
from edgeecg.schema.scores import Scores
from edgeecg.schema.value import Count, Fraction, Role, Seconds, Split, Value


class CompressionStep(Value):
    """One prune-and-fine-tune step.

    Attributes:
        step: 1-based number of the step among those that were kept.
        attempt: 1-based number among all that were tried; decides the draws of fine-tuning.
        progress: How far it is from the dense model (0) to what was asked for (1).
        target_sparsity: What the schedule asked for at this step, over all prunable weights; None
            where budgets are the target.
        sparsity: Part of the baseline's parameters that is now gone or zero.
        parameters: Parameters left in the module.
        weight_bytes: Bytes of these in float32.
        nonzero_parameters: Parameters left that are not zero.
        macs: MACs per inference left.
        proxy_ideal: Proxy relative to the baseline, zeros free.
        proxy_executed: Proxy relative to the baseline, as executed.
        latency_predicted: Seconds of an inference relative to the baseline, predicted and not
            measured; None where no layer costs were given.
        widths: The architecture's widths after this step.
        layer_sparsity: Part of each prunable layer's weights that is gone or zero.
        train_loss: Mean training loss of each fine-tuning epoch.
        val: Scores on the validation records after fine-tuning.
        fidelity: Agreement with the dense model, by where it was measured: ``"train"`` (augmented
            training windows; guards are checked there) and ``"val"``. Empty in logs of versions
            that did not measure it.
        seconds: Wall time of the step.
        pruning_seconds: Part of it that choosing and removing took; None in logs of versions that
            did not time it.
    """

    step: Annotated[int, Field(ge=1)]
    attempt: Annotated[int, Field(ge=1)]
    progress: Fraction
    target_sparsity: Fraction | None
    sparsity: Fraction
    parameters: Count
    weight_bytes: Count
    nonzero_parameters: Count
    macs: Count
    proxy_ideal: Annotated[float, Field(ge=0.0)]
    proxy_executed: Annotated[float, Field(ge=0.0)]
    latency_predicted: Annotated[float, Field(ge=0.0)] | None = None
    widths: dict[str, tuple[int, ...]]
    layer_sparsity: dict[str, Fraction]
    train_loss: tuple[float, ...]
    val: Scores
    fidelity: dict[Split, Fidelity] = Field(default={})
    seconds: Seconds
    pruning_seconds: Seconds | None = None


class Rollback(Value):
    """A step that broke a guard and was undone.

    Attributes:
        attempt: 1-based number among all steps that were tried.
        after_step: Number of the last kept step, which the run went back to; 0 for the dense model.
        progress: How far it had aimed, 0..1.
        broken: Each broken guard, and the validation score that broke it.
        nonzero_parameters: Parameters of the undone model that were not zero.
        weight_bytes: Bytes of these in float32.
        proxy_executed: Its proxy relative to the baseline, as executed.
        latency_predicted: As of a kept step.
        seconds: Wall time it took.
    """

    attempt: Annotated[int, Field(ge=1)]
    after_step: Count
    progress: Fraction
    broken: dict[str, Fraction]
    nonzero_parameters: Count
    weight_bytes: Count
    proxy_executed: Annotated[float, Field(ge=0.0)]
    latency_predicted: Annotated[float, Field(ge=0.0)] | None = None
    seconds: Seconds


class CompressionLog(Value):
    """``compression.json``: what a run did, step by step.

    Attributes:
        config: What was asked for.
        data: What it ran on.
        steps: Every step that was kept, in order.
        rollbacks: Every step that was undone, in order.
        stopped: Why the run ended before it was where it was asked to go, or None.
        fidelity: Agreement of the finished model with the dense model on the validation and test
            records; empty in logs of versions that did not measure it.
        recall: Recall of each class on the test records, of the dense and of the finished model;
            empty likewise.
        guards: What had to hold after every step, those of the database among them.
        warnings: What a reader of the guards should know, a sentence each.
        baseline_costs: Counted costs of the dense model, the denominator of every proxy.
        command: The command line that started the run.
        resumed: The command lines that went on with it, in order.
    """

    version: ClassVar[str] = "edgeecg.compression/3"

    config: CompressionConfig
    data: DataSummary
    steps: tuple[CompressionStep, ...]
    rollbacks: tuple[Rollback, ...] = ()
    stopped: str | None = None
    fidelity: dict[Split, Fidelity] = Field(default={})
    recall: dict[Role, dict[str, Fraction]] = Field(default={})
    guards: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    baseline_costs: CostTotals
    command: str
    resumed: tuple[str, ...] = ()
