"""Which records train, validate and test. Beats of one record always stay together."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class RecordSplit:
    """Record names by use.

    Attributes:
        train: Records that weights are fitted to.
        val: Records that decisions are taken on.
        test: Records for the final score.
        notes: What a reader of any figure on this split has to know.
    """

    train: tuple[str, ...]
    val: tuple[str, ...]
    test: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a record that is in two splits, or twice in one."""
        if len(set(self.records)) != len(self.records):
            raise ValueError("a record is named twice in a split")

    @property
    def records(self) -> tuple[str, ...]:
        """All records: train, then val, then test."""
        return self.train + self.val + self.test

    def without(self, names: Collection[str]) -> RecordSplit:
        """Return the same split without some records."""

        def kept(part: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(name for name in part if name not in names)

        return RecordSplit(kept(self.train), kept(self.val), kept(self.test), self.notes)

    @property
    def parts(self) -> dict[str, tuple[str, ...]]:
        """Record names by the name of the split."""
        return {"train": self.train, "val": self.val, "test": self.test}
