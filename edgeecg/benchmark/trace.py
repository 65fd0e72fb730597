"""The energy of an inference from a trace that an instrument exported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeecg.benchmark import power_energy, trace_file, trace_windows
from edgeecg.benchmark.energy import MIN_WINDOWS
from edgeecg.benchmark.recording import PowerTrace
from edgeecg.benchmark.trace_columns import Kind, quantity
from edgeecg.benchmark.trace_config import TraceConfig
from edgeecg.benchmark.trace_file import TraceFile, TraceOptions
from edgeecg.errors import DataError, UsageError
from edgeecg.runs.options import Options, configured, keyword_options
from edgeecg.schema import Energy, EnergyWindow

# Time that a processor needs to be at its idle power again, and the part of a rest it may take.
_SETTLE_S, _SETTLE_SHARE = 0.05, 1 / 8
_GAP_PERIODS = 5.0
_FEWEST_REST_SAMPLES = 8
_FEWEST_WINDOWS = 2 * MIN_WINDOWS + 1


@dataclass(frozen=True)
class TraceResult:
    """What was found in a trace.

    Attributes:
        energy: The energy of an inference.
        windows: Idle and busy windows in turn.
        file: The samples.
        threshold: The threshold, in amperes or watts as its unit says; None with a marker.
    """

    energy: Energy
    windows: tuple[EnergyWindow, ...]
    file: TraceFile
    threshold: tuple[Kind, float] | None


def trace(file: str | Path, **options: Any) -> Energy:
    """Compute the energy of one inference from a trace that an instrument exported.

    Args:
        file: CSV file of a PPK2, Joulescope, Otii, Monsoon or oscilloscope.
        **options: Fields of :class:`edgeecg.benchmark.trace_config.TraceConfig`, e.g.
            ``inferences=20``, ``marker="D0"``, ``threshold="5mA"``, ``voltage="3.3V"``.

    Raises:
        UsageError: A setting is unknown or has a value that it cannot have, ``inferences`` is
            missing, or a setting does not fit the file.
        DataError: The file cannot be used, or has no busy windows between idle ones.
    """
    return energy_of_trace(
        file, settings(keyword_options(options, TraceConfig.model_fields))
    ).energy


def settings(asked: Options) -> TraceConfig:
    """Return a configuration.

    Args:
        asked: What was given.

    Raises:
        UsageError: The number of inferences is missing, or a setting has a value that it cannot
            have.
    """
    if "inferences" not in asked:
        raise UsageError(
            "The number of inferences is missing.",
            "The energy of a window is divided by it.",
            "Give it with --inferences: those in each busy window, or in all with --total.",
        )
    return configured(TraceConfig, TraceConfig(inferences=1), asked)


def energy_of_trace(path: str | Path, config: TraceConfig) -> TraceResult:
    """Compute the energy of one inference from a trace.

    The periods in which the marker is high, or the threshold is reached, are the busy windows; what
    lies between them is idle. A busy window at the very begin or end of the trace is left out,
    because the recording may have cut it.

    Args:
        path: The CSV file.
        config: What its windows are.

    Returns:
        The energy, with the same statistics as ``edgeecg bench``, and the windows.

    Raises:
        UsageError: Marker and threshold are both given, or an option does not fit the file.
        DataError: The file cannot be used, has no busy windows between idle ones, or has too few
            samples in a rest.
    """
    if config.marker is not None and config.threshold is not None:
        raise UsageError(
            "--marker and --threshold cannot be used together.",
            "Both say when the device is busy.",
            "Give one of them.",
        )
    voltage = None
    if config.voltage is not None:
        voltage = quantity(config.voltage, ["voltage"], "--voltage")[1]
        if voltage <= 0:
            raise UsageError(
                f"'{config.voltage}' cannot be used with --voltage.",
                "A supply voltage is above zero.",
                "Give e.g. --voltage 3.3V.",
            )
    threshold = None
    if config.threshold is not None:
        threshold = quantity(config.threshold, ["current", "power"], "--threshold")
    marker = (config.marker or "") if threshold is None else None
    file = trace_file.read(Path(path), TraceOptions(marker, voltage, config.columns))
    busy = file.marker
    if busy is None or threshold is not None:
        busy = _above(file, threshold or ("power", 0.0))
    windows, remarks = trace_windows.find(Path(path), file.t_s, busy, config)
    windows, short = _with_whole_rests(file, windows)
    remarks += short
    _check_rests(Path(path), file, windows)
    energy = _energy(file, windows, remarks)
    return TraceResult(energy, windows, file, threshold)


def _above(file: TraceFile, threshold: tuple[Kind, float]) -> NDArray[np.bool_]:
    kind, value = threshold
    if kind == "power":
        return file.watts >= value
    if file.amperes is None:
        raise UsageError(
            "The threshold is a current, and the trace has none.",
            f"Its power is in '{file.source[0]}'.",
            "Give the threshold as a power, e.g. --threshold 20mW.",
        )
    return file.amperes >= value


def _with_whole_rests(
    file: TraceFile, windows: tuple[EnergyWindow, ...]
) -> tuple[tuple[EnergyWindow, ...], list[str]]:
    """Return the windows without a busy one at an end whose outer rest is cut by the trace."""
    period = float(np.median(np.diff(file.t_s)))
    remarks: list[str] = []
    kept = list(windows)
    for name, rest, busy in (("first", 0, 1), ("last", -1, -2)):
        seconds = kept[rest].ended_s - kept[rest].begun_s
        # Three busy windows and the four rests around them are the fewest that can be used.
        if seconds < _FEWEST_REST_SAMPLES * period and len(kept) > _FEWEST_WINDOWS:
            remarks.append(
                f"The {name} busy window, at {kept[busy].begun_s:.6g} s, is left out: the trace "
                f"has only {seconds:.3g} s of the rest beside it."
            )
            del kept[rest]
            del kept[rest]
    return tuple(kept), remarks


def _check_rests(path: Path, file: TraceFile, windows: tuple[EnergyWindow, ...]) -> None:
    period = float(np.median(np.diff(file.t_s)))
    rests = [each for each in windows if not each.inferences]
    first = min(rests, key=lambda each: each.ended_s - each.begun_s)
    shortest = first.ended_s - first.begun_s
    if shortest < _FEWEST_REST_SAMPLES * period:
        raise DataError(
            f"A rest of {path} is too short.",
            f"That at {first.begun_s:.6g} s is {shortest:.3g} s long, and the samples are "
            f"{period:.3g} s apart; at least "
            f"{_FEWEST_REST_SAMPLES} are needed to know the idle power.",
            "Join inferences to longer windows with --merge, or record with longer pauses.",
        )


def _energy(file: TraceFile, windows: tuple[EnergyWindow, ...], remarks: list[str]) -> Energy:
    period = float(np.median(np.diff(file.t_s)))
    trace = PowerTrace(
        meter="trace",
        zones=file.source,
        sample_rate_hz=1.0 / period,
        replayed=False,
        t_s=file.t_s,
        watts=file.watts,
        dropped=file.dropped,
        remarks=(*file.remarks, *remarks),
    )
    rests = [each.ended_s - each.begun_s for each in windows if not each.inferences]
    return power_energy.from_trace(
        windows,
        trace,
        disturbed=_gaps(file.t_s, windows, period),
        settle_s=min(_SETTLE_S, _SETTLE_SHARE * min(rests)),
    )


def _gaps(
    t_s: NDArray[np.float64], windows: tuple[EnergyWindow, ...], period: float
) -> list[str | None]:
    """Return for every busy window the gap in it or in the halves of the rests next to it."""
    steps = np.diff(t_s)
    gaps = np.flatnonzero(steps > _GAP_PERIODS * period)
    found: list[str | None] = []
    for before, window, after in zip(windows, windows[1:], windows[2:], strict=False):
        if not window.inferences:
            continue
        begun = (before.begun_s + before.ended_s) / 2
        ended = (after.begun_s + after.ended_s) / 2
        inside = [float(steps[gap]) for gap in gaps if t_s[gap] < ended and t_s[gap + 1] > begun]
        found.append(f"the trace has no sample for {max(inside):.2g} s." if inside else None)
    return found
