"""Joulescope JS220 and JS110, by the statistics that the instrument computes itself.

The instrument integrates its samples (one or two million a second) and sends the mean power of a
hundredth of a second (JS220) or half a second (JS110), so that the host need not read every sample.

**Opening a JS110 can cut the power of the device for a moment**, which restarts it. A JS110 is
therefore opened only when it is named: ``--meter joulescope:js110``, or by its serial number. Start
the device only after that, or measure with another instrument. A JS220 keeps its state.
"""

from __future__ import annotations

import contextlib
import importlib
import queue
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeecg.errors import MeterError, MissingDependencyError
from edgeecg.meters import Samples
from edgeecg.meters._sample_clock import SampleClock

SAMPLED = True
BESIDE = True

_PATIENCE_S = 0.8
_GIVE_UP_S = 3.0
_OPEN_TIMEOUT_S = 5.0
_BATCH = 10
# 15 V and 3 A for longer times, 10 A for a moment.
_MAX_WATTS = 150.0


@dataclass(frozen=True)
class _Model:
    name: str
    rate_hz: float
    topic: str
    mode: str
    settings: tuple[tuple[str, object], ...]


_MODELS = (
    _Model(
        "js220",
        100.0,
        "s/stats/value",
        "restore",
        (("s/i/range/mode", "auto"), ("s/stats/scnt", 10_000), ("s/stats/ctrl", 1)),
    ),
    # Its statistics on the instrument come twice a second, and need not be switched on.
    _Model("js110", 2.0, "s/sstats/value", "defaults", (("s/i/range/select", "auto"),)),
)


class JoulescopeMeter:
    """An open Joulescope."""

    name = "joulescope"
    zones = ("supply",)
    replayed = False
    max_watts = _MAX_WATTS

    def __init__(self, driver: Any, device: str, model: _Model) -> None:
        """Open the device and wait for its first statistics.

        Args:
            driver: A ``pyjoulescope_driver.Driver``.
            device: Path of the device in the driver.
            model: Which instrument it is.

        Raises:
            MeterError: It cannot be opened, or sends nothing.
        """
        self.sample_rate_hz = model.rate_hz
        self._driver = driver
        self._device = device
        self._arrived: queue.SimpleQueue[tuple[float, Mapping[str, Any]]] = queue.SimpleQueue()
        self._end: int | None = None
        self._heard_s = time.perf_counter()
        try:
            driver.open(device, mode=model.mode)
            for topic, value in model.settings:
                driver.publish(f"{device}/{topic}", value)
            driver.subscribe(f"{device}/{model.topic}", "pub", self._on_statistics)
        except Exception as error:  # The driver raises RuntimeError and others, by version.
            raise _unopened(device, error) from error
        self._clock = self._settled()

    def read(self) -> Samples:
        """Return the means that arrived since the last call, at least one.

        Raises:
            MeterError: The instrument was unplugged, or sends nothing any more.
        """
        t_s: list[float] = []
        watts: list[float] = []
        lost = 0
        started = time.perf_counter()
        end = started + min(_PATIENCE_S, _BATCH / self.sample_rate_hz)
        while len(t_s) < _BATCH:
            patience = end if t_s else started + _PATIENCE_S
            left = patience - time.perf_counter()
            try:
                arrived_s, value = self._arrived.get(timeout=max(left, 0.0))
            except queue.Empty:
                break
            try:
                begin, stop, mean = _statistics(value)
            except (KeyError, IndexError, TypeError, ValueError):
                lost += 1
                if left <= 0:
                    break
                continue
            self._heard_s = arrived_s
            lost += self._missed(begin, stop)
            self._clock.arrived(stop, arrived_s)
            t_s.append(self._clock.time_of((begin + stop) / 2))
            watts.append(mean)
        if time.perf_counter() - self._heard_s > _GIVE_UP_S:
            raise MeterError(
                "The Joulescope sends nothing any more.",
                f"'{self._device}' was silent for {_GIVE_UP_S:g} s.",
                "Plug it in again, and measure again.",
            )
        return Samples(t_s=np.array(t_s), watts=np.array(watts), lost=lost)

    def close(self) -> None:
        """Close the instrument; it goes on supplying the device."""
        # When it was unplugged, there is nothing left to close.
        with contextlib.suppress(Exception):
            self._driver.close(self._device)
        self._driver.finalize()

    def _on_statistics(self, topic: str, value: Mapping[str, Any]) -> None:
        """Take what the driver's thread delivers."""
        self._arrived.put((time.perf_counter(), value))

    def _settled(self) -> SampleClock:
        """Wait for the statistics of half a second, at least two, which tell the delay."""
        end = time.perf_counter() + _OPEN_TIMEOUT_S
        clock = SampleClock(self._awaited(end)[3], window_s=5.0, numbered=True)
        for _ in range(max(1, round(self.sample_rate_hz / 2))):
            arrived_s, begin, stop, _ = self._awaited(end)
            self._missed(begin, stop)
            clock.arrived(stop, arrived_s)
        clock.settle()
        return clock

    def _awaited(self, end_s: float) -> tuple[float, int, int, float]:
        """Return arrival, first and last sample, and sampling rate of the next statistics."""
        try:
            arrived_s, value = self._arrived.get(timeout=max(end_s - time.perf_counter(), 0.0))
            begin, stop, _ = _statistics(value)
            return arrived_s, begin, stop, float(value["time"]["sample_freq"]["value"])
        except (queue.Empty, KeyError, IndexError, TypeError, ValueError) as error:
            raise MeterError(
                "The Joulescope sends no statistics.",
                f"'{self._device}' was opened, and sent nothing of use.",
                "Plug it in again, and update its firmware: python -m pyjoulescope_driver program",
            ) from error

    def _missed(self, begin: int, stop: int) -> int:
        """Return how many means are missing before one, by the numbers of the samples."""
        gap = 0 if self._end is None else max(begin - self._end, 0)
        self._end = stop
        return round(gap / (stop - begin)) if stop > begin else 0


def _statistics(value: Mapping[str, Any]) -> tuple[int, int, float]:
    begin, stop = value["time"]["samples"]["value"]
    return int(begin), int(stop), float(value["signals"]["power"]["avg"]["value"])


def open(where: str | None = None) -> JoulescopeMeter:
    """Open a Joulescope.

    Args:
        where: Serial number or model (``js220``, ``js110``); None takes the only JS220.

    Raises:
        MissingDependencyError: pyjoulescope-driver is not installed.
        MeterError: There is no Joulescope, there are several, or it cannot be opened.
    """
    try:
        package = importlib.import_module("pyjoulescope_driver")
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "pyjoulescope-driver", "joulescope", "the meter 'joulescope'"
        ) from error
    try:
        driver = package.Driver()
    except Exception as error:  # The driver raises RuntimeError and others, by version.
        raise _unopened("USB", error) from error
    try:
        device, model = _chosen([str(path) for path in driver.device_paths()], where)
        return JoulescopeMeter(driver, device, model)
    except BaseException:
        driver.finalize()
        raise


def _chosen(paths: list[str], where: str | None) -> tuple[str, _Model]:
    """Choose among devices such as ``u/js220/000123``."""
    every = [(path, model) for path in paths for model in _MODELS if f"/{model.name}/" in path]
    if not every:
        raise MeterError(
            "There is no Joulescope at this computer.",
            "The driver finds no JS220 and no JS110 at its USB ports.",
            "Plug it in; on Linux, its udev rules must be installed, see "
            "https://joulescope-driver.readthedocs.io.",
        )
    listed = ", ".join(path.removeprefix("u/") for path, _ in every)
    if where is None:
        found = every
    else:
        words = where.lower().strip("/").split("/")
        found = [each for each in every if set(words) <= set(each[0].lower().split("/"))]
    if not found:
        raise MeterError(
            f"There is no Joulescope '{where}' at this computer.",
            f"The driver finds {listed}.",
            "Name one of these by its serial number: --meter joulescope:SERIAL",
        )
    if len(found) > 1:
        raise MeterError(
            "There are several Joulescopes at this computer.",
            f"The driver finds {listed}.",
            f"Name one by its serial number: --meter joulescope:{found[0][0].split('/')[-1]}",
        )
    if where is None and found[0][1].name == "js110":
        raise MeterError(
            "The Joulescope at this computer is a JS110, which is opened only when it is named.",
            "Opening it can cut the power of the device for a moment.",
            f"If that does no harm: --meter joulescope:{found[0][0].split('/')[-1]}",
        )
    return found[0]


def _unopened(device: str, error: Exception) -> MeterError:
    return MeterError(
        "The Joulescope cannot be opened.",
        f"The driver reports for '{device}': {error}.",
        "Close other programs that use it; on Linux, install its udev rules.",
    )
