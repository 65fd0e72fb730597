"""How much faster a search is with two workers than with one."""

from __future__ import annotations

from ..results import Results
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
        trials = [seconds for row in here for seconds in row["trial_seconds"]]
        pairs = [(alone.get((model, on, row["seed"])), row) for row in here]
        ratios = [one["seconds"] / row["seconds"] for one, row in pairs if one is not None]
        faster = plus_minus(spread(ratios), 2) if count > 1 and ratios else "-"
        least = f"{min(ratios):.2f}" if count > 1 and ratios else "-"
        lines.append(
            f"| `{model}` | {NAMES[on]} | {count} | {len(here)} | {here[0]['trials']} "
            f"| {plus_minus(spread(trials), 1)} "
            f"| {plus_minus(spread([row['seconds'] for row in here]), 0)} | {faster} | {least} |"
        )
    notes = (
        "The same random trials, of two steps and two epochs of fine-tuning in all, from the "
        "model of the package. Seconds of a search: wall clock, with the start of its workers and "
        "the scores of the front on the test records. Mean ± standard deviation over trials, or "
        "over seeds; times as fast: one worker over several, seed by seed. The cluster is on the "
        "same machine."
    )
    return "\n".join(
        [
            "| model | workers are | workers | seeds | trials | seconds of a trial "
            "| seconds of a search | times as fast as one | smallest |",
            "|---|---|--:|--:|--:|--:|--:|--:|--:|",
            *lines,
            "",
            notes,
            "",
            made_by(rows, cpu=True),
        ]
    )
