"""What ``edgeecg search`` was asked for, and the trade-off that it found."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from edgeecg.schema.compression import CompressionConfig
from edgeecg.schema.constraints import BudgetKind
from edgeecg.schema.value import Count, Fraction, Seconds, Sha256, Value

Objective = Literal["macro_f1", "macro_auroc", "energy", "latency", "size"]
Sampler = Literal["tpe", "nsga2", "random"]
TrialState = Literal["complete", "pruned", "failed"]

SCORES: tuple[Objective, ...] = ("macro_f1", "macro_auroc")
"""The objectives that are maximised; all others are minimised."""


class Range(Value):
    """A number that a search may choose.

    Attributes:
        low: Smallest value.
        high: Largest value.
        log: Draw its logarithm evenly.
        whole: Whole numbers only.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"the range is empty: {self.low:g} is above {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError("a logarithmic range starts above 0")
        if self.whole and (self.low != int(self.low) or self.high != int(self.high)):
            raise ValueError("a range of whole numbers has whole bounds")
        return self


class BudgetRange(Range):
    """A budget that a search may choose, as a share of the dense model.

    Attributes:
        kind: What the budget limits.
    """

    kind: BudgetKind = "energy"

    @model_validator(mode="after")
    def _check_share(self) -> Self:
        if not 0 < self.low <= self.high < 1:
            raise ValueError("a budget is a share of the dense model, above 0 and below 1")
        return self


Choices = Annotated[tuple[Any, ...], Field(min_length=1)]
Dimension = Range | Choices | bool | int | float | str
"""A range, a list of values to choose from, or one fixed value."""


class Space(Value):
    """The settings of a compression that a search may choose, and from what.

    Each attribute but ``budget`` is named after a field of
    :class:`edgeecg.schema.CompressionConfig`. What is left out keeps its default.

    Attributes:
        budget: What the model may cost; contradicts ``sparsity``.
        sparsity: Without a budget: part of the weights to remove.
        structure: What is removed.
        method: Importance score.
        energy_term: Sign of the energy term in the score.
        alpha: Share of the magnitude in the score.
        schedule: How the sparsity is spread over layers and steps.
        beta: Steepness of the exponential schedule.
        depth_ratio: ``beta`` of the shallowest layer as a fraction of the deepest layer's.
        round_to: Numbers of channels stay multiples of this.
        steps: Number of prune-and-fine-tune steps.
        finetune_epochs: Epochs after each step.
        finetune_rate: Peak learning rate of fine-tuning.
        distill: Whether to learn from the dense model's logits.
        distill_alpha: Share of the distillation term in the loss.
        temperature: Softmax temperature of the distillation term.
        quantize: Int8 after training, training with int8's rounding, or neither.
    """

    budget: BudgetRange | None = None
    sparsity: Dimension | None = None
    structure: Dimension | None = None
    method: Dimension | None = None
    energy_term: Dimension | None = None
    alpha: Dimension | None = None
    schedule: Dimension | None = None
    beta: Dimension | None = None
    depth_ratio: Dimension | None = None
    round_to: Dimension | None = None
    steps: Dimension | None = None
    finetune_epochs: Dimension | None = None
    finetune_rate: Dimension | None = None
    distill: Dimension | None = None
    distill_alpha: Dimension | None = None
    temperature: Dimension | None = None
    quantize: Dimension | None = None


class SearchConfig(Value):
    """``search.json``: what decides the outcome of a search.

    Attributes:
        base: The settings that every trial shares.
        space: The settings that the search chooses.
        objectives: What is traded off, in the order of the values of a trial.
        trials: How many are proposed in all, those that are pruned or fail included.
        sampler: What proposes the next trial; ``"random"`` is the one to compare with.
        seed: Seed of the sampler.
        prune: Stop a trial after a step when a finished one is better in everything.
        retries: How often a trial is tried again after its worker or node was lost.
        storage: URL of the database that holds the study; None for a file in the search's folder.
        data_sha256: Hash of the content of the records.
    """

    version: ClassVar[str] = "edgeecg.search/1"

    base: CompressionConfig
    space: Space
    objectives: Annotated[tuple[Objective, ...], Field(min_length=1)]
    trials: Annotated[int, Field(ge=1)] = 40
    sampler: Sampler = "tpe"
    seed: int = 0
    prune: bool = True
    retries: Count = 2
    storage: str | None = None
    data_sha256: Sha256


class SearchTrial(Value):
    """One trial of a search.

    Attributes:
        run: Name of its run folder.
        values: One number per objective, or None unless it is complete. Scores are those of the
            validation records; ``energy`` and ``latency`` are relative to the dense model; ``size``
            is in bytes of weights.
        state: ``"complete"``; ``"pruned"``: stopped early; or ``"failed"``.
        params: What the search chose.
        reason: Why it is not complete, or None.
        seconds: Wall time it took, in all attempts that this search saw.
        test: Headline score on the test records; for members of a finished front alone.
    """

    run: str
    values: tuple[float, ...] | None
    state: TrialState
    params: dict[str, Any] = Field(default={})
    reason: str | None = None
    seconds: Seconds = 0.0
    test: Fraction | None = None


class Front(Value):
    """``front.json``: every trial that has ended, and those that no other one beats.

    Attributes:
        name: Name of the search.
        model: Architecture.
        data: Records.
        objectives: What was traded off.
        trials: In the order in which they were proposed.
        front: Runs of the complete trials that are not dominated.
        finished: Whether all trials have ended and the front has its test scores.
    """

    version: ClassVar[str] = "edgeecg.front/1"

    name: str
    model: str
    data: str
    objectives: tuple[Objective, ...]
    trials: tuple[SearchTrial, ...]
    front: tuple[str, ...]
    finished: bool = False
