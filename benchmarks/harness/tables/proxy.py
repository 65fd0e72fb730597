"""The table of the proxy against the measured times of all published files."""

from __future__ import annotations

from collections.abc import Sequence

from edgeecg.reporting import proxy_agreement, units

from .. import proxy_points
from ..results import Results
from .provenance import made_by

_UNTIMED = (
    "Unstructured files were not timed: they have the size and the operations of the dense file, "
    "so that their executed proxy is 1."
)
_TIMED = (
    "Unstructured files, in which single weights are zero, are among them: their executed proxy is "
    "that of the dense file, their ideal proxy is not."
)


def table(structured: Results) -> str:
    """Return the table of rank correlations and ratios, by type.

    Args:
        structured: Models of ``structured``, with the times of their files.
    """
    points = proxy_points.of_results(structured)
    lines = [
        "| prediction | type | files | models | Spearman ρ | median ratio | worst ratio | of |",
        "|---|---|--:|--:|--:|--:|--:|---|",
    ]
    for row in proxy_agreement.rows(points):
        rho = "-" if row.spearman is None else units.signed(row.spearman)
        lines.append(
            f"| {proxy_agreement.KINDS[row.prediction]} | {row.dtype} | {row.n} | {row.models} "
            f"| {rho} {units.interval(row.spearman_ci95)} | {row.median_ratio:.2f} × "
            f"| {row.worst_ratio:.2f} × | `{row.worst}` |"
        )
    timed = structured.other("unstructured_times").rows
    slower = sorted({each.model for each in points if each.dtype == "int8" and each.measured > 1.1})
    return "\n".join(
        [
            *lines,
            "",
            "Ratio: measured p50 over the proxy, both relative to the dense float32 file of the "
            "same model, measured in the same call (LiteRT, one thread, batch 1, x86-64). 1 means "
            "that the proxy was exact; the worst ratio is furthest from it. Interval of ρ: "
            f"bootstrap, whole models drawn. {_TIMED if timed else _UNTIMED} int8: the proxy takes "
            "a multiplication as 15 times cheaper than a float32 one, and a processor does at most "
            f"about four times as many at once. {_slower(slower)}Energy was not measured: the "
            "machines have no counter.",
            "",
            made_by(proxy_points.timed_rows(structured), cpu=True),
        ]
    )


def _slower(models: Sequence[str]) -> str:
    if not models:
        return ""
    names = " and ".join(f"`{name}`" for name in models)
    return (
        f"Int8 files of {names} take longer than the dense float32 one: LiteRT computes an int8 "
        "LSTM slower than a float32 one on x86-64. "
    )
