"""The table of predicted and measured latency."""

from __future__ import annotations

from ..results import Results
from ..rows import same_machine
from .provenance import made_by


def measured_costs(results: Results) -> str:
    """Return the latencies that were asked for, predicted and measured."""
    rows = results.newest("model", "budget")
    lines = [
        "| model | asked for | MACs | predicted latency | measured latency | p50, dense and cut |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for row in rows:
        same_machine([r for r in rows if r["model"] == row["model"]], "A ratio of latencies")
        lines.append(
            f"| `{row['model']}` | `{row['budget']}` | {row['macs']:.3f} × "
            f"| {row['predicted']:.3f} × | {row['measured']:.3f} × "
            f"| {row['dense_p50_s'] * 1e6:.0f}, {row['p50_s'] * 1e6:.0f} µs |"
        )
    first = rows[0]
    emulator = " These are an emulator's times." if any(row["emulated"] for row in rows) else ""
    return "\n".join(
        [
            *lines,
            "",
            "× is relative to the dense model. Predicted from the dense file's seconds per layer; "
            "measured once: median, the cut files and the dense one in one `bench` call on "
            f"{first['device']}, {first['runtime']}, {first['threads']} thread, batch 1. The "
            f"package's weights, cut in one step, not fine-tuned.{emulator}",
            "",
            made_by(rows),
        ]
    )
