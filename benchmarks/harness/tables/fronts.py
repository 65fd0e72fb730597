"""What a search finds, beside the steps of one compression with the settings of ``compress``."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgeecg.schema.search import Objective
from edgeecg.tuning import pareto

from ..experiment import Run
from ..results import Results
from ..rows import Row, matching, same_processor
from ..statistics_of_seeds import plus_minus, spread
from .provenance import made_by
from .search import NAMES


@dataclass(frozen=True)
class Fitted:
    """A float32 model by its values on validation, and how long it was fine-tuned.

    Attributes:
        values: Of the objectives.
        epochs: Of fine-tuning, all steps together.
    """

    values: tuple[float, ...]
    epochs: int

    def beats(self, other: Fitted, kinds: Sequence[Objective]) -> bool:
        """Whether this model is better than another one, of no more epochs."""
        return self.epochs <= other.epochs and pareto.dominates(
            pareto.losses(self.values, kinds), pareto.losses(other.values, kinds)
        )


@dataclass(frozen=True)
class Compared:
    """The float32 trials of one search, and the steps of one compression of the same dense model.

    Attributes:
        trials: Complete trials whose model was not prepared for int8, of no more epochs.
        steps: The model after each step of the compression.
        kinds: The objectives.
        reference: Values that count nothing in the hypervolume.
    """

    trials: tuple[Fitted, ...]
    steps: tuple[Fitted, ...]
    kinds: tuple[Objective, ...]
    reference: tuple[float, ...]

    def beaten_steps(self) -> int:
        """Return how many steps a trial of no more epochs beats."""
        return sum(
            any(trial.beats(step, self.kinds) for trial in self.trials) for step in self.steps
        )

    def front(self) -> list[Fitted]:
        """Return the trials that no other trial dominates."""
        points = {str(number): trial.values for number, trial in enumerate(self.trials)}
        return [self.trials[int(name)] for name in pareto.front(points, self.kinds)]

    def beaten_trials(self) -> int:
        """Return how many trials of the front a step of no more epochs beats."""
        return sum(
            any(step.beats(trial, self.kinds) for step in self.steps) for trial in self.front()
        )

    def volume(self, of: Sequence[Fitted]) -> float:
        """Return the hypervolume of models."""
        return pareto.hypervolume([each.values for each in of], self.reference, self.kinds)


def compared(search: Row, compression: Row, most_epochs: int) -> Compared:
    """Return what a search found beside what one compression found.

    Args:
        search: Row of a search for macro-F1 and energy.
        compression: Row of a compression of the same dense model.
        most_epochs: Trials, and steps with those before them, that were fine-tuned for longer are
            left out.
    """
    return Compared(
        trials=tuple(
            Fitted(tuple(trial["values"]), trial["epochs"])
            for trial in search["completed"]
            if trial["quantize"] == "none" and trial["epochs"] <= most_epochs
        ),
        steps=tuple(step for step in _steps(compression) if step.epochs <= most_epochs),
        kinds=tuple(search["objectives"]),
        reference=tuple(search["reference"]),
    )


def _steps(compression: Row) -> tuple[Fitted, ...]:
    found: list[Fitted] = []
    epochs = 0
    for step in compression["steps"]:
        epochs += len(step["train_loss"])
        values = (step["val"], step["proxy_executed"])
        found.append(Fitted(values, epochs))
    return tuple(found)


def fronts(results: Results) -> str:
    """Return, for each model and sampler, what the search adds to one compression."""
    most_epochs: int = results.experiment.settings["most_epochs"]
    lines: list[str] = []
    used: list[Row] = []
    left_out: list[str] = []
    for run in results.experiment.runs:
        pairs = _pairs(results, run)
        compared_seeds = [search["seed"] for search, _ in pairs]
        left_out += [
            f"{run.label} (seed {row['seed']})"
            for row in matching(results.newest("model", "sampler", "seed"), _key(run))
            if row["seed"] not in compared_seeds
        ]
        if pairs:
            each = [compared(*pair, most_epochs) for pair in pairs]
            lines.append(f"| `{run.model}` | {NAMES[run.options['sampler']]} | {_cells(each)} |")
            used += [row for pair in pairs for row in pair]
    head = (
        "| model | trials by | seeds | float32 trials | steps of one compression "
        "| beaten by a trial "
        "| trials of the front | beaten by a step | hypervolume of the steps "
        "| hypervolume of the trials | difference |"
    )
    return "\n".join(
        [
            head,
            "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
            *lines,
            "",
            _notes(results, left_out),
            "",
            made_by(used, cpu=True),
        ]
    )


def _notes(results: Results, left_out: Sequence[str]) -> str:
    """Return the legend.

    Args:
        results: Of the searches.
        left_out: Finished searches that are in no line.
    """
    notes = (
        "Validation records, macro-F1 and energy, float32: trials that were prepared for int8 are "
        "left out, since the steps are float32. The compression is that of `compress` with four "
        "epochs after a step, energy-aware, of the same dense model, published as "
        f"{_published(results)}. Steps and trials have at most "
        f"{results.experiment.settings['most_epochs']} epochs of fine-tuning in all; "
        "those of steps that a guard has undone do not count. The trials are under the guard that "
        "`search` proposes (S:fidelity>=0.8), the compression is not. Beaten: better in one "
        "objective, no worse in the other, with no more epochs. Hypervolumes beyond the same point "
        "as in the table above; mean ± standard deviation over seeds, the difference seed by seed."
    )
    if left_out:
        notes += (
            f" Without {', '.join(left_out)}: no compression of the same dense model was published "
            "(dense models of one seed differ between kinds of processors)."
        )
    return notes


def _published(results: Results) -> str:
    found = results.experiment.settings["published"].values()
    return " and ".join(f"'{label}' of the experiment `{name}`" for name, label in found)


def _pairs(results: Results, run: Run) -> list[tuple[Row, Row]]:
    """Return the searches that are finished, each with the compression of its dense model.

    A search on another kind of processor than the compression started from another dense model, and
    is left out.
    """
    name, label = results.experiment.settings["published"][run.model]
    others = results.other(name)
    key = {"what": "model", "cell": others.experiment.run(label).cell}
    found: list[tuple[Row, Row]] = []
    for seed in results.experiment.seeds:
        newest_first = itertools.product(
            reversed(matching(results.rows, _key(run) | {"seed": seed})),
            reversed(matching(others.rows, key | {"seed": seed})),
        )
        pair = next((pair for pair in newest_first if same_processor(*pair)), None)
        if pair is not None:
            found.append(pair)
    return found


def _key(run: Run) -> dict[str, Any]:
    return {"model": run.model, "sampler": run.options["sampler"]}


def _cells(each: Sequence[Compared]) -> str:
    steps = [one.volume(one.steps) for one in each]
    trials = [one.volume(one.trials) for one in each]
    difference = [of_trials - of_steps for of_trials, of_steps in zip(trials, steps, strict=True)]
    cells = [
        str(len(each)),
        str(sum(len(one.trials) for one in each)),
        str(sum(len(one.steps) for one in each)),
        str(sum(one.beaten_steps() for one in each)),
        str(sum(len(one.front()) for one in each)),
        str(sum(one.beaten_trials() for one in each)),
        plus_minus(spread(steps), 4),
        plus_minus(spread(trials), 4),
        plus_minus(spread(difference), 4, sign="+"),
    ]
    return " | ".join(cells)
