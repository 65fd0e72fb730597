"""Draw what compression gains: file size, executed proxy and measured time, of every model.

Drawn from ``results/structured.json`` into ``docs/images/gained.svg``, for the README::

    python benchmarks/gained_figure.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
# Text stays text, and the file is the same for the same rows.
matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "edgeecg"})

import matplotlib.pyplot as plt  # noqa: E402

RESULTS = Path(__file__).parent / "results"
FIGURE = Path(__file__).parents[1] / "docs" / "images" / "gained.svg"

_SERIES = (
    ("bytes_ratio", "file size", "#9aa5b1"),
    ("proxy_executed", "energy proxy (executed)", "#f0a35e"),
    ("latency_ratio", "measured time (p50)", "#2f6f9f"),
)
_SCORES = {"macro_f1": "F1", "macro_auroc": "AUROC"}


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw a group of bars for each row.

    Args:
        rows: The rows of ``structured.json``.
        path: The figure.
    """
    figure, axes = plt.subplots(figsize=(8.0, 5.2), layout="constrained")
    height = 0.26
    for k, (name, label, colour) in enumerate(_SERIES):
        places = [place + (k - 1) * height for place in range(len(rows))]
        values = [row[name] for row in rows]
        axes.barh(places, values, height, label=label, color=colour)
    axes.set_yticks(range(len(rows)), [_label(row) for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel("relative to the dense float32 model")
    axes.grid(axis="x", color="#dddddd")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=len(_SERIES), frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None}, facecolor="white")
    plt.close(figure)


def _label(row: dict[str, Any]) -> str:
    scores = f"{_SCORES[row['score']]} {row['baseline_mean']:.3f} → {row['score_mean']:.3f}"
    return f"{row['label']}\n{scores}"


def main() -> None:
    """Draw the figure."""
    rows = json.loads((RESULTS / "structured.json").read_text(encoding="utf-8"))["rows"]
    draw([row for row in rows if row["latency_ratio"] is not None], FIGURE)


if __name__ == "__main__":
    main()
