"""Cells and frames of the compression tables."""

from __future__ import annotations

from collections.abc import Sequence

from .. import earlier
from ..aggregate import missing
from ..results import Results
from ..rows import Row
from ..statistics_of_seeds import plus_minus
from .options import LEGEND, on_the_command_line
from .provenance import known, packages

EARLIER_FINE_TUNING = on_the_command_line(
    {name: value for name, value in earlier.FINE_TUNING.items() if value is not None}
)
"""Options that bring the fine-tuning of beat models in earlier versions back."""

NAMES = {"macro_f1": "macro-F1", "macro_auroc": "AUROC"}


def score(row: Row) -> str:
    """Return the score of a row, mean ± deviation."""
    return plus_minus({"mean": row["score_mean"], "std": row["score_std"]})


def dense(row: Row) -> str:
    """Return the score of the dense models, mean ± deviation; one model has no deviation."""
    one = all(
        seed["baseline"] == row["variant"].seeds[0]["baseline"] for seed in row["variant"].seeds
    )
    std = None if one else row["baseline_std"]
    return plus_minus({"mean": row["baseline_mean"], "std": std})


def lost(row: Row) -> str:
    """Return what the score lost against the dense model of the same seed."""
    return plus_minus(row["lost"], sign="+")


def without_232(row: Row) -> str:
    """Return what macro-F1 without record 232 lost."""
    found = row["lost_without_232"]
    return "-" if found is None else plus_minus(found, sign="+")


def rarest(row: Row) -> str:
    """Return what the class that is lost most easily had before compression, and what it lost."""
    found = row["rarest"]
    measure = "recall" if found["measure"] == "recall" else "AUROC"
    return (
        f"{found['class']}: {measure} {found['before']:.3f}, "
        f"lost {plus_minus(found['lost'], sign='+')}"
    )


def ratio(value: float | None) -> str:
    """Return a ratio to the dense model."""
    return "not measured" if value is None else f"{value:.3f} ×"


def table(
    head: str,
    lines: Sequence[str],
    notes: str,
    rows: Sequence[Row],
    results: Results,
    timed: bool = False,
) -> str:
    """Return a table, what has to be known of it, and its provenance.

    Args:
        head: Titles of the columns.
        lines: The rows as Markdown.
        notes: The legend.
        rows: The rows.
        results: Names runs that are missing.
        timed: Whether it has times, whose processor is then named.
    """
    first, *others = head.split(" | ")
    seeds = ", ".join(map(str, results.experiment.seeds))
    left = missing(results)
    legend = [
        notes,
        *([LEGEND] if "| options |" in f"| {head} |" else []),
        f"Seeds {seeds}, mean ± standard deviation.",
        f"× is relative to the dense model. {_starts(rows)}",
        *_earlier_fine_tuning(rows),
        *([f"Still to be run: {', '.join(left)}."] if left else []),
    ]
    return "\n".join(
        [
            f"| {first} | {' | '.join(others)} |",
            "|".join(["", "---", *["--:"] * len(others), ""]),
            *lines,
            "",
            " ".join(legend),
            "",
            made_of(rows, timed),
        ]
    )


def _starts(rows: Sequence[Row]) -> str:
    """Say on which records the rows were scored, and which dense models they start from."""
    if rows and all(row["variant"].run.dense == "package" for row in rows):
        return "MIT-BIH: DS2, inter-patient; all seeds start from the package's weights."
    return (
        "MIT-BIH: DS2, inter-patient; each seed starts from its own dense model. PTB-XL: fold 10 "
        "of a part of 2,980 records; all seeds start from the package's weights."
    )


def _earlier_fine_tuning(rows: Sequence[Row]) -> list[str]:
    """Say that beat models were fine-tuned as in earlier versions, where some were."""
    found: dict[bool, list[str]] = {True: [], False: []}
    for row in rows:
        config = row["variant"].seeds[0]["config"]
        if row["score"] == "macro_f1" and config["distill"]:
            found[config.get("finetune_windows", "training") == "training"].append(row["label"])
    if not found[True]:
        return []
    who = "Beat models" if not found[False] else ", ".join(found[True])
    return [f"{who}: fine-tuned as in earlier versions, `{EARLIER_FINE_TUNING}`."]


def made_of(rows: Sequence[Row], timed: bool) -> str:
    """Return machine, processors, revisions and versions of the runs behind the rows.

    Runs on a checkout with uncommitted changes are named, since nobody can check them out.
    """
    seeds = [seed for row in rows for seed in row["variant"].seeds]
    dirty = dict.fromkeys(
        f"{row['label']} (seed {seed['seed']})"
        for row in rows
        for seed in row["variant"].seeds
        if seed["dirty"] is True
    )
    parts = [
        f"Machine: {'; '.join([*known(seeds, 'machine'), *known(seeds, 'cpu')])}.",
        f"Revision {', '.join(known(seeds, 'git_revision'))}.",
        f"{packages(seeds)}.",
    ]
    if timed:
        times = [seed["timed"] for seed in seeds if seed["timed"] is not None]
        loads = [each["load"] for each in times]
        highest = f"{max(loads):.1f}" if loads else "not recorded"
        # Rows from before extensions were recorded have a word in place of the list.
        named = [each["cpu_features"] for each in times if isinstance(each["cpu_features"], list)]
        extensions = known([{"names": ", ".join(each)} for each in named], "names")
        parts.append(
            f"Times: {'; '.join(known(times, 'cpu')) or 'not measured'}, vector extensions "
            f"{'; '.join(extensions) or 'not recorded'}, load average up to {highest}."
        )
    if dirty:
        parts.append(
            f"Measured on a checkout with uncommitted changes, to be measured again: "
            f"{', '.join(dirty)}."
        )
    return " ".join(parts)
