"""The table of instructions on emulated cores."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, cast

from scipy.stats import spearmanr

from ..results import Results
from ..rows import Row, same_machine
from .provenance import known, packages, uncommitted

CORES = ("cortex-a72", "cortex-a76")
NAMES = {
    "proxy_executed": "executed proxy",
    "x86_ratio": "latency on x86",
    "cortex-a72_ratio": "instructions on the A72",
    "cortex-a76_ratio": "instructions on the A76",
}
_AS_MANY = 0.01
"""Counts of one file differ by less; files that differ by more are other ones."""

ROLES = {"baseline": "dense", "compressed": "compressed"}


def table(results: Results) -> str:
    """Return the table of the files, the table of the correlations, and how both were made."""
    rows = results.newest("model", "role", "dtype")
    for model in dict.fromkeys(row["model"] for row in rows):
        same_machine([row for row in rows if row["model"] == model], f"A ratio of '{model}'")
    rows.sort(key=lambda row: (row["model"], row["role"], row["dtype"]))
    remarks = f"{_remarks(rows)}{_changed_since(results, rows)}"
    return "\n\n".join([_files(rows), _correlations(rows), remarks])


def _changed_since(results: Results, rows: Sequence[Row]) -> str:
    """Name the dense files that the table of all targets counts otherwise, or return nothing."""
    newer = {
        row["run"]: row["files"]
        for row in results.other("export_table").newest("what", "run")
        if row["what"] == "instructions"
    }
    core = CORES[-1]
    changed: list[str] = []
    for row in rows:
        target = "tflite" if row["dtype"] == "float32" else "tflite-int8"
        file = newer.get(row["model"], {}).get(f"{row['role']}-{target}")
        before = row.get(f"{core}_instructions")
        if row["role"] != "baseline" or file is None or before is None:
            continue
        if abs(file[core] / before - 1) > _AS_MANY:
            changed.append(f"`{row['model']}`, {row['dtype']}")
    if not changed:
        return ""
    return (
        f" Dense files that the exporter writes otherwise by now: {'; '.join(changed)}; newer "
        "counts are in [Every model in every export target](#every-model-in-every-export-target)."
    )


def correlation(rows: Sequence[Row], one: str, other: str) -> float | None:
    """Return Spearman's rank correlation of two quantities; None for fewer than three files.

    Each is relative to the dense float32 file of the same model, which is left out itself.

    Args:
        rows: Files.
        one: A field of the rows.
        other: Another one.
    """
    relative = [
        row
        for row in rows
        if (row["role"], row["dtype"]) != ("baseline", "float32") and one in row and other in row
    ]
    if len(relative) < 3:
        return None
    result = cast(Any, spearmanr([r[one] for r in relative], [r[other] for r in relative]))
    return float(result.statistic)


def _files(rows: Sequence[Row]) -> str:
    lines = [
        "| model | file | million instructions, A72 | A76 | A72, relative | A76, relative "
        "| x86 p50, relative | executed proxy |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        counts = " | ".join(_cell(row.get(f"{core}_instructions"), 1e-6) for core in CORES)
        ratios = " | ".join(_cell(row.get(f"{core}_ratio"), 1.0, " ×") for core in CORES)
        lines.append(
            f"| `{row['model']}` | {ROLES[row['role']]}, {row['dtype']} | {counts} | {ratios} "
            f"| {row['x86_ratio']:.3f} × | {row['proxy_executed']:.3f} × |"
        )
    return "\n".join(lines)


def _correlations(rows: Sequence[Row]) -> str:
    lines = ["| rank correlation | all files | float32 | int8 |", "|---|--:|--:|--:|"]
    for one, other in itertools.combinations(NAMES, 2):
        found = [
            correlation([row for row in rows if dtype in (None, row["dtype"])], one, other)
            for dtype in (None, "float32", "int8")
        ]
        cells = " | ".join("-" if each is None else f"{each:.2f}" for each in found)
        lines.append(f"| {NAMES[one]} and {NAMES[other]} | {cells} |")
    return "\n".join(lines)


def _cell(value: float | None, scale: float, unit: str = "") -> str:
    return "not counted" if value is None else f"{value * scale:.3f}{unit}"


def _remarks(rows: Sequence[Row]) -> str:
    first = rows[0]
    names = [f"{core}_difference" for core in CORES]
    differences = [row[name] for row in rows for name in names if name in row]
    twice = f"{100 * max(differences):.3f} %" if differences else "an unknown share"
    budget = next(row["budget"] for row in rows if row["budget"])
    features = sorted({feature for row in rows for feature in row["cpu_features"]})
    emulator = (
        f"{first['emulator']} with a clock that counts instructions, {first['kernel']}"
        if differences
        else "No emulator"
    )
    return (
        "EMULATED: instructions of one inference, not a time of a Raspberry Pi. × is relative to "
        "the dense float32 file of the same model. Compressed: `--budget "
        f"{budget}`, not fine-tuned. Two runs of each count differ by "
        f"at most {twice}. Rank correlation: Spearman's, over the relative values of "
        "all files but the dense float32 ones; the compressed float32 files all have about the "
        "proxy of the budget, so small differences decide their ranks. x86: median latency, the "
        "four files of a model in one `bench` call, one thread; the load was not recorded.\n\n"
        f"{emulator}, {first['runtime']}. Machine: {first['machine']}, {first['cpu']} "
        f"({', '.join(features)}). Revision "
        f"{', '.join(known(rows, 'git_revision'))}. {packages(rows)}."
        f"{uncommitted(rows)}"
    )
