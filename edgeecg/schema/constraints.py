"""Constraints of a compression: budgets for its cost, and scores that must hold."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from edgeecg.errors import UsageError
from edgeecg.schema.fidelity import Fidelity
from edgeecg.schema.scores import Scores
from edgeecg.schema.value import Fraction, Value

BudgetKind = Literal["energy", "macs", "size", "latency"]
Metric = Literal["recall", "precision", "f1", "auroc", "macro_f1", "macro_auroc", "fidelity"]

WORST_RECORD = "worst_record"
"""In a guard, in the place of a class: the record on which the fidelity is lowest."""

_UNIT_BYTES = {"B": 1, "kB": 1000, "MB": 1_000_000}
_NUMBER = r"(?P<number>(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?)"
_BUDGET = re.compile(rf"(?P<kind>\w+)={_NUMBER}(?P<unit>[A-Za-z]*)")
_GUARD = re.compile(rf"(?:(?P<class_name>[^:]+):)?(?P<metric>\w+)>={_NUMBER}")
_HEADLINES = ("macro_f1", "macro_auroc")
_OF_CLASS = ("recall", "precision", "f1", "auroc", "fidelity")


class Budget(Value):
    """What the compressed model may cost at most.

    Attributes:
        kind: ``"energy"``: the executed proxy; ``"macs"``: multiply-accumulates; ``"size"``: bytes
            of the float32 weights; ``"latency"``: seconds, predicted from those of the dense
            model's layers on a board. Each of one inference. Compression counts in PyTorch; the
            count of the exported file decides whether the budget is met (:class:`BudgetCheck`).
        share: Relative to the dense model, above 0 and below 1; None where ``size_bytes`` is given.
        size_bytes: Absolute size, for ``"size"`` alone.
    """

    kind: BudgetKind
    share: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    size_bytes: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.share is None) == (self.size_bytes is None):
            raise ValueError("a budget is either a share of the dense model or a number of bytes")
        if self.size_bytes is not None and self.kind != "size":
            raise ValueError(f"a budget of {self.kind} is a share of the dense model")
        return self

    @classmethod
    def from_text(cls, value: object) -> object:
        """Return the budget that a text means; a budget is returned as it is.

        Raises:
            ValueError: It is neither.
        """
        if isinstance(value, str):
            return cls.parse(value)
        if not isinstance(value, (cls, Mapping)):
            raise ValueError(f"a text such as energy=0.2 or size=40kB is expected (given: {value})")
        return value

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Return the budget that ``energy=0.2``, ``latency=0.3`` or ``size=40kB`` means.

        Raises:
            UsageError: It is not of this form.
        """
        found = _BUDGET.fullmatch(text.strip())
        if found is None:
            raise _unclear_budget(text, "Expected is KIND=NUMBER, for a size with its unit.")
        kind, unit, number = found["kind"], found["unit"], float(found["number"])
        if kind not in get_args(BudgetKind):
            known = ", ".join(get_args(BudgetKind))
            raise _unclear_budget(text, f"'{kind}' is no kind of budget; there are: {known}.")
        if unit and (kind != "size" or unit not in _UNIT_BYTES):
            units = f"one of {', '.join(_UNIT_BYTES)}" if kind == "size" else "none"
            raise _unclear_budget(text, f"'{unit}' is not its unit, which is {units}.")
        if unit:
            if number * _UNIT_BYTES[unit] < 1:
                raise _unclear_budget(text, "Less than one byte holds no weight.")
            if not math.isfinite(number * _UNIT_BYTES[unit]):
                raise _unclear_budget(text, "The number is too large.")
            return cls(kind="size", size_bytes=round(number * _UNIT_BYTES[unit]))
        if not 0 < number < 1:
            why = "Without a unit it is a share of the dense model, above 0 and below 1."
            raise _unclear_budget(text, why)
        return cls.model_validate({"kind": kind, "share": number})

    def __str__(self) -> str:
        """Write it as on the command line."""
        if self.size_bytes is None:
            return f"{self.kind}={self.share:g}"
        return f"{self.kind}={self.size_bytes}B"

    def as_text(self) -> str | None:
        """Return the text of the command line, unless its six digits are another number."""
        text = str(self)
        return text if self.parse(text) == self else None


class BudgetCheck(Value):
    """Whether one exported file keeps one budget.

    Attributes:
        budget: The budget as on the command line, e.g. ``"energy=0.2"``.
        target: Export target of the file.
        limit: Largest cost: a share of the baseline's float32 file of the same format, or bytes.
        cost: Cost of the file in the same unit, counted from the file itself.
        met: Whether the cost is within the limit.
    """

    budget: str
    target: str
    limit: float
    cost: float
    met: bool


class Guard(Value):
    """A validation score, or a fidelity to the dense model, that no step may push below a bound.

    Attributes:
        class_name: Class the score is of; ``"worst_record"`` for the fidelity of the record on
            which it is lowest; None for a mean over the classes.
        metric: ``recall``, ``precision``, ``f1``, ``auroc`` or ``fidelity`` of a class, or
            ``macro_f1`` or ``macro_auroc``, or ``fidelity`` of all beats.
        at_least: The bound.
    """

    class_name: str | None
    metric: Metric
    at_least: Fraction

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.metric not in _allowed(self.class_name):
            raise ValueError(f"{self.metric} is no metric {_place(self.class_name)}")
        return self

    @classmethod
    def from_text(cls, value: object) -> object:
        """Return the guard that a text means; a guard is returned as it is.

        Raises:
            ValueError: It is neither.
        """
        if isinstance(value, str):
            return cls.parse(value)
        if not isinstance(value, (cls, Mapping)):
            raise ValueError(f"a text such as S:recall>=0.5 is expected (given: {value})")
        return value

    @classmethod
    def parse(cls, text: str) -> Guard:
        """Return the guard that ``S:recall>=0.5`` or ``macro_f1>=0.6`` means.

        Raises:
            UsageError: It is not of this form, or names an unknown metric.
        """
        found = _GUARD.fullmatch(text.strip())
        if found is None:
            raise _unclear_guard(text, "Expected is CLASS:METRIC>=NUMBER or METRIC>=NUMBER.")
        class_name, metric, bound = found["class_name"], found["metric"], float(found["number"])
        known = _allowed(class_name)
        if metric not in known:
            why = f"'{metric}' is no metric {_place(class_name)}; there are: {', '.join(known)}."
            raise _unclear_guard(text, why)
        if bound > 1:
            raise _unclear_guard(text, f"The bound is {bound:g}; every score lies between 0 and 1.")
        body = {"class_name": class_name, "metric": metric, "at_least": bound}
        return cls.model_validate(body)

    def __str__(self) -> str:
        """Write it as on the command line."""
        of = "" if self.class_name is None else f"{self.class_name}:"
        return f"{of}{self.metric}>={self.at_least:g}"

    def as_text(self) -> str | None:
        """Return the text of the command line, unless its six digits are another number."""
        text = str(self)
        return text if self.parse(text) == self else None

    def value(self, scores: Scores, fidelity: Fidelity | None = None) -> float | None:
        """Return the guarded score, or None where these scores do not have it.

        Args:
            scores: Of the validation records.
            fidelity: Agreement with the dense model, for guards of the fidelity.
        """
        if self.metric == "fidelity":
            return None if fidelity is None else self._fidelity(fidelity)
        part = scores if self.class_name is None else scores.per_class[self.class_name]
        return getattr(part, self.metric)

    def _fidelity(self, fidelity: Fidelity) -> float | None:
        if self.class_name is None:
            return fidelity.overall.fidelity
        if self.class_name == WORST_RECORD:
            worst = fidelity.worst_record
            return None if worst is None else worst[1].fidelity
        # A class that the dense model never gives cannot be lost.
        of_class = fidelity.per_class[self.class_name]
        return 1.0 if of_class.fidelity is None else of_class.fidelity


def _allowed(class_name: str | None) -> tuple[str, ...]:
    """Return the metrics that a guard of a class, of the worst record or of none can have."""
    if class_name is None:
        return (*_HEADLINES, "fidelity")
    return ("fidelity",) if class_name == WORST_RECORD else _OF_CLASS


def _place(class_name: str | None) -> str:
    if class_name is None:
        return "without a class"
    return "of the worst record" if class_name == WORST_RECORD else "of a class"


def _unclear_budget(text: str, why: str) -> UsageError:
    return UsageError(
        f"The budget '{text}' is not understood.",
        why,
        "Write, for example: --budget energy=0.2, --budget latency=0.3, --budget size=40kB",
    )


def _unclear_guard(text: str, why: str) -> UsageError:
    return UsageError(
        f"The guard '{text}' is not understood.",
        why,
        "Write, for example: --guard 'S:recall>=0.5' or --guard 'macro_f1>=0.6'",
    )
