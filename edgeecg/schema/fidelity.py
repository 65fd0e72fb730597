"""How often a compressed model decides as its dense model does."""

from __future__ import annotations

from edgeecg.schema.value import Count, Fraction, Split, Value

FEWEST_BEATS = 20
"""A share of fewer windows than this says little: a guard on it comes with a warning."""


class FidelityShare(Value):
    """Share of some windows on which two models decide alike.

    Attributes:
        n: Number of windows.
        fidelity: The share, 0..1; None where there are no windows.
    """

    n: Count
    fidelity: Fraction | None


class Fidelity(Value):
    """FidelityShare of a model's decisions with those of its dense model. It needs no annotations.

    Attributes:
        split: Whose windows: of the validation or test records; or ``"train"``: a sample of the
            training records, augmented as in training.
        overall: Of all windows; two sets of classes agree where they are equal.
        per_class: Of the windows to which the dense model gives the class: the share to which the
            compressed model gives it, too.
        per_record: Of the windows of each record; empty where a record is one window.
    """

    split: Split
    overall: FidelityShare
    per_class: dict[str, FidelityShare]
    per_record: dict[str, FidelityShare]

    @property
    def worst_record(self) -> tuple[str, FidelityShare] | None:
        """The record with the lowest fidelity, and its agreement; None without records."""
        found = [
            (each.fidelity, name)
            for name, each in self.per_record.items()
            if each.fidelity is not None
        ]
        if not found:
            return None
        _, name = min(found)
        return name, self.per_record[name]

    @property
    def worst_class(self) -> float | None:
        """The lowest fidelity of a class; None without windows."""
        found = [each.fidelity for each in self.per_class.values() if each.fidelity is not None]
        return min(found, default=None)
