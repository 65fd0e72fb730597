"""The stored rows of an experiment, as the tables read them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import rows
from .experiment import EXPERIMENTS, Experiment, load
from .rows import Row


@dataclass(frozen=True)
class Results:
    """What was measured of an experiment.

    Attributes:
        experiment: What was asked for.
        rows: Its rows, oldest first.
        folder: Folder of all results.
        experiments: Folder of all experiment files.
    """

    experiment: Experiment
    rows: list[Row]
    folder: Path
    experiments: Path = EXPERIMENTS

    def other(self, name: str) -> Results:
        """Return the results of another experiment."""
        return stored(load(name, self.experiments), self.folder, self.experiments)

    def last(self, **key: Any) -> Row | None:
        """Return the newest row that has these values, or None."""
        found = rows.matching(self.rows, key)
        return found[-1] if found else None

    def newest(self, *fields: str) -> list[Row]:
        """Return the newest row for each combination of values, in the order of the oldest."""
        found: dict[tuple[Any, ...], Row] = {}
        for row in self.rows:
            found[tuple(row.get(field) for field in fields)] = row
        return list(found.values())


def stored(experiment: Experiment, folder: Path, experiments: Path = EXPERIMENTS) -> Results:
    """Read the results of an experiment.

    Args:
        experiment: The experiment.
        folder: Folder of all results.
        experiments: Folder of all experiment files.

    Raises:
        SchemaError: The file of its results is damaged.
    """
    found = rows.read(folder / f"{experiment.name}.jsonl")
    return Results(experiment, found, folder, experiments)
