"""Days of battery: what ``edgeecg battery`` does.

The formula, with the net energy of one inference above the idle power (E, joules), the heart rate
(r, 1/s), the sleep current (I, amperes), the mean power of the radio (P, watts), and the capacity
(C, ampere-hours) and voltage (U) of the battery::

    days = C * U * 3600 / (E * r + I * U + P) / 86400

The sleep current flows all the time, because the net energy is what an inference adds to it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeecg.errors import EdgeECGError, UsageError
from edgeecg.reporting import battery_energy, battery_units, named_results, units
from edgeecg.reporting.battery_energy import WindowEnergy
from edgeecg.reporting.battery_rows import BatteryEstimate, BatteryLife, UnknownEnergy
from edgeecg.reporting.subjects import Subject

HEART_RATE = "75/min"
"""The heart rate where none is given."""

_SECONDS_OF_HOUR = 3600.0
_SECONDS_OF_DAY = 86400.0


@dataclass(frozen=True)
class Load:
    """The battery and what it supplies.

    Attributes:
        capacity_ah: Charge of the battery in ampere-hours.
        voltage_v: Its voltage.
        beats_hz: Heartbeats in a second, each of which is one window; or records in a second.
        sleep_a: Current between two inferences.
        radio_w: Mean power of the radio.
    """

    capacity_ah: float
    voltage_v: float
    beats_hz: float
    sleep_a: float = 0.0
    radio_w: float = 0.0

    def powers_w(self, inference_j: float) -> tuple[float, float, float]:
        """Return the mean power of inferences, of sleep and of the radio.

        Args:
            inference_j: Net energy of one window.
        """
        return inference_j * self.beats_hz, self.sleep_a * self.voltage_v, self.radio_w

    def days(self, inference_j: float) -> float:
        """Return how long the battery lasts; infinite where nothing takes energy.

        Args:
            inference_j: Net energy of one window.
        """
        whole_j = self.capacity_ah * self.voltage_v * _SECONDS_OF_HOUR
        power_w = sum(self.powers_w(inference_j))
        return whole_j / power_w / _SECONDS_OF_DAY if power_w > 0 else math.inf


def battery(
    result: str | Path,
    *,
    capacity: str,
    voltage: str,
    beats: str = HEART_RATE,
    sleep_current: str | None = None,
    radio: str | None = None,
) -> BatteryLife:
    """Return how many days a battery lasts with the measured energy of a result.

    Args:
        result: A run's name or folder, or a JSON file that ``bench --json`` wrote; with ``#LABEL``
            after it, one of its results.
        capacity: Charge of the battery, e.g. ``"150mAh"``.
        voltage: Its voltage, e.g. ``"3.7V"``.
        beats: Heart rate, e.g. ``"75/min"``; every beat is classified. For a model of whole
            records: how many it classifies, e.g. ``"6/min"``.
        sleep_current: Current between two inferences, e.g. ``"5uA"``; None for none.
        radio: Mean power of the radio, e.g. ``"2mJ/min"``; None for none.

    Returns:
        The days with the file that lasts longest, and with the others.

    Raises:
        UsageError: A quantity cannot be parsed, or the device cannot run that often.
        EdgeECGError: No energy was measured or calibrated, or the result cannot be read.
    """
    load = Load(
        capacity_ah=battery_units.parse(capacity, battery_units.CAPACITY),
        voltage_v=battery_units.parse(voltage, battery_units.VOLTAGE),
        beats_hz=battery_units.parse(beats, battery_units.RATE),
        sleep_a=0.0
        if sleep_current is None
        else battery_units.parse(sleep_current, battery_units.CURRENT),
        radio_w=0.0 if radio is None else battery_units.parse(radio, battery_units.POWER),
    )
    subjects = named_results.read(str(result))
    # The model of a run is no file that was measured.
    files = [each for each in subjects if each.result or each.counted] or subjects
    return lives(files, load, str(result), sleep_current is not None)


def lives(files: Sequence[Subject], load: Load, name: str, sleeps: bool) -> BatteryLife:
    """Return how many days a battery lasts with each of several files.

    Args:
        files: The files.
        load: The battery and what it supplies.
        name: What the files are called together.
        sleeps: Whether the sleep current is known.

    Raises:
        UsageError: The device cannot run any of them that often.
        EdgeECGError: No energy was measured or calibrated.
    """
    known: list[BatteryEstimate] = []
    unknown: list[UnknownEnergy] = []
    refused: list[UsageError] = []
    for subject in files:
        try:
            found = battery_energy.of(subject, load.beats_hz)
        except UsageError as error:
            refused.append(error)
            found = f"{error.what} {error.why}"
        if isinstance(found, str):
            unknown.append(UnknownEnergy(label=subject.label, reason=found, source=subject.source))
        else:
            known.append(_estimate(subject, found, load, sleeps))
    if refused and not known:
        raise refused[0]
    if not known:
        raise _no_energy(name, unknown, _left_out(files))
    known.sort(key=lambda each: -each.days)
    return BatteryLife(
        **{name: getattr(known[0], name) for name in BatteryEstimate.model_fields},
        capacity_ah=load.capacity_ah,
        voltage_v=load.voltage_v,
        beats_hz=load.beats_hz,
        sleep_a=load.sleep_a,
        radio_w=load.radio_w,
        others=tuple(known[1:]),
        unknown=tuple(unknown),
    )


def _left_out(files: Sequence[Subject]) -> list[str]:
    """Return why files of a run were not read, each text once."""
    reasons = dict.fromkeys(why for each in files for why in each.unreadable)
    return [f"A file was left out: {why}" for why in reasons]


def _no_energy(name: str, unknown: list[UnknownEnergy], left_out: list[str]) -> EdgeECGError:
    reasons = dict.fromkeys((*(each.reason for each in unknown), *left_out))
    return EdgeECGError(
        f"The days of battery of '{units.printable(name)}' are not known.",
        units.printable(" ".join(reasons)) or "It holds no measurement.",
        "Measure the energy (edgeecg meters; edgeecg bench FILE), or bench with --device and a "
        "profile that 'edgeecg calibrate' made with a meter. The proxy has no joules and is not "
        "used.",
    )


def _estimate(subject: Subject, energy: WindowEnergy, load: Load, sleeps: bool) -> BatteryEstimate:
    powers = load.powers_w(energy.joules)
    whole, days = sum(powers), load.days(energy.joules)
    if not (math.isfinite(days) and whole > 0):
        raise UsageError(
            "The days of battery cannot be computed.",
            "The battery is too large or the power too small for a number.",
            "Check the units of the options.",
        )
    notes = (*energy.notes, *_left_out([subject]))
    if not sleeps:
        notes += ("No sleep current was given, so the days are an upper limit.",)
    assert subject.result is not None
    return BatteryEstimate(
        days=days,
        shares={
            "inference": powers[0] / whole,
            "sleep": powers[1] / whole,
            "radio": powers[2] / whole,
        },
        tier="calibrated" if energy.calibrated else "measured",
        days_range=_range(energy, load),
        range_basis=None
        if energy.limits is None
        else "median error of the calibration"
        if energy.calibrated
        else "95 % interval of the net energy",
        source=subject.source,
        label=subject.label,
        device=subject.result.device.name,
        window="beat" if battery_energy.record_s(subject) is None else "record",
        inference_j=energy.joules,
        inference_from=energy.source,
        powers_w={"inference": powers[0], "sleep": powers[1], "radio": powers[2]},
        notes=notes,
    )


def _range(energy: WindowEnergy, load: Load) -> tuple[float, float] | None:
    if energy.limits is None:
        return None
    days = load.days(energy.limits[1]), load.days(max(0.0, energy.limits[0]))
    return days if all(map(math.isfinite, days)) else None
