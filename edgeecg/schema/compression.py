"""What ``edgeecg compress`` was asked for: the configuration of a compression."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from edgeecg.schema.class_weights import checked
from edgeecg.schema.constraints import Budget, Guard
from edgeecg.schema.measured_costs import MeasuredCosts
from edgeecg.schema.options import OrNone, setting
from edgeecg.schema.quantization import Quantize
from edgeecg.schema.training import TrainingConfig
from edgeecg.schema.value import Sha256, Value


class CustomModule(Value):
    """Where a custom module comes from.

    Attributes:
        file: Absolute path of its Python file, a colon, its function.
        sha256: Hash of the file.
    """

    file: str
    sha256: Sha256

    @property
    def function(self) -> str:
        """Name of the function."""
        return self.file.rpartition(":")[2]


EARLIER_ENERGY_TERMS = {"target": "prefer-costly", "protect": "protect-costly"}
"""Values of ``energy_term`` by those of ``reading``, its name in earlier versions."""


class CompressionConfig(Value):
    """Everything that decides what ``edgeecg compress`` does; the same config, the same weights.

    Each field carries its description, from which the options of ``edgeecg compress`` are made.
    Documents carry two fields under their earlier names as well, ``reading`` (``energy_term``) and
    ``own`` (``custom``), so that programs that read them go on working.
    """

    version: ClassVar[str] = "edgeecg.config/2"

    training: Annotated[
        TrainingConfig,
        setting(
            "The dense model: architecture, records, seed, and how it is trained where no trained "
            "weights are at hand. Fine-tuning draws and augments windows in the same way."
        ),
    ] = TrainingConfig()
    custom: Annotated[
        CustomModule | None, setting("Python file of a custom module, and its hash.")
    ] = None
    start: Annotated[
        str | None,
        setting("A run of 'edgeecg train' whose model is the dense one.", option="--start"),
    ] = None
    retrain: Annotated[
        bool,
        setting(
            "Train the dense model even where the package has trained weights.", option="--retrain"
        ),
    ] = False
    structure: Annotated[
        Literal["channels", "blocks", "none"],
        setting(
            "channels: remove channels, LSTM units, attention heads and their dimensions; blocks: "
            "whole blocks too; none: set single weights to zero.",
            option="--structure",
        ),
    ] = "channels"
    method: Annotated[
        Literal["energy", "l1", "taylor", "random"],
        setting(
            "Importance score. energy: magnitude and energy; l1: magnitude alone; taylor: gradient "
            "x weight and energy; random: drawn. The energy is that of the layer or, with a "
            "budget, what removing a unit saves.",
            option="--method",
        ),
    ] = "energy"
    energy_term: Annotated[
        Literal["prefer-costly", "protect-costly"],
        setting(
            "Without a budget: sign of the energy term in the score. prefer-costly: costly layers "
            "are pruned more; protect-costly: less, which is the formula as printed in the "
            "reference study.",
            option="--energy-term",
        ),
    ] = "prefer-costly"
    alpha: Annotated[
        float,
        setting(
            "Without a budget: share of the magnitude in the score.",
            option="--alpha",
            ge=0.0,
            le=1.0,
        ),
    ] = 0.5
    sparsity: Annotated[
        float,
        setting(
            "Without a budget: part of the prunable weights to remove.",
            option="--sparsity",
            gt=0.0,
            lt=1.0,
        ),
    ] = 0.75
    steps: Annotated[
        int,
        setting(
            "Number of prune-and-fine-tune steps; beside a budget, where it is left out, as many "
            "as keep about 72 % of the cost each.",
            option="--steps",
            ge=1,
            le=100,
        ),
    ] = 5
    costs: Annotated[
        MeasuredCosts | None,
        setting(
            "What 'edgeecg bench --json' wrote for the dense model's file, or a device profile of "
            "'edgeecg calibrate': the seconds of the layers replace the counted energy.",
            option="--costs",
        ),
    ] = None
    budgets: Annotated[
        tuple[Annotated[Budget, BeforeValidator(Budget.from_text)], ...],
        setting(
            "What the compressed model may cost: energy=0.2, macs=0.25, size=40kB or, with "
            "--costs, latency=0.3; repeatable.",
            option="--budget",
        ),
    ] = ()
    guards: Annotated[
        tuple[Annotated[Guard, BeforeValidator(Guard.from_text)], ...],
        setting(
            "What must hold after every step: a validation score, S:recall>=0.5 or macro_f1>=0.6, "
            "or the fidelity to the dense model, S:fidelity>=0.95 or worst_record:fidelity>=0.8; "
            "repeatable.",
            option="--guard",
        ),
    ] = ()
    default_guards: Annotated[
        bool,
        setting(
            "Add the guards that the records' database proposes, where it proposes any.",
            option="--default-guards/--no-default-guards",
        ),
    ] = False
    retries: Annotated[
        int,
        setting(
            "Smaller steps that are tried after one that breaks a guard.",
            option="--retries",
            ge=0,
            le=10,
        ),
    ] = 3
    class_weight: Annotated[
        str,
        AfterValidator(checked),
        setting(
            "How much each class counts in the importance of 'taylor', in distillation and in "
            "fine-tuning. balanced: each class as much as any other; none: as often as it is "
            "drawn; or weights: S=4,V=2 (1 for the others).",
            option="--class-weight",
        ),
    ] = "none"
    class_importance: Annotated[
        Literal["together", "largest"],
        setting(
            "taylor: importance from the loss of all classes together, or the largest of the "
            "importances for each class, so that what one class alone needs is kept; class weights "
            "have no effect on it then.",
            option="--class-importance",
        ),
    ] = "together"
    schedule: Annotated[
        Literal["exponential", "uniform"],
        setting(
            "Sparsity of layer l after step t. exponential: S (1 - exp(-beta_l t)), deep layers "
            "pruned more; uniform: all layers alike, growing linearly.",
            option="--schedule",
        ),
    ] = "exponential"
    beta: Annotated[float, setting("Steepness of the exponential schedule.", gt=0.0)] = 3.0
    depth_ratio: Annotated[
        float,
        setting(
            "beta of the shallowest layer as a fraction of the deepest layer's.", gt=0.0, le=1.0
        ),
    ] = 0.5
    round_to: Annotated[
        int,
        setting(
            "Numbers of channels, units and dimensions stay multiples of this.",
            option="--round",
            ge=1,
            le=64,
        ),
    ] = 4
    distill: Annotated[
        bool,
        setting(
            "Learn from the dense model's logits while fine-tuning.",
            option="--distill/--no-distill",
        ),
    ] = True
    # On DS1's validation patients 0.9 loses 0.005 to 0.009 less macro-F1 than 0.5, in three seeds.
    distill_alpha: Annotated[
        float,
        setting(
            "Share of the distillation term in the loss; 1: the annotations do not count.",
            option="--distill-alpha",
            ge=0.0,
            le=1.0,
        ),
    ] = 0.9
    temperature: Annotated[
        float, setting("Softmax temperature of the distillation term.", gt=0.0)
    ] = 4.0
    distill_features: Annotated[
        float,
        setting(
            "Weight of a term that compares the inputs of the last layer with the dense model's "
            "while fine-tuning; 0 for none.",
            option="--distill-features",
            ge=0.0,
        ),
    ] = 0.0
    finetune_windows: Annotated[
        Literal["training", "wide"],
        setting(
            "Windows of fine-tuning. training: changed at random as in training; wide: changed "
            "more and mixed in pairs, and no dropout, so that the model also decides as the dense "
            "one on beats that no training patient has.",
            option="--finetune-windows",
        ),
    ] = "training"
    finetune_norm: Annotated[
        Literal["batch", "frozen"],
        setting(
            "Mean and deviation by which batch norms divide in fine-tuning. batch: those of each "
            "batch, and a running mean of them afterwards; frozen: always those of the dense "
            "model, so that the model is fitted as it is used.",
            option="--finetune-norm",
        ),
    ] = "batch"
    finetune_epochs: Annotated[
        int, setting("Epochs of fine-tuning after each step.", option="--finetune-epochs", ge=1)
    ] = 2
    finetune_last_epochs: Annotated[
        int | None,
        setting(
            "Epochs of fine-tuning after the last step, whose model is the result; none: as after "
            "the others.",
            option="--finetune-last-epochs",
            ge=1,
        ),
        OrNone,
    ] = None
    finetune_fidelity: Annotated[
        float | None,
        setting(
            "Fine-tune a step on, by as many epochs again, until the fidelity to the dense model "
            "is this high for every class.",
            option="--finetune-fidelity",
            ge=0.0,
            le=1.0,
        ),
        OrNone,
    ] = None
    finetune_most: Annotated[
        int | None,
        setting(
            "With --finetune-fidelity: most epochs of fine-tuning after a step; none: twice as "
            "many as it has, and at least 8.",
            option="--finetune-most",
            ge=1,
        ),
        OrNone,
    ] = None
    finetune_rate: Annotated[
        float, setting("Peak learning rate of fine-tuning.", option="--finetune-rate", gt=0.0)
    ] = 1e-3
    quantize: Annotated[
        Quantize,
        setting(
            "ptq: find the layers that int8 hurts, for export to keep them in float32; qat: "
            "fine-tune with int8 rounding first; none: neither.",
            option="--quantize",
        ),
    ] = "none"

    @model_validator(mode="before")
    @classmethod
    def _earlier_names(cls, body: Any) -> Any:
        """Accept documents of earlier versions."""
        return cls.renamed(cast("Mapping[str, Any]", body)) if isinstance(body, Mapping) else body

    @classmethod
    def renamed(cls, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return settings under their names of today; where both are given, today's holds."""
        found = dict(body)
        term, custom = found.pop("reading", None), found.pop("own", None)
        if term is not None:
            # A file may hold anything here; what is no text is refused like any other value.
            now = EARLIER_ENERGY_TERMS.get(term, term) if isinstance(term, str) else term
            found.setdefault("energy_term", now)
        if custom is not None:
            found.setdefault("custom", custom)
        return found

    @model_serializer(mode="wrap")
    def _with_earlier_names(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        body: dict[str, Any] = handler(self)
        for earlier, now in EARLIER_ENERGY_TERMS.items():
            if body.get("energy_term") == now:
                body["reading"] = earlier
        if "custom" in body:
            body["own"] = body["custom"]
        return body
