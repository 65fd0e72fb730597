"""A picture of the days of battery over heart rate and capacity."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgeecg.reporting import picture_file, units
from edgeecg.reporting.battery_life import Load
from edgeecg.reporting.battery_rows import BatteryLife

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LOWEST, _HIGHEST = 40.0, 180.0
_CAPACITIES = (0.5, 1.0, 2.0, 4.0)
_DASHES = ("--", "-", "-.", ":")


def draw(life: BatteryLife, path: Path) -> None:
    """Draw the days over the heart rate, a line for each of four capacities.

    The energy of an inference is that of ``life`` at every heart rate.

    Args:
        life: The battery and the file.
        path: The file to write; its suffix is one of :data:`picture_file.FORMATS`.

    Raises:
        UsageError: The suffix is another one.
        MissingDependencyError: matplotlib is not installed.
        EdgeECGError: The file cannot be written.
    """
    picture_file.write(path, (8, 4.5), lambda axes: _paint(axes, life))


def curve(life: BatteryLife, capacity_ah: float, per_minute: np.ndarray) -> list[float]:
    """Return the days at several heart rates.

    Args:
        life: The battery and the file.
        capacity_ah: Charge of the battery, in place of that of ``life``.
        per_minute: Heartbeats in a minute.
    """
    return [
        Load(capacity_ah, life.voltage_v, float(rate) / 60, life.sleep_a, life.radio_w).days(
            life.inference_j
        )
        for rate in per_minute
    ]


def _paint(axes: Axes, life: BatteryLife) -> None:
    here = 60 * life.beats_hz
    # Records come at most as often as the user says.
    lowest, highest = (_LOWEST, _HIGHEST) if life.window == "beat" else (here / 10, here)
    rates = np.linspace(min(lowest, here), max(highest, here), 141)
    for factor, colour, dashes in zip(_CAPACITIES, picture_file.COLOURS, _DASHES, strict=True):
        capacity = factor * life.capacity_ah
        label = f"{1e3 * capacity:g} mAh"
        days = curve(life, capacity, rates)
        axes.plot(rates, days, color=colour, linestyle=dashes, label=label)
    axes.plot([here], [life.days], "o", color="black")
    axes.annotate(
        f"{units.significant(life.days)} days",
        (here, life.days),
        xytext=(6, 6),
        textcoords="offset points",
    )
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter("{x:,g}")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(title=f"capacity at {life.voltage_v:g} V")
    heart = "heart rate in " if life.window == "beat" else ""
    axes.set_xlabel(f"{heart}{life.window}s per minute")
    axes.set_ylabel("days of battery")
    axes.set_title(
        units.printable(
            f"{life.label} on {life.device}: {units.joules(life.inference_j)} ({life.tier}) for "
            f"each {life.window}"
        ),
        fontsize=10,
    )
