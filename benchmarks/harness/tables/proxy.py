"""The table of the proxy against the measured times of all published files."""

from __future__ import annotations

from edgeecg.reporting import proxy_agreement, units

from .. import proxy_points
from ..results import Results

_UNTIMED = (
    "Unstructured files were not timed: they have the size and the operations of the dense file, "
    "so that their executed proxy is 1."
)


def table(structured: Results, whole_path: Results, instructions: Results) -> str:
    """Return the table of rank correlations and ratios, by type.

    Args:
        structured: Models of ``structured``, with the times of their files.
        whole_path: Files of ``whole_path``.
        instructions: Files of ``instructions``.
    """
    points = proxy_points.of_results(structured, whole_path, instructions)
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
    return "\n".join(
        [
            *lines,
            "",
            "Ratio: measured p50 over the proxy, both relative to the dense float32 file of the "
            "same model, measured in the same call (LiteRT, one thread, batch 1, x86-64). 1 means "
            "that the proxy was exact; the worst ratio is furthest from it. Interval of ρ: "
            f"bootstrap, whole models drawn. {_UNTIMED} int8: the proxy takes a multiplication as "
            "15 times cheaper than a float32 one, and a processor does at most about four times as "
            "many at once. Energy was not measured: the machines have no counter.",
        ]
    )


def sentence(structured: Results, whole_path: Results, instructions: Results) -> str:
    """Return the agreement in a sentence.

    Args:
        structured: Models of ``structured``, with the times of their files.
        whole_path: Files of ``whole_path``.
        instructions: Files of ``instructions``.
    """
    found = {
        row.dtype: row
        for row in proxy_agreement.rows(
            proxy_points.of_results(structured, whole_path, instructions)
        )
        if row.prediction == "executed"
    }
    whole = found["all"]
    assert whole.spearman is not None
    worst = "; ".join(
        f"{name}: median {found[name].median_ratio:.2f} ×, worst {found[name].worst_ratio:.1f} ×"
        for name in ("float32", "int8")
    )
    return (
        f"Over {whole.n} measured files of {whole.models} models, the executed proxy ranks the "
        f"measured times with Spearman's ρ {units.signed(whole.spearman)} "
        f"{units.interval(whole.spearman_ci95)}; measured over predicted is, {worst}."
    )
