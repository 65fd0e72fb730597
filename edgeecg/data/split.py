"""Which patients train, validate and test. Always inter-patient: beats of one record stay together.

DS1 and DS2 are those of de Chazal et al. (IEEE TBME 51(7), 2004). The validation patients come out
of DS1; nothing but the final score ever looks at DS2.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgeecg.data.mitdb import DS1, DS2


@dataclass(frozen=True)
class Split:
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

    @property
    def parts(self) -> dict[str, tuple[str, ...]]:
        """Record names by the name of the split."""
        return {"train": self.train, "val": self.val, "test": self.test}


VALIDATION = ("114", "116", "124", "201", "223")
"""The validation patients, chosen from the annotations of DS1 alone.

Beats under the class map ``aami``, before those at a record's ends are left out:

======  =====  ===  ====
record      N    S     V
======  =====  ===  ====
114      1820   12    43
116      2302    1   109
124      1536   31    47  (right bundle branch block)
201      1635  128   198
223      2045   73   473
all      9338  245   870
train   36528  699  2918
======  =====  ===  ====

Each side has S beats of four patients with a fair number of them (training: 209, 207, 118, 220),
V beats of several, and a bundle branch block. Record 201 is here because its patient is also the
one of 202 in DS2: so the weights are never fitted to a patient that they are tested on.
"""

MITDB_SPLIT = Split(
    train=tuple(record for record in DS1 if record not in VALIDATION),
    val=VALIDATION,
    test=DS2,
    notes=(
        "Records 201 (validation) and 202 (test, DS2) are one patient.",
        "Paced records 102, 104, 107 and 217 are left out.",
        "R peaks come from the annotations, not from a detector.",
    ),
)
"""The inter-patient split of MIT-BIH: 17 records train, 5 validate, the 22 of DS2 test."""
