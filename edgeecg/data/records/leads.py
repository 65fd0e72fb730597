"""Which of a record's leads are wanted, and where they are in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgeecg.data.records import units
from edgeecg.errors import DataError


@dataclass(frozen=True)
class LeadChoice:
    """Leads wanted of a record.

    Attributes:
        names: Names of the leads, in the order wanted.
        called: What some of them are called in the record, by the wanted name.
        strict: Names have to match in case, and the unit has to be ``mV``.
    """

    names: tuple[str, ...]
    called: Mapping[str, str] = field(default_factory=dict[str, str])
    strict: bool = True

    def row(self, lead: str, present: Sequence[str]) -> int | None:
        """Return the row of a lead among those of a record, or None where there is none.

        A record of a folder may have the lead under its wanted name although others do not.
        """
        folded = [name.upper() for name in present]
        for wanted in dict.fromkeys((self.called.get(lead, lead), lead)):
            if wanted in present:
                return list(present).index(wanted)
            if not self.strict and folded.count(wanted.upper()) == 1:
                return folded.index(wanted.upper())
        return None

    def rows(self, present: Sequence[str], folder: Path, name: str) -> list[int]:
        """Return the row of every lead among those of a record.

        Raises:
            DataError: A lead is missing.
        """
        rows = [self.row(lead, present) for lead in self.names]
        for lead, row in zip(self.names, rows, strict=True):
            if row is None:
                raise self.missing(lead, present, folder, name)
        return [row for row in rows if row is not None]

    def missing(self, lead: str, present: Sequence[str], folder: Path, name: str) -> DataError:
        """Return the error to raise about a lead that a record does not have."""
        return DataError(
            f"Record {name} in '{folder}' has no lead {self.called.get(lead, lead)}.",
            f"Its leads are: {', '.join(present)}.",
            "Leave the record out, or choose leads that every record has."
            if self.strict
            else f"Say what it is called there, e.g. --leads {lead}={present[0]}, "
            "or leave the record out.",
        )

    def millivolts(self, lead: str, unit: str, folder: Path, name: str) -> float:
        """Return how many millivolts the unit of a lead is.

        Raises:
            DataError: The unit is not known, or is not ``mV`` where that is required.
        """
        factor = units.in_millivolts(unit)
        if factor is None or (self.strict and unit != "mV"):
            raise DataError(
                f"Lead {lead} of record {name} in '{folder}' is not in millivolts.",
                f"{name}.hea gives its unit as '{unit}'; "
                f"{'mV was expected' if self.strict else f'known are {units.KNOWN}'}.",
                "Give the record its gain in mV, or leave it out.",
            )
        return factor
