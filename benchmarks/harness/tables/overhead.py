"""The table of what ``edgeecg bench`` adds to what it measures."""

from __future__ import annotations

import statistics

from ..results import Results
from .provenance import made_by


def added(results: Results) -> str:
    """Return each figure beside what it may be."""
    rows = results.newest("what", "about_s")
    lines = ["| figure | value | at most |", "|---|--:|--:|"]
    for row in rows:
        if "ratio" in row:
            name = f"{row['what']}, call of about {_time(row['about_s'])}"
            value = f"{row['ratio']:.3f} [{row['ratio_low']:.3f}, {row['ratio_high']:.3f}]"
            limit = "0.97 to 1.03"
        elif "share" in row:
            name, value, limit = row["what"], f"{row['share']:.1%}", "1 %"
        else:
            name, value, limit = row["what"], _time(row["seconds"]), "2 µs"
        lines.append(f"| {name} | {value} | {limit} |")
    rounds = max(row.get("rounds", 0) for row in rows)
    seconds = statistics.median(row["seconds"] for row in rows if "share" in row)
    return "\n".join(
        [
            *lines,
            "",
            f"The ratio is the median of {rounds} rounds in which `bench` and the bare loop take "
            "turns, with the 2.5 % and 97.5 % quantiles of the rounds; one round can be disturbed "
            "by anything else that the machine does. The processor time of the process that "
            f"records a replayed meter is taken over {seconds:.0f} s.",
            "",
            made_by(rows, cpu=True),
        ]
    )


def _time(seconds: float) -> str:
    return f"{seconds * 1e3:g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.2g} µs"
