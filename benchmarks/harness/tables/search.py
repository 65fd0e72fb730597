"""Whether a search finds more than as many random trials."""

from __future__ import annotations

from collections.abc import Sequence

from ..results import Results
from ..rows import Row, same_processor
from ..statistics_of_seeds import Difference, paired, plus_minus, spread
from .provenance import made_by

NAMES = {"tpe": "TPE", "nsga2": "NSGA-II", "random": "random"}


def samplers(results: Results) -> str:
    """Return the hypervolume of each model and sampler, and the difference to random trials."""
    rows = results.newest("model", "sampler", "seed")
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["model"], row["sampler"]), []).append(row)
    lines = [
        _line(model, sampler, each, found.get((model, "random"), []))
        for (model, sampler), each in found.items()
    ]
    (reference,) = {tuple(row["reference"]) for row in rows}
    left = [
        f"{run.label} (seed {seed})"
        for run in results.experiment.runs
        for seed in results.experiment.seeds
        if results.last(model=run.model, sampler=run.options["sampler"], seed=seed) is None
    ]
    notes = [
        f"Hypervolume of the trials' values on validation records beyond macro-F1 {reference[0]:g} "
        f"and energy {reference[1]:g} of the dense model; larger is better. Mean ± standard "
        "deviation over seeds. The difference is over the seeds of which both searches had the "
        "same dense model (measured on one kind of processor); better or worse: its 95 % interval "
        "(Student's t over seeds) leaves 0 out. DS2: macro-F1 there of the run with the highest "
        "macro-F1 on validation. Hours: wall clock of all trials, on processors of different speed "
        "and in part beside other work, so that they do not compare the two ways of choosing "
        "trials.",
        *([f"Still to be run: {', '.join(left)}."] if left else []),
    ]
    return "\n".join(
        [
            "| model | trials by | seeds | trials: complete, pruned, failed | hypervolume "
            "| minus random (95 % interval) | than random | DS2 | hours |",
            "|---|---|--:|--:|--:|--:|---|--:|--:|",
            *lines,
            "",
            " ".join(notes),
            "",
            made_by(rows, cpu=True),
        ]
    )


def _line(model: str, sampler: str, rows: Sequence[Row], random: Sequence[Row]) -> str:
    ends = ", ".join(str(sum(r[state] for r in rows)) for state in ("complete", "pruned", "failed"))
    volume = plus_minus(spread([row["hypervolume"] for row in rows]), 4)
    # The front begins with the best score on validation.
    best = [row["front"][0]["test"] for row in rows if row["front"]]
    hours = sum(row["seconds"] for row in rows) / 3600
    difference = None if sampler == "random" else _difference(rows, random)
    if difference is None:
        minus = verdict = "-"
    else:
        width = difference.half_width
        minus = f"{difference.mean:+.4f}" + ("" if width is None else f" ± {width:.4f}")
        verdict = difference.verdict
    return (
        f"| `{model}` | {NAMES[sampler]} | {len(rows)} | {ends} | {volume} | {minus} | {verdict} "
        f"| {plus_minus(spread(best)) if best else '-'} | {hours:.1f} |"
    )


def _difference(rows: Sequence[Row], random: Sequence[Row]) -> Difference | None:
    """Return the difference over the seeds whose two searches had the same dense model."""
    others = {row["seed"]: row for row in random}
    same = [
        (row, others[row["seed"]])
        for row in rows
        if row["seed"] in others and same_processor(row, others[row["seed"]])
    ]
    return paired(
        {row["seed"]: row["hypervolume"] for row, _ in same},
        {row["seed"]: row["hypervolume"] for _, row in same},
    )
