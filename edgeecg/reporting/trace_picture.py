"""A picture of a power trace and the windows that were found in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgeecg.benchmark.trace import TraceResult
from edgeecg.reporting import picture_file, units

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BINS = 4000
_LABELLED = 40


def draw(found: TraceResult, path: Path) -> None:
    """Draw power over time, with the busy windows shaded.

    Args:
        found: The trace.
        path: The file to write; its suffix is one of :data:`picture_file.FORMATS`.

    Raises:
        UsageError: The suffix is another one.
        MissingDependencyError: matplotlib is not installed.
        EdgeECGError: The file cannot be written.
    """
    picture_file.write(path, (10, 4), lambda axes: _paint(axes, found))


def _paint(axes: Axes, found: TraceResult) -> None:
    t_s, low, high = _envelope(found.file.t_s, found.file.watts)
    axes.fill_between(
        t_s, low * 1e3, high * 1e3, linewidth=0.6, color=picture_file.COLOURS[0], step=None
    )
    # Room for the numbers of the windows above the highest power.
    axes.margins(x=0.01, y=0.18)
    busy = [window for window in found.windows if window.inferences]
    for number, window in enumerate(busy, start=1):
        axes.axvspan(
            window.begun_s, window.ended_s, color=picture_file.COLOURS[1], alpha=0.2, linewidth=0
        )
        if len(busy) <= _LABELLED:
            middle = (window.begun_s + window.ended_s) / 2
            axes.annotate(
                f"{number}\n{window.inferences}×",
                (middle, 0.98),
                xycoords=("data", "axes fraction"),
                ha="center",
                va="top",
                fontsize=7,
            )
    if found.threshold is not None and found.threshold[0] == "power":
        axes.axhline(found.threshold[1] * 1e3, color="black", linewidth=0.8, linestyle="--")
    net = found.energy.net_j
    figure = units.joules(net) + " net per inference" if net is not None else "not measured"
    axes.set_title(f"{len(busy)} busy windows: {figure}", fontsize=10)
    axes.set_xlabel("time in s")
    axes.set_ylabel("power in mW")


def _envelope(
    t_s: NDArray[np.float64], watts: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return times with the smallest and the largest power, few enough to draw."""
    if t_s.size <= _BINS:
        return t_s, watts, watts
    starts = np.linspace(0, t_s.size, _BINS, endpoint=False).astype(np.int64)
    return t_s[starts], np.minimum.reduceat(watts, starts), np.maximum.reduceat(watts, starts)
