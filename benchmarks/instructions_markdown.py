"""The Markdown table of ``instructions.jsonl``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

CORES = ("cortex-a72", "cortex-a76")
NAMES = {
    "proxy_executed": "executed proxy",
    "x86_ratio": "latency on x86",
    "cortex-a72_ratio": "instructions on the A72",
    "cortex-a76_ratio": "instructions on the A76",
}
ROLES = {"baseline": "dense", "compressed": "compressed"}


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the table of the files, the table of the correlations, and how both were made.

    Args:
        rows: The rows of the result.
    """
    files = [row for row in rows if row["kind"] == "file"]
    pairs = [row for row in rows if row["kind"] == "rank correlation"]
    return "\n\n".join([_files(files), _correlations(pairs), _remarks(files)])


def _files(rows: Sequence[dict[str, Any]]) -> str:
    lines = [
        "| model | file | million instructions, A72 | A76 | A72, relative | A76, relative "
        "| x86 p50, relative | executed proxy |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        counts = " | ".join(f"{row[f'{core}_instructions'] / 1e6:.3f}" for core in CORES)
        ratios = " | ".join(f"{row[f'{core}_ratio']:.3f} ×" for core in CORES)
        lines.append(
            f"| `{row['model']}` | {ROLES[row['role']]}, {row['dtype']} | {counts} | {ratios} "
            f"| {row['x86_ratio']:.3f} × | {row['proxy_executed']:.3f} × |"
        )
    return "\n".join(lines)


def _correlations(rows: Sequence[dict[str, Any]]) -> str:
    lines = ["| rank correlation | all files | float32 | int8 |", "|---|--:|--:|--:|"]
    for one, other in dict.fromkeys(tuple(row["of"]) for row in rows):
        found = {r["dtype"]: r["spearman"] for r in rows if tuple(r["of"]) == (one, other)}
        cells = " | ".join(
            f"{found[kind]:.2f}" if kind in found else "-" for kind in (None, "float32", "int8")
        )
        lines.append(f"| {NAMES[one]} and {NAMES[other]} | {cells} |")
    return "\n".join(lines)


def _remarks(rows: Sequence[dict[str, Any]]) -> str:
    first = rows[0]
    largest = max(row[f"{core}_difference"] for row in rows for core in CORES)
    budget = next(row["budget"] for row in rows if row["budget"])
    features = sorted({feature for row in rows for feature in row["cpu_features"]})
    packages = ", ".join(f"{name} {number}" for name, number in first["versions"].items())
    load = max(row["load"] for row in rows)
    return (
        "EMULATED: instructions of one inference, not a time of a Raspberry Pi. × is relative to "
        "the dense float32 file of the same model. Compressed: `--budget "
        f"{budget}`, not fine-tuned. LSTM layers stay in float32. Two runs of each count differ by "
        f"at most {100 * largest:.3f} %. Rank correlation: Spearman's, over the relative values of "
        "all files but the dense float32 ones; the compressed float32 files all have about the "
        "proxy of the budget, so small differences decide their ranks. x86: median latency, the "
        f"four files of a model in one `bench` call, one thread, load average up to {load:.1f}.\n\n"
        f"{first['emulator']} with a clock that counts instructions, {first['kernel']}, "
        f"{first['runtime']}. Machine: {first['machine']}, {first['cpu']} "
        f"({', '.join(features)}). Revision "
        f"{', '.join(sorted({row['git_revision'] for row in rows}))}. {packages}."
    )
