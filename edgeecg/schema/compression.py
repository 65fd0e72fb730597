"""What ``edgeecg compress`` was asked for, and what it did."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from edgeecg.schema.constraints import Budget, Guard
from edgeecg.schema.costs import CostTotals
from edgeecg.schema.data import DataSummary
from edgeecg.schema.measured_costs import MeasuredCosts
from edgeecg.schema.quantization import Quantize
from edgeecg.schema.scores import Scores
from edgeecg.schema.training import TrainingConfig
from edgeecg.schema.value import Count, Fraction, Positive, Seconds, Sha256, Value


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


class CustomModule(Value):
    """A user's own module.

    Attributes:
        file: Absolute path of its Python file, a colon, its function.
        sha256: Hash of the file.
    """

    file: str
    sha256: Sha256


class CompressionConfig(Value):
    """Everything that decides what ``edgeecg compress`` does; the same config, the same weights.

    Attributes:
        training: The dense model: which, on what records, with what seed; and how it is trained
            unless trained weights are at hand. Fine-tuning draws and disturbs windows alike.
        own: Where the model comes from when it is a user's own.
        start: Run of ``edgeecg train`` whose model is the dense one; None for the package's.
        retrain: Train the dense model even where the package has its trained weights.
        structure: ``"channels"`` removes channels, LSTM units, attention heads and widths;
            ``"blocks"`` whole blocks too; ``"none"`` zeroes single weights.
        method: ``"energy"`` scores by magnitude and layer energy, ``"l1"`` by magnitude alone,
            ``"taylor"`` by gradient x weight and layer energy, ``"random"`` draws.
        reading: ``"target"`` prunes costly layers more, ``"protect"`` is the printed formula.
        alpha: Share of the magnitude in the score, 0..1.
        sparsity: Fraction of the prunable weights to remove in the end; not used with budgets.
        steps: Number of prune-and-fine-tune steps; rollbacks to gentler ones come on top.
        costs: Seconds of the dense model's layers on a board, which then stand for the layers'
            energy in the score; None leaves that to the analytic proxy.
        budgets: What the model may cost in the end, each of them; with none, ``sparsity`` decides.
        guards: Validation scores that have to stay after every step.
        retries: Times a step that broke a guard is tried again gentler before the run ends.
        schedule: ``"exponential"`` as below; ``"uniform"``: all layers alike, growing linearly.
        beta: Steepness of the schedule s_l(t) = S (1 - exp(-beta_l t)).
        depth_ratio: beta of the shallowest layer as a fraction of the deepest layer's.
        round_to: Counts of channels, units and dimensions are kept multiples of this; heads and
            blocks are whole as they are.
        distill: Learn from the dense teacher's logits while fine-tuning.
        distill_alpha: Share of the distillation term in the loss, 0..1. On DS1's validation
            patients 0.9 loses less than 0.5: 0.005 to 0.009 of macro-F1 in each of three seeds.
        temperature: Softmax temperature of the distillation term.
        finetune_epochs: Epochs after each step.
        finetune_rate: Peak learning rate of fine-tuning.
        quantize: ``"ptq"`` finds the layers that int8 hurts, for export to keep in float32;
            ``"qat"`` fine-tunes once more before, with int8's rounding on; ``"none"`` does neither.
    """

    version: ClassVar[str] = "edgeecg.config/2"

    training: TrainingConfig = TrainingConfig()
    own: CustomModule | None = None
    start: str | None = None
    retrain: bool = False
    structure: Literal["channels", "blocks", "none"] = "channels"
    method: Literal["energy", "l1", "taylor", "random"] = "energy"
    reading: Literal["target", "protect"] = "target"
    alpha: Fraction = 0.5
    sparsity: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.75
    steps: Annotated[int, Field(ge=1, le=100)] = 5
    costs: MeasuredCosts | None = None
    budgets: tuple[Budget, ...] = ()
    guards: tuple[Guard, ...] = ()
    retries: Annotated[int, Field(ge=0, le=10)] = 3
    schedule: Literal["exponential", "uniform"] = "exponential"
    beta: Positive = 3.0
    depth_ratio: Annotated[float, Field(gt=0.0, le=1.0)] = 0.5
    round_to: Annotated[int, Field(ge=1, le=64)] = 4
    distill: bool = True
    distill_alpha: Fraction = 0.9
    temperature: Positive = 4.0
    finetune_epochs: Annotated[int, Field(ge=1)] = 2
    finetune_rate: Positive = 1e-3
    quantize: Quantize = "none"


class CompressionLog(Value):
    """``compression.json``: the whole story of a run, step by step.

    Attributes:
        config: What was asked for.
        data: What it ran on.
        steps: Every step that was kept, in order.
        rollbacks: Every step that was undone, in order.
        stopped: Why the run ended before it was where it was asked to go, or None.
        baseline_costs: Counted costs of the dense model, the denominator of every proxy.
        command: The command line that started the run.
    """

    version: ClassVar[str] = "edgeecg.compression/3"

    config: CompressionConfig
    data: DataSummary
    steps: tuple[CompressionStep, ...]
    rollbacks: tuple[Rollback, ...] = ()
    stopped: str | None = None
    baseline_costs: CostTotals
    command: str
