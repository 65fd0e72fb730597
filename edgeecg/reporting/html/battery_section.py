"""The battery section: days over heart rate and capacity, or why they are not known."""

from __future__ import annotations

from collections.abc import Sequence

from edgeecg.errors import EdgeECGError
from edgeecg.reporting import battery_life, battery_table, units
from edgeecg.reporting.battery_life import Load
from edgeecg.reporting.battery_rows import BatteryLife
from edgeecg.reporting.html.document import Section
from edgeecg.reporting.html.figure import DASHES, SERIES, Figure, axis, label, titled, words
from edgeecg.reporting.subjects import Subject

EXAMPLE = Load(capacity_ah=0.15, voltage_v=3.7, beats_hz=75 / 60, sleep_a=5e-6)
"""A small battery, an ordinary heart rate and a sleep current, where the user has named none."""

_MOST_FILES = 20
_TITLE = "What does it do to the battery?"
_RATES = range(40, 181, 5)
_CAPACITIES = (0.5, 1.0, 2.0, 4.0)


def section(subjects: Sequence[Subject], name: str, data: str) -> Section:
    """Return the section.

    Args:
        subjects: The files.
        name: What they are called together, as 'edgeecg battery' takes it.
        data: The data that the figures are about.
    """
    command = f"edgeecg battery {name} --capacity 150mAh --voltage 3.7 --sleep-current 5uA"
    try:
        life = battery_life.lives(
            [each for each in subjects if each.result] or subjects, EXAMPLE, name, sleeps=True
        )
    except EdgeECGError as error:
        return Section(_TITLE, missing=f"{error.what} {error.why} {error.todo}")
    text = (
        "An example: 150 mAh at 3.7 V, 75 beats a minute, a sleep current of 5 µA, no radio. For "
        f"another battery: {command}"
    )
    hidden = len(life.others) + 1 - _MOST_FILES
    if hidden > 0:
        life = life.model_copy(update={"others": life.others[: _MOST_FILES - 1]})
        text += f" Shown are the {_MOST_FILES} files that last longest, of {hidden + _MOST_FILES}."
    return Section(_TITLE, (battery_table.table(life),), (figure(life, data),), paragraphs=(text,))


def figure(life: BatteryLife, data: str) -> Figure:
    """Return the days over the heart rate, a line for each of four capacities.

    Args:
        life: The battery and the file that lasts longest.
        data: The data that the figures are about.
    """
    lines: dict[str, list[float]] = {}
    for factor in _CAPACITIES:
        capacity = factor * life.capacity_ah
        lines[f"{1e3 * capacity:g} mAh"] = [
            Load(capacity, life.voltage_v, rate / 60, life.sleep_a, life.radio_w).days(
                life.inference_j
            )
            for rate in _RATES
        ]
    return Figure(
        titled(
            f"Days of battery with {battery_table.name(life, life)} on {life.device}, "
            f"{units.joules(life.inference_j)} ({life.tier}) for each beat",
            data,
        ),
        words(
            f"{name}: {units.significant(days[0])} days at {_RATES[0]} beats a minute, "
            f"{units.significant(days[-1])} at {_RATES[-1]}"
            for name, days in lines.items()
        ),
        tuple(
            {
                "type": "scatter", "mode": "lines", "name": label(name), "x": list(_RATES),
                "y": [round(each, 3) for each in days],
                "line": {"color": SERIES[n], "dash": DASHES[n]},
                "hovertemplate": "%{x} a minute: %{y:.3g} days<extra>%{fullData.name}</extra>",
            }
            for n, (name, days) in enumerate(lines.items())
        ),
        {
            "xaxis": axis("heart rate, beats a minute"),
            "yaxis": axis(f"days at {life.voltage_v:g} V", rangemode="tozero"),
        },
    )  # fmt: skip
