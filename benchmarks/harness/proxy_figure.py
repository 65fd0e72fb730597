"""The figure of the proxy against the measured times of all published files."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgeecg.reporting import proxy_agreement, units
from edgeecg.reporting.proxy_agreement import Point

from . import proxy_points
from .experiment import EXPERIMENTS, load
from .figures import pyplot
from .results import stored

# Okabe and Ito's colours, which colour-blind readers can tell apart; the marks differ, too.
_STYLES = {"float32": ("o", "#0072B2"), "int8": ("D", "#D55E00")}
_FROM, _PROXY_TO = 0.015, 1.6
_TICKS = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


def draw(results: Path, experiments: Path = EXPERIMENTS) -> bytes:
    """Draw measured time over executed proxy, a mark for each file.

    Args:
        results: Folder of the results.
        experiments: Folder of the experiment files.

    Returns:
        An SVG file.
    """
    structured = stored(load(proxy_points.STRUCTURED, experiments), results, experiments)
    found = proxy_points.of_results(structured)
    rows = {row.dtype: row for row in proxy_agreement.rows(found) if row.prediction == "executed"}
    plt = pyplot()
    figure, axes = plt.subplots(figsize=(8.0, 5.2), layout="constrained")
    slowest = max(_PROXY_TO, 1.3 * max(each.measured for each in found))
    whole_range = (_FROM, slowest)
    axes.plot(whole_range, whole_range, color="#888888", linestyle=":", linewidth=1, label="exact")
    for dtype, (mark, colour) in _STYLES.items():
        here = [each for each in found if each.dtype == dtype]
        row = rows[dtype]
        label = (
            f"{dtype}: {row.n} files, measured ÷ proxy: median {row.median_ratio:.2f}, worst "
            f"{row.worst_ratio:.1f}"
        )
        axes.scatter(
            [each.predicted["executed"] for each in here], [each.measured for each in here],
            marker=mark, color=colour, alpha=0.75, linewidths=0, s=34, label=label,
        )  # fmt: skip
    whole = rows["all"]
    if whole.factor is not None and whole.exponent is not None and whole.spearman is not None:
        across = np.array([min(p.predicted["executed"] for p in found), 1.0])
        axes.plot(
            across, whole.factor * across**whole.exponent, color="#222222", linestyle="--",
            linewidth=1,
            label=f"fit; Spearman ρ {units.signed(whole.spearman)} "
            f"{units.interval(whole.spearman_ci95)}",
        )  # fmt: skip
    _draw_ideal(axes, proxy_points.unstructured(structured))
    for axis, set_scale, highest in (
        (axes.xaxis, axes.set_xscale, _PROXY_TO),
        (axes.yaxis, axes.set_yscale, slowest),
    ):
        set_scale("log")
        ticks = [tick for tick in _TICKS if tick < highest]
        axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
        axis.set_minor_locator(plt.NullLocator())
    axes.set_xlim(_FROM, _PROXY_TO)
    axes.set_ylim(_FROM, slowest)
    axes.set_xlabel("executed proxy, relative to the dense float32 file")
    axes.set_ylabel("measured time (p50), relative to the same")
    axes.grid(color="#e3e3e3")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower right", frameon=False)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None}, facecolor="white")
    plt.close(figure)
    return drawn.getvalue()


def _draw_ideal(axes: Any, unstructured: Sequence[Point]) -> None:
    """Draw how far the ideal proxy of each unstructured file is from its executed one."""
    label = "single weights zeroed: ideal to executed proxy"
    for number, each in enumerate(unstructured):
        ideal, executed = each.predicted["ideal"], each.predicted["executed"]
        axes.plot(
            [max(ideal, _FROM), executed], [each.measured] * 2, color="#777777",
            linewidth=0.9, zorder=1, marker="|", markevery=[0],
            label=label if number == 0 else None,
        )  # fmt: skip
