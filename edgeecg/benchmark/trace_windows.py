"""The busy and idle windows of a trace."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeecg.benchmark.trace_config import TraceConfig
from edgeecg.errors import DataError, UsageError
from edgeecg.schema import EnergyWindow

# A crossing of a threshold shorter than this many samples is noise.
_SHORTEST_SAMPLES = 5


def find(
    path: Path, t_s: NDArray[np.float64], busy: NDArray[np.bool_], config: TraceConfig
) -> tuple[tuple[EnergyWindow, ...], list[str]]:
    """Return idle and busy windows in turn, and remarks on windows that were left out.

    Args:
        path: The file, for messages.
        t_s: Times of the samples.
        busy: Whether the device is busy at each sample.
        config: What the windows are.

    Raises:
        DataError: There is no busy window between idle ones.
        UsageError: The inferences cannot be divided among the windows.
    """
    shortest = config.shortest_s
    if shortest is None:
        period = float(np.median(np.diff(t_s)))
        shortest = 0.0 if config.threshold is None else _SHORTEST_SAMPLES * period
    busy = _without_short(t_s, busy, shortest)
    if busy.all() or not busy.any():
        raise _no_edge(path, bool(busy[0]), config)
    edges = np.flatnonzero(np.diff(busy)) + 1
    starts = [0, *edges.tolist()]
    times = [float(t_s[place]) for place in starts] + [float(t_s[-1])]
    periods = [(times[k], times[k + 1], bool(busy[start])) for k, start in enumerate(starts)]
    if periods[-1][0] == periods[-1][1]:
        # An edge at the last sample: nothing follows it.
        periods.pop()
    remarks: list[str] = []
    for end, word in ((0, "begin"), (-1, "end")):
        if periods and periods[end][2]:
            periods.pop(end)
            remarks.append(
                f"The busy window at the {word} of the trace was left out: the recording may have "
                "cut it."
            )
    if not any(is_busy for _, _, is_busy in periods):
        raise DataError(
            f"{path} has no busy window between idle ones.",
            "There is one edge, or the device is busy at both ends of the trace, and the idle "
            f"power before and after a window is needed.{_left_out(config)}",
            "Record from before the first inference until after the last one.",
        )
    if config.total:
        return tuple(_merged(periods, config, _part(periods, config, bool(remarks)))), remarks
    return tuple(_merged(periods, config, config.inferences)), remarks


def _part(periods: list[tuple[float, float, bool]], config: TraceConfig, cut: bool) -> int:
    """Return the inferences of each busy window, of a number for all of them."""
    windows = sum(is_busy for _, _, is_busy in periods)
    each, rest = divmod(config.inferences, windows)
    if cut or rest:
        why = (
            "A busy window is cut by the begin or the end of the trace."
            if cut
            else f"There are {windows} busy windows."
        )
        raise UsageError(
            f"{config.inferences} inferences in total cannot be divided among the windows.",
            why,
            "Give the inferences of each window with --inferences, without --total.",
        )
    return each


def _merged(
    periods: list[tuple[float, float, bool]], config: TraceConfig, inferences: int
) -> list[EnergyWindow]:
    """Return the windows; busy ones with a short rest between them are one."""
    found: list[EnergyWindow] = []
    last = len(periods) - 1
    for place, (begun, ended, is_busy) in enumerate(periods):
        count = inferences if is_busy else 0
        joins = 0 < place < last and not is_busy and ended - begun < config.merge_s
        if found and (joins or (is_busy and found[-1].inferences)):
            previous = found.pop()
            begun, count = previous.begun_s, previous.inferences + count
        found.append(EnergyWindow(begun_s=begun, ended_s=ended, inferences=count))
    return found


def _without_short(
    t_s: NDArray[np.float64], busy: NDArray[np.bool_], shortest: float
) -> NDArray[np.bool_]:
    """Return the levels without periods that are too short: short rests first, then busy ones."""
    if not shortest:
        return busy
    levels = busy.copy()
    for level in (False, True):
        edges = np.flatnonzero(np.diff(levels)) + 1
        # The first and the last period may be longer than the trace shows.
        for begun, ended in itertools.pairwise(edges):
            if bool(levels[begun]) is level and t_s[ended] - t_s[begun] < shortest:
                levels[begun:ended] = not level
    return levels


def _left_out(config: TraceConfig) -> str:
    if config.shortest_s is None:
        return ""
    return f" Windows and rests shorter than {config.shortest_s:g} s were not counted (--shortest)."


def _no_edge(path: Path, busy: bool, config: TraceConfig) -> DataError:
    if config.threshold is None:
        return DataError(
            f"{path} has no busy window.",
            f"The marker '{config.marker}' is {'high' if busy else 'low'} all the time."
            f"{_left_out(config)}",
            "Check the wire of the marker, or give --threshold instead.",
        )
    where = "above" if busy else "below"
    return DataError(
        f"{path} has no busy window.",
        f"The trace is {where} the threshold {config.threshold} all the time.{_left_out(config)}",
        f"Give a {'higher' if busy else 'lower'} --threshold, between idle and busy.",
    )
