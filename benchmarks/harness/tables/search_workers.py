"""How much faster a search is with two workers than with one."""

from __future__ import annotations

from collections.abc import Sequence

from ..results import Results
from ..rows import Row
from ..statistics_of_seeds import plus_minus, spread
from .provenance import made_by

NAMES = {"processes": "processes (`--workers`)", "ray": "nodes of a Ray cluster (`--ray`)"}


def workers(results: Results) -> str:
    """Return the time of each variant, and how many times as fast as one worker it is."""
    rows = results.newest("model", "on", "workers", "seed")
    alone = {(row["model"], row["on"], row["seed"]): row for row in rows if row["workers"] == 1}
    lines: list[str] = []
    for model, on, count in dict.fromkeys((r["model"], r["on"], r["workers"]) for r in rows):
        here = [r for r in rows if (r["model"], r["on"], r["workers"]) == (model, on, count)]
        one = [alone.get((model, on, row["seed"])) for row in here]
        faster = "- | -" if count == 1 else f"{_ratio(one, here, True)} | {_ratio(one, here)}"
        rest = [row["seconds"] - row["seconds_of_trials"] for row in here]
        lines.append(
            f"| `{model}` | {NAMES[on]} | {count} | {len(here)} | {here[0]['trials']} "
            f"| {_mean([row['seconds_of_trials'] for row in here])} | {_mean(rest)} | {faster} |"
        )
    left = [
        f"{run.label} (seed {seed})"
        for run in results.experiment.runs
        for seed in results.experiment.seeds
        if results.last(model=run.model, **run.options, seed=seed) is None
    ]
    notes = [
        "The same random trials, of two steps and two epochs of fine-tuning in all, from the "
        "model of the package. Seconds: wall clock; of the trials: from the start of the first to "
        "the end of the last; of the rest: reading the records, starting the workers, and scoring "
        "the front on the test records, which does not grow with the trials. Times as fast: one "
        "worker over several, seed by seed. Mean ± standard deviation over seeds. The cluster is "
        "on the same machine.",
        *([f"Still to be run: {', '.join(left)}."] if left else []),
    ]
    return "\n".join(
        [
            "| model | workers are | workers | seeds | trials | seconds of the trials "
            "| seconds of the rest | trials: times as fast | whole search: times as fast |",
            "|---|---|--:|--:|--:|--:|--:|--:|--:|",
            *lines,
            "",
            " ".join(notes),
            "",
            made_by(rows, cpu=True),
        ]
    )


def _mean(values: Sequence[float]) -> str:
    return plus_minus(spread(values), 1)


def _ratio(alone: Sequence[Row | None], rows: Sequence[Row], trials_alone: bool = False) -> str:
    """Return how many times as fast as one worker these rows are."""
    field = "seconds_of_trials" if trials_alone else "seconds"
    pairs = zip(alone, rows, strict=True)
    ratios = [one[field] / row[field] for one, row in pairs if one is not None]
    return plus_minus(spread(ratios), 2) if ratios else "-"
