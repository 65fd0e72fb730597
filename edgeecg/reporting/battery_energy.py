"""The energy of one window of a file, measured or calibrated, for ``edgeecg battery``."""

from __future__ import annotations

from dataclasses import dataclass

from edgeecg.errors import UsageError
from edgeecg.reporting import units
from edgeecg.reporting.subjects import Subject
from edgeecg.schema import BenchResult

_SAME_RATE = 0.01
_NOT_POSITIVE = "The net energy is not above zero."


@dataclass(frozen=True)
class WindowEnergy:
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


def of(subject: Subject, beats_hz: float) -> WindowEnergy | str:
    """Return the energy of a window, or why it is not known.

    Args:
        subject: The file.
        beats_hz: Heartbeats in a second, each of which is one window; or records in a second.

    Raises:
        UsageError: The device cannot run that often, or the records would overlap.
    """
    result = subject.result
    if result is None:
        if subject.counted is not None:
            return "Instructions were counted on an emulated core, which has no energy."
        return "It has scores and costs, but was not measured on a device."
    _check_rate(subject, result, beats_hz)
    _check_records(subject, beats_hz)
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


def record_s(subject: Subject) -> float | None:
    """Return how long a record is that a model reads as a whole; None for a model of beats."""
    manifest = None if subject.result is None else subject.result.artifact.manifest
    if manifest is None or manifest.task != "records":
        return None
    return manifest.preprocessing.window / manifest.preprocessing.fs_hz


def _check_records(subject: Subject, rate_hz: float) -> None:
    seconds = record_s(subject)
    if seconds is not None and rate_hz * seconds > 1 + _SAME_RATE:
        most = 60 / seconds
        raise UsageError(
            f"'{units.printable(subject.label)}' is not given {60 * rate_hz:g} records a minute.",
            f"It classifies records of {seconds:g} s, of which at most {most:g} a minute do not "
            "overlap.",
            f"Give their number, e.g. --beats {most:g}/min.",
        )


def _check_rate(subject: Subject, result: BenchResult, beats_hz: float) -> None:
    needed_s = beats_hz * (result.p50_per_window_s or result.latency.p50_s)
    if needed_s > 1:
        raise UsageError(
            f"'{units.printable(subject.label)}' cannot run {beats_hz:g} times per second.",
            f"An inference takes {units.plain(result.latency.p50_s, 's')}, which is longer than "
            "the time between two beats.",
            "Give a lower --beats.",
        )


def _duty_energy(result: BenchResult, beats_hz: float, batch: int) -> WindowEnergy | None:
    """Return the energy that was measured at this rate; of several settings the lowest."""
    if len(result.duty_energy) != len(result.duty_cycle):
        return None
    found: list[WindowEnergy] = []
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
                WindowEnergy(
                    energy.net_j / batch,
                    None if limits is None else (limits[0] / batch, limits[1] / batch),
                    False,
                    f"{words} (meter {energy.meter})",
                    _energy_notes(result, energy.replayed, energy.idle_w),
                )
            )
    return min(found, key=lambda each: each.joules, default=None)


def _net_energy(result: BenchResult, batch: int) -> WindowEnergy | None:
    energy = result.energy
    if energy.tier != "measured" or energy.net_j is None or energy.net_j <= 0:
        return None
    limits = energy.ci95_j
    return WindowEnergy(
        energy.net_j / batch,
        None if limits is None else (limits[0] / batch, limits[1] / batch),
        False,
        f"measured in inferences without pauses (meter {energy.meter})",
        (
            *_energy_notes(result, energy.replayed, energy.idle_w),
            "Waking up for each beat is not in the energy; 'edgeecg bench --rate' measures it.",
        ),
    )


def _calibrated(result: BenchResult, batch: int) -> WindowEnergy | None:
    found = result.calibrated
    if found is None or not found.net_j:
        return None
    error = found.net_j_error
    each = found.net_j / batch
    return WindowEnergy(
        each,
        None if error is None else (each * (1 - error), each * (1 + error)),
        True,
        "predicted by the calibration of the device profile, not measured",
        (
            f"The energy of this file itself is {result.energy.tier}: {result.energy.reason}",
            *_energy_notes(result, found.replayed, None),
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
