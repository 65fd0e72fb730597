"""The battery section: days over heart rate and capacity, or why they are not known."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from edgeecg.errors import EdgeECGError, UsageError
from edgeecg.reporting import battery_energy, battery_life, battery_table, units
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
    files = [each for each in subjects if each.result] or subjects
    load = _example(files)
    rate = "" if load == EXAMPLE else f" --beats {60 * load.beats_hz:g}/min"
    command = f"edgeecg battery {name} --capacity 150mAh --voltage 3.7 --sleep-current 5uA{rate}"
    try:
        life = battery_life.lives(files, load, name, sleeps=True)
    except UsageError as error:
        return Section(
            _TITLE, missing=f"{error.what} {error.why} For another rate add --beats to: {command}"
        )
    except EdgeECGError as error:
        return Section(_TITLE, missing=f"{error.what} {error.why} {error.todo}")
    text = (
        f"An example: 150 mAh at 3.7 V, {60 * load.beats_hz:g} {life.window}s a minute, a sleep "
        f"current of 5 µA, no radio. For another battery: {command}"
    )
    hidden = len(life.others) + 1 - _MOST_FILES
    if hidden > 0:
        life = life.model_copy(update={"others": life.others[: _MOST_FILES - 1]})
        text += f" Shown are the {_MOST_FILES} files that last longest, of {hidden + _MOST_FILES}."
    return Section(_TITLE, (battery_table.table(life),), (figure(life, data),), paragraphs=(text,))


def _example(files: Sequence[Subject]) -> Load:
    """Return the example; one record after another, where all files classify whole records."""
    records = [battery_energy.record_s(each) for each in files]
    lengths = [seconds for seconds in records if seconds is not None]
    if not lengths or len(lengths) < len(records):
        return EXAMPLE
    return dataclasses.replace(EXAMPLE, beats_hz=1 / max(lengths))


def figure(life: BatteryLife, data: str) -> Figure:
    """Return the days over the rate, a line for each of four capacities.

    Args:
        life: The battery and the file that lasts longest.
        data: The data that the figures are about.
    """
    if life.window == "beat":
        title, rates = "heart rate, beats a minute", [float(rate) for rate in _RATES]
    else:
        title, rates = "records a minute", [6 * life.beats_hz * tenth for tenth in range(1, 11)]
    lines: dict[str, list[float]] = {}
    for factor in _CAPACITIES:
        capacity = factor * life.capacity_ah
        lines[f"{1e3 * capacity:g} mAh"] = [
            Load(capacity, life.voltage_v, rate / 60, life.sleep_a, life.radio_w).days(
                life.inference_j
            )
            for rate in rates
        ]
    return Figure(
        titled(
            f"Days of battery with {battery_table.name(life, life)} on {life.device}, "
            f"{units.joules(life.inference_j)} ({life.tier}) for each {life.window}",
            data,
        ),
        words(
            f"{name}: {units.significant(days[0])} days at {rates[0]:g} {life.window}s a minute, "
            f"{units.significant(days[-1])} at {rates[-1]:g}"
            for name, days in lines.items()
        ),
        tuple(
            {
                "type": "scatter", "mode": "lines", "name": label(name), "x": rates,
                "y": [round(each, 3) for each in days],
                "line": {"color": SERIES[n], "dash": DASHES[n]},
                "hovertemplate": "%{x} a minute: %{y:.3g} days<extra>%{fullData.name}</extra>",
            }
            for n, (name, days) in enumerate(lines.items())
        ),
        {
            "xaxis": axis(title),
            "yaxis": axis(f"days at {life.voltage_v:g} V", rangemode="tozero"),
        },
    )  # fmt: skip
