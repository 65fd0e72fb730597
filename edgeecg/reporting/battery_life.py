"""Days of battery: what ``edgeecg battery`` does.

The formula, with the net energy of one inference above the idle power (E, joules), the heart rate
(r, 1/s), the sleep current (I, amperes), the mean power of the radio (P, watts), and the capacity
(C, ampere-hours) and voltage (U) of the battery::

    days = C * U * 3600 / (E * r + I * U + P) / 86400

The sleep current flows all the time, because the net energy is what an inference adds to it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from edgeecg.errors import EdgeECGError, UsageError
from edgeecg.reporting import battery_units, named_results, units
from edgeecg.reporting.battery_rows import BatteryEstimate, BatteryLife, UnknownEnergy
from edgeecg.reporting.subjects import Subject
from edgeecg.schema import BenchResult

HEART_RATE = "75/min"
"""The heart rate where none is given."""

_SECONDS_OF_HOUR = 3600.0
_SECONDS_OF_DAY = 86400.0
_SAME_RATE = 0.01
_NOT_POSITIVE = "The net energy is not above zero."


@dataclass(frozen=True)
class Load:
    """The battery and what it supplies.

    Attributes:
        capacity_ah: Charge of the battery in ampere-hours.
        voltage_v: Its voltage.
        beats_hz: Heartbeats in a second; each is one window.
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
        beats: Heart rate, e.g. ``"75/min"``; every beat is classified.
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
    known: list[BatteryEstimate] = []
    unknown: list[UnknownEnergy] = []
    # The model of a run is no file that was measured.
    for subject in [each for each in subjects if each.result or each.counted] or subjects:
        found = _energy(subject, load.beats_hz)
        if isinstance(found, str):
            unknown.append(UnknownEnergy(label=subject.label, reason=found))
        else:
            known.append(_estimate(subject, found, load, sleep_current is not None))
    if not known:
        raise _no_energy(str(result), unknown)
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


def _no_energy(name: str, unknown: list[UnknownEnergy]) -> EdgeECGError:
    reasons = dict.fromkeys(each.reason for each in unknown)
    return EdgeECGError(
        f"The days of battery of '{units.printable(name)}' are not known.",
        units.printable(" ".join(reasons)),
        "Measure the energy (edgeecg meters; edgeecg bench FILE), or give a device profile of "
        "'edgeecg calibrate' with --device. The proxy has no joules and is not used.",
    )


@dataclass(frozen=True)
class _Energy:
    """The net energy of one window.

    Attributes:
        joules: The energy.
        limits: Its interval, or None.
        calibrated: Whether it was predicted rather than measured.
        source: How it was found, in words.
        notes: What a reader should know.
    """

    joules: float
    limits: tuple[float, float] | None
    calibrated: bool
    source: str
    notes: tuple[str, ...] = ()


def _energy(subject: Subject, beats_hz: float) -> _Energy | str:
    """Return the energy of a window, or why it is not known."""
    result = subject.result
    if result is None:
        if subject.counted is not None:
            return "Instructions were counted on an emulated core, which has no energy."
        return "It has scores and costs, but was not measured on a device."
    _check_rate(subject, result, beats_hz)
    batch = _batch(result)
    return (
        _duty_energy(result, beats_hz, batch)
        or _net_energy(result, batch)
        or _calibrated(result, batch)
        or f"Its energy is {result.energy.tier}. {result.energy.reason or _NOT_POSITIVE}"
    )


def _batch(result: BenchResult) -> int:
    """Return the windows of one inference."""
    window_s, p50_s = result.p50_per_window_s, result.latency.p50_s
    return max(1, round(p50_s / window_s)) if window_s else 1


def _check_rate(subject: Subject, result: BenchResult, beats_hz: float) -> None:
    needed_s = beats_hz * (result.p50_per_window_s or result.latency.p50_s)
    if needed_s > 1:
        raise UsageError(
            f"'{units.printable(subject.label)}' cannot run {beats_hz:g} times per second.",
            f"An inference takes {units.plain(result.latency.p50_s, 's')}, which is longer than "
            "the time between two beats.",
            "Give a lower --beats.",
        )


def _duty_energy(result: BenchResult, beats_hz: float, batch: int) -> _Energy | None:
    """Return the energy that was measured at this rate; of several settings the lowest."""
    if len(result.duty_energy) != len(result.duty_cycle):
        return None
    found: list[_Energy] = []
    for energy, latency in zip(result.duty_energy, result.duty_cycle, strict=True):
        rate = (latency.rate_hz or 0.0) * batch
        if energy.tier != "measured" or energy.net_j is None or energy.net_j <= 0:
            continue
        if abs(rate - beats_hz) <= _SAME_RATE * beats_hz:
            spin = {True: ", idle threads spin", False: ", idle threads do not spin"}
            words = f"measured at {latency.rate_hz:g} runs per second"
            words += "" if latency.spin is None else spin[latency.spin]
            limits = energy.ci95_j
            found.append(
                _Energy(
                    energy.net_j / batch,
                    None if limits is None else (limits[0] / batch, limits[1] / batch),
                    False,
                    f"{words} (meter {energy.meter})",
                    _energy_notes(result, energy.replayed, energy.idle_w),
                )
            )
    return min(found, key=lambda each: each.joules, default=None)


def _net_energy(result: BenchResult, batch: int) -> _Energy | None:
    energy = result.energy
    if energy.tier != "measured" or energy.net_j is None or energy.net_j <= 0:
        return None
    limits = energy.ci95_j
    return _Energy(
        energy.net_j / batch,
        None if limits is None else (limits[0] / batch, limits[1] / batch),
        False,
        f"measured in inferences without pauses (meter {energy.meter})",
        (
            *_energy_notes(result, energy.replayed, energy.idle_w),
            "Waking up for each beat is not in the energy; 'edgeecg bench --rate' measures it.",
        ),
    )


def _calibrated(result: BenchResult, batch: int) -> _Energy | None:
    found = result.calibrated
    if found is None or not found.net_j:
        return None
    error = found.net_j_error
    each = found.net_j / batch
    return _Energy(
        each,
        None if error is None else (each * (1 - error), each * (1 + error)),
        True,
        "predicted by the calibration of the device profile, not measured",
        (
            f"The energy of this file itself is {result.energy.tier}: {result.energy.reason}",
            *_energy_notes(result, False, None),
        ),
    )


def _energy_notes(result: BenchResult, replayed: bool, idle_w: float | None) -> tuple[str, ...]:
    found: list[str] = []
    if replayed:
        found.append("The values of the meter were a recording or a simulation.")
    if result.device.emulated:
        found.append("The device was emulated: the energy is not that of the board.")
    if idle_w is not None:
        found.append(
            f"The idle power of the measured device, {units.watts(idle_w)}, is not in the days: "
            "the sleep current takes its place."
        )
    return tuple(found)


def _estimate(subject: Subject, energy: _Energy, load: Load, sleeps: bool) -> BatteryEstimate:
    powers = load.powers_w(energy.joules)
    whole, days = sum(powers), load.days(energy.joules)
    if not (math.isfinite(days) and whole > 0):
        raise UsageError(
            "The days of battery cannot be computed.",
            "The battery is too large or the power too small for a number.",
            "Check the units of the options.",
        )
    notes = energy.notes
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
        inference_j=energy.joules,
        inference_from=energy.source,
        powers_w={"inference": powers[0], "sleep": powers[1], "radio": powers[2]},
        notes=notes,
    )


def _range(energy: _Energy, load: Load) -> tuple[float, float] | None:
    if energy.limits is None:
        return None
    days = load.days(energy.limits[1]), load.days(max(0.0, energy.limits[0]))
    return days if all(map(math.isfinite, days)) else None
