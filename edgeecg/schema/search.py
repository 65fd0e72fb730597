"""What ``edgeecg search`` was asked for, and the trade-off that it found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from edgeecg.schema.compression import CompressionConfig
from edgeecg.schema.constraints import BudgetKind
from edgeecg.schema.options import setting
from edgeecg.schema.value import Fraction, Seconds, Value

Objective = Literal["macro_f1", "macro_auroc", "energy", "latency", "size"]
Sampler = Literal["tpe", "nsga2", "random"]
TrialState = Literal["complete", "pruned", "failed"]

SCORES: tuple[Objective, ...] = ("macro_f1", "macro_auroc")
"""The objectives that are maximised; all others are minimised."""


def formatted(objective: Objective, value: float) -> str:
    """Return a value as tables show it: bytes as a whole number, all others with four digits."""
    return f"{value:,.0f}" if objective == "size" else f"{value:.4g}"


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


def _form(value: object) -> str:
    """Return which form of a dimension a value has, so that errors are about that form alone."""
    if isinstance(value, (Mapping, Range)):
        return "range"
    return "list" if isinstance(value, (list, tuple)) else "value"


Dimension = Annotated[
    Annotated[Range, Tag("range")]
    | Annotated[Choices, Tag("list")]
    | Annotated[bool | int | float | str, Tag("value")],
    Discriminator(_form),
]
"""A range, a list of values to choose from, or one fixed value."""


class Space(Value):
    """The settings of a compression that a search may choose, and from what.

    Each attribute but ``budget`` is named after a field of
    :class:`edgeecg.schema.CompressionConfig`. What is left out keeps the value that all trials
    share.
    """

    budget: Annotated[
        BudgetRange | None, setting("What the model may cost; contradicts sparsity.")
    ] = None
    sparsity: Annotated[
        Dimension | None, setting("Without a budget: part of the weights to remove.")
    ] = None
    structure: Annotated[Dimension | None, setting("What is removed.")] = None
    method: Annotated[Dimension | None, setting("Importance score.")] = None
    energy_term: Annotated[
        Dimension | None, setting("Without a budget: sign of the energy term.")
    ] = None
    alpha: Annotated[Dimension | None, setting("Without a budget: share of the magnitude.")] = None
    schedule: Annotated[
        Dimension | None, setting("How the sparsity is spread over layers and steps.")
    ] = None
    beta: Annotated[Dimension | None, setting("Steepness of the exponential schedule.")] = None
    depth_ratio: Annotated[
        Dimension | None,
        setting("beta of the shallowest layer as a fraction of the deepest layer's."),
    ] = None
    round_to: Annotated[
        Dimension | None, setting("Numbers of channels stay multiples of this.")
    ] = None
    steps: Annotated[Dimension | None, setting("Number of prune-and-fine-tune steps.")] = None
    finetune_epochs: Annotated[Dimension | None, setting("Epochs after each step.")] = None
    finetune_rate: Annotated[Dimension | None, setting("Peak learning rate of fine-tuning.")] = None
    distill: Annotated[
        Dimension | None, setting("Whether to learn from the dense model's logits.")
    ] = None
    distill_alpha: Annotated[
        Dimension | None, setting("Share of the distillation term in the loss.")
    ] = None
    temperature: Annotated[
        Dimension | None, setting("Softmax temperature of the distillation term.")
    ] = None
    quantize: Annotated[
        Dimension | None,
        setting("Int8 after training, training with int8's rounding, or neither."),
    ] = None


class SearchConfig(Value):
    """Everything that ``edgeecg search`` was asked for; ``search.json``.

    Each field carries its description, from which the options of ``edgeecg search`` are made. Where
    trials are performed, and for how long, does not decide the outcome: ``workers``, ``ray``,
    ``gpus`` and ``minutes`` are not written to ``search.json``, and a search can be resumed
    elsewhere.
    """

    version: ClassVar[str] = "edgeecg.search/1"

    objectives: Annotated[
        tuple[Objective, ...],
        setting(
            "What is traded off, repeatable: macro_f1, macro_auroc, energy, latency, size "
            "(macro_f1 and energy where none is named).",
            option="--objective",
            min_length=1,
        ),
    ] = ("macro_f1", "energy")
    trials: Annotated[
        int,
        setting(
            "Number of trials, those that are pruned or fail included (40).",
            option="--trials",
            ge=1,
        ),
    ] = 40
    sampler: Annotated[
        Sampler,
        setting("What proposes trials (tpe); random is there to compare with.", option="--sampler"),
    ] = "tpe"
    seed: Annotated[
        int,
        setting("Seed of the sampler; where it is left out, that of training.", ge=0, lt=2**32),
    ] = 0
    prune: Annotated[
        bool,
        setting(
            "Stop a trial after a step when a finished one is better in everything.",
            option="--prune/--no-prune",
        ),
    ] = True
    retries: Annotated[
        int, setting("Attempts after the first at a trial whose worker or node was lost.", ge=0)
    ] = 2
    storage: Annotated[
        str | None,
        setting(
            "URL of a database that holds the study (a file in the search's folder).",
            option="--storage",
        ),
    ] = None
    data_sha256: Annotated[
        str | None,
        setting(
            "Hash of the content of the records; filled in when they are loaded.",
            pattern=r"^[0-9a-f]{64}$",
        ),
    ] = None
    workers: Annotated[
        int | None,
        setting(
            "Trials at a time (1; on a Ray cluster as many as it has processors).",
            option="--workers",
            ge=1,
            exclude=True,
        ),
    ] = None
    ray: Annotated[
        str | None,
        setting(
            "Ray cluster that performs the trials: auto, or HOST:PORT of its head node.",
            option="--ray",
            exclude=True,
        ),
    ] = None
    gpus: Annotated[
        float,
        setting("With --ray: GPUs that a trial takes.", option="--gpus", ge=0.0, exclude=True),
    ] = 0.0
    minutes: Annotated[
        float | None,
        setting(
            "Start no trial after this time; --resume goes on.",
            option="--minutes",
            gt=0.0,
            exclude=True,
        ),
    ] = None
    space: Annotated[
        Space,
        setting("What a trial may choose; see --print-space.", option="--space"),
    ] = Space()
    base: Annotated[
        CompressionConfig,
        setting("What all trials share, as for 'edgeecg compress'; the space takes precedence."),
    ] = CompressionConfig()


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
        warnings: Settings that had no effect.
    """

    version: ClassVar[str] = "edgeecg.front/1"

    name: str
    model: str
    data: str
    objectives: tuple[Objective, ...]
    trials: tuple[SearchTrial, ...]
    front: tuple[str, ...]
    finished: bool = False
    warnings: tuple[str, ...] = ()
