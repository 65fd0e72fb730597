"""The reference study's last figure: training loss after each pruning step, ``resnet1d_attn``.

Drawn from the cells of Table V that are in ``results/cells/`` into ``results/loss_curves.png``::

    python benchmarks/loss_curves.py
"""

from __future__ import annotations

import io

import matplotlib

matplotlib.use("Agg")

import numpy as np
from cells import RESULTS
from matplotlib import pyplot as plt
from published import seeds_of
from table_v import CELLS

from edgeecg.files import write_bytes


def main() -> None:
    """Draw one line for each way of pruning, a band for the three seeds' deviation."""
    figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
    boundaries: list[int] = []
    for label, cell in CELLS.items():
        runs = [[step["train_loss"] for step in held["steps"]] for held in seeds_of(cell)]
        losses = np.array([np.concatenate(run) for run in runs])
        epochs = np.arange(1, losses.shape[1] + 1)
        mean, deviation = losses.mean(axis=0), losses.std(axis=0, ddof=1)
        axes.plot(epochs, mean, marker="o", label=label)
        axes.fill_between(epochs, mean - deviation, mean + deviation, alpha=0.2)
        boundaries = np.cumsum([len(step) for step in runs[0]])[:-1].tolist()
    for end in boundaries:
        axes.axvline(end + 0.5, color="grey", linewidth=0.5)
    axes.set_xlabel("fine-tuning epoch (a line after each pruning step of 8 %)")
    axes.set_ylabel("training loss")
    axes.set_ylim(bottom=0)
    axes.legend(title="resnet1d_attn, MIT-BIH DS1")
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=120, metadata={"Software": None})
    write_bytes(RESULTS / "loss_curves.png", drawn.getvalue())
    print("loss_curves.png")


if __name__ == "__main__":
    main()
