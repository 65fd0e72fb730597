"""How well a model or a file classifies."""

from __future__ import annotations

from pydantic import Field

from edgeecg.schema.value import Count, Fraction, Source, Split, Task, Value

Interval = tuple[Fraction, Fraction]


class ClassScore(Value):
    """One class: Se (recall), +P (precision) and F1, each 0..1.

    Attributes:
        recall: Sensitivity, TP / (TP + FN).
        precision: Positive predictive value, TP / (TP + FP).
        f1: Their harmonic mean.
        support: Beats or records that bear the class.
        auroc: Area under the ROC curve; None for beats, or when every record bears the class.
        auprc: Average precision; None like ``auroc``.
        threshold: Probability chosen on the validation split from which on the class is given;
            None for beats.
        f1_at_threshold: F1 at that probability; ``f1`` itself is at 0.50.
    """

    recall: Fraction
    precision: Fraction
    f1: Fraction
    support: Count
    auroc: Fraction | None = None
    auprc: Fraction | None = None
    threshold: Fraction | None = None
    f1_at_threshold: Fraction | None = None


class Ec57(Value):
    """Beats scored as ANSI/AAMI EC57 does, F and Q beats among them.

    Attributes:
        per_class: Se, +P and F1 of N, S and V. An F or Q beat called V is no false positive of V,
            and a Q beat called S is none of S.
        called: How the beats outside the classes were called, e.g. ``{"F": {"N": 1, ...}, ...}``.
    """

    per_class: dict[str, ClassScore]
    called: dict[str, dict[str, Count]]


class Scores(Value):
    """How well one model or file classifies one split.

    Attributes:
        data: Where the beats or records come from.
        task: ``"beats"``: one class each; ``"records"``: any number of classes each.
        split: Which split (MIT-BIH: test is DS2; PTB-XL: fold 10).
        n: Number of beats or records.
        accuracy: Fraction labelled rightly; for records, with exactly the right set of classes.
        macro_f1: Unweighted mean of the classes' F1 (records: at a probability of 0.50).
        per_class: Scores by class name.
        confusion: Row = true class, column = predicted class, in ``classes`` order; empty for
            records.
        records: The same matrix for each record, so that any figure can be redone without one;
            empty for PTB-XL.
        ec57: The same beats under EC57; None for records, or where F and Q beats were not at hand.
        macro_auroc: Unweighted mean of the classes' AUROC; None for beats.
        macro_auprc: Unweighted mean of the classes' average precision; None for beats.
        macro_f1_at_threshold: Macro-F1 at the thresholds chosen on validation; None for beats.
        accuracy_ci95: Bootstrap 95 % interval over patients, or None where not computed.
        macro_f1_ci95: The same for ``macro_f1``.
        macro_auroc_ci95: The same for ``macro_auroc``.
        macro_auprc_ci95: The same for ``macro_auprc``.
        macro_f1_at_threshold_ci95: The same for ``macro_f1_at_threshold``.
    """

    data: Source
    task: Task = "beats"
    split: Split
    n: Count
    accuracy: Fraction
    macro_f1: Fraction
    per_class: dict[str, ClassScore]
    confusion: tuple[tuple[Count, ...], ...] = ()
    records: dict[str, tuple[tuple[Count, ...], ...]] = Field(default={})
    ec57: Ec57 | None = None
    macro_auroc: Fraction | None = None
    macro_auprc: Fraction | None = None
    macro_f1_at_threshold: Fraction | None = None
    accuracy_ci95: Interval | None = None
    macro_f1_ci95: Interval | None = None
    macro_auroc_ci95: Interval | None = None
    macro_auprc_ci95: Interval | None = None
    macro_f1_at_threshold_ci95: Interval | None = None

    @property
    def headline(self) -> tuple[str, float]:
        """The score that decisions are taken by: macro AUROC for records, macro-F1 for beats."""
        if self.macro_auroc is not None:
            return "macro AUROC", self.macro_auroc
        return "macro-F1", self.macro_f1

    @property
    def headline_ci95(self) -> Interval | None:
        """The interval of :attr:`headline`."""
        return self.macro_f1_ci95 if self.macro_auroc is None else self.macro_auroc_ci95

    @property
    def described(self) -> str:
        """The headline with its interval, in words."""
        what, value = self.headline
        interval = self.headline_ci95
        span = f" ({interval[0]:.3f}-{interval[1]:.3f})" if interval else ""
        return f"{what} {value:.3f}{span}"
