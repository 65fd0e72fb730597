"""The figures that are drawn of stored rows."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from .aggregate import table_rows, variants
from .experiment import load
from .results import stored

_SERIES = (
    ("bytes_ratio", "file size", "#9aa5b1"),
    ("proxy_executed", "energy proxy (executed)", "#f0a35e"),
    ("latency_ratio", "measured time (p50)", "#2f6f9f"),
)
_SCORES = {"macro_f1": "F1", "macro_auroc": "AUROC"}


def pyplot() -> Any:
    """Return pyplot, set up so that the same rows give the same file."""
    import matplotlib

    matplotlib.use("agg")
    # Text stays text.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "edgeecg"})
    import matplotlib.pyplot as plt

    return plt


def loss_curves(results: Path) -> bytes:
    """Draw the reference study's last figure: training loss after each pruning step.

    Args:
        results: Folder of the results; those of ``table_v`` are drawn.

    Returns:
        A PNG file.
    """
    import numpy as np

    plt = pyplot()
    figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
    boundaries: list[int] = []
    for each in variants(stored(load("table_v"), results)):
        runs = [[step["train_loss"] for step in seed["steps"]] for seed in each.seeds]
        losses = np.array([np.concatenate(run) for run in runs])
        epochs = np.arange(1, losses.shape[1] + 1)
        mean, deviation = losses.mean(axis=0), losses.std(axis=0, ddof=1)
        axes.plot(epochs, mean, marker="o", label=each.label)
        axes.fill_between(epochs, mean - deviation, mean + deviation, alpha=0.2)
        boundaries = np.cumsum([len(step) for step in runs[0]])[:-1].tolist()
    for end in boundaries:
        axes.axvline(end + 0.5, color="grey", linewidth=0.5)
    axes.set_xlabel("fine-tuning epoch (a line after each pruning step of 8 %)")
    axes.set_ylabel("training loss")
    axes.set_ylim(bottom=0)
    axes.legend(title="resnet1d_attn, MIT-BIH DS1")
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=120, metadata={"Software": None})
    plt.close(figure)
    return drawn.getvalue()


def gained(results: Path) -> bytes:
    """Draw file size, executed proxy and measured time of every compressed model.

    Args:
        results: Folder of the results; those of ``structured`` are drawn.

    Returns:
        An SVG file.
    """
    held = stored(load("structured"), results)
    rows = [r for r in table_rows("structured", held) if r["latency_ratio"] is not None]
    plt = pyplot()
    figure, axes = plt.subplots(figsize=(8.0, 5.2), layout="constrained")
    height = 0.26
    for k, (name, label, colour) in enumerate(_SERIES):
        places = [place + (k - 1) * height for place in range(len(rows))]
        axes.barh(places, [row[name] for row in rows], height, label=label, color=colour)
    axes.set_yticks(range(len(rows)), [_label(row) for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel("relative to the dense float32 model")
    axes.grid(axis="x", color="#dddddd")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=len(_SERIES), frameon=False)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None}, facecolor="white")
    plt.close(figure)
    return drawn.getvalue()


def _label(row: dict[str, Any]) -> str:
    scores = f"{_SCORES[row['score']]} {row['baseline_mean']:.3f} → {row['score_mean']:.3f}"
    return f"{row['label']}\n{scores}"
