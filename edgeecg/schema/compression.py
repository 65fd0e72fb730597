"""What ``edgeecg compress`` was asked for, and what it did."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from edgeecg.schema.costs import CostTotals
from edgeecg.schema.data import DataSummary
from edgeecg.schema.scores import Scores
from edgeecg.schema.training import TrainingConfig
from edgeecg.schema.value import Count, Fraction, Positive, Seconds, Value


class CompressionStep(Value):
    """One prune-and-fine-tune step.

    Attributes:
        step: 1-based number of the step.
        target_sparsity: What the schedule asked for at this step, over all prunable weights.
        sparsity: Part of the baseline's parameters that is now gone or zero.
        parameters: Parameters left in the module.
        nonzero_parameters: Parameters left that are not zero.
        macs: MACs per inference left.
        proxy_ideal: Proxy relative to the baseline, zeros free.
        proxy_executed: Proxy relative to the baseline, as executed.
        widths: The architecture's widths after this step.
        layer_sparsity: Part of each prunable layer's weights that is gone or zero.
        train_loss: Mean training loss of each fine-tuning epoch.
        val: Scores on the validation records after fine-tuning.
        seconds: Wall time of the step.
    """

    step: Annotated[int, Field(ge=1)]
    target_sparsity: Fraction
    sparsity: Fraction
    parameters: Count
    nonzero_parameters: Count
    macs: Count
    proxy_ideal: Annotated[float, Field(ge=0.0)]
    proxy_executed: Annotated[float, Field(ge=0.0)]
    widths: dict[str, tuple[int, ...]]
    layer_sparsity: dict[str, Fraction]
    train_loss: tuple[float, ...]
    val: Scores
    seconds: Seconds


class CompressionConfig(Value):
    """Everything that decides what ``edgeecg compress`` does; the same config, the same weights.

    Attributes:
        training: The dense model: which, on what records, with what seed; and how it is trained
            unless trained weights are at hand. Fine-tuning draws and disturbs windows alike.
        start: Run of ``edgeecg train`` whose model is the dense one; None for the package's.
        retrain: Train the dense model even where the package has its trained weights.
        structure: ``"channels"`` removes channels, LSTM units, attention heads and widths;
            ``"blocks"`` whole blocks too; ``"none"`` zeroes single weights.
        method: ``"energy"`` scores by magnitude and layer energy, ``"l1"`` by magnitude alone,
            ``"taylor"`` by gradient x weight and layer energy, ``"random"`` draws.
        reading: ``"target"`` prunes costly layers more, ``"protect"`` is the printed formula.
        alpha: Share of the magnitude in the score, 0..1.
        sparsity: Fraction of the prunable weights to remove in the end.
        steps: Number of prune-and-fine-tune steps.
        beta: Steepness of the schedule s_l(t) = S (1 - exp(-beta_l t)).
        depth_ratio: beta of the shallowest layer as a fraction of the deepest layer's.
        round_to: Counts of channels, units and dimensions are kept multiples of this; heads and
            blocks are whole as they are.
        distill: Learn from the dense teacher's logits while fine-tuning.
        distill_alpha: Share of the distillation term in the loss, 0..1.
        temperature: Softmax temperature of the distillation term.
        finetune_epochs: Epochs after each step.
        finetune_rate: Peak learning rate of fine-tuning.
    """

    version: ClassVar[str] = "edgeecg.config/2"

    training: TrainingConfig = TrainingConfig()
    start: str | None = None
    retrain: bool = False
    structure: Literal["channels", "blocks", "none"] = "channels"
    method: Literal["energy", "l1", "taylor", "random"] = "energy"
    reading: Literal["target", "protect"] = "target"
    alpha: Fraction = 0.5
    sparsity: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.75
    steps: Annotated[int, Field(ge=1, le=100)] = 5
    beta: Positive = 3.0
    depth_ratio: Annotated[float, Field(gt=0.0, le=1.0)] = 0.5
    round_to: Annotated[int, Field(ge=1, le=64)] = 4
    distill: bool = True
    distill_alpha: Fraction = 0.5
    temperature: Positive = 4.0
    finetune_epochs: Annotated[int, Field(ge=1)] = 2
    finetune_rate: Positive = 1e-3


class CompressionLog(Value):
    """``compression.json``: the whole story of a run, step by step.

    Attributes:
        config: What was asked for.
        data: What it ran on.
        steps: Every finished step, in order.
        baseline_costs: Counted costs of the dense model, the denominator of every proxy.
        command: The command line that started the run.
    """

    version: ClassVar[str] = "edgeecg.compression/1"

    config: CompressionConfig
    data: DataSummary
    steps: tuple[CompressionStep, ...]
    baseline_costs: CostTotals
    command: str
