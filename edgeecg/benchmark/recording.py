"""Recording a power meter in a process of its own, so that it does not disturb what is measured.

``python -m edgeecg.benchmark.recording METER FILE [CPU]`` is that process. It appends the samples
to FILE, as pairs of little-endian 64-bit floats (seconds of ``time.perf_counter()``, watts), and
writes what happens to standard output, a JSON object a line. It ends when its standard input is
closed. Samples that the meter cannot have measured are dropped and counted; nothing is filled in.
The file survives a meter that is unplugged, and the death of either process.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from edgeecg import meters
from edgeecg.benchmark import child_errors, processors
from edgeecg.errors import ArtifactError, EdgeECGError, MeterError
from edgeecg.meters import PowerMeter, Samples

_OPEN_TIMEOUT_S = 60.0
_CLOSE_TIMEOUT_S = 5.0
# Samples are delivered in batches, about once a second at the latest.
_MARGIN_PERIODS, _MARGIN_S = 6.0, 2.0
_PAIR = np.dtype([("t_s", "<f8"), ("watts", "<f8")])


@dataclass(frozen=True)
class PowerTrace:
    """What a power meter recorded.

    Attributes:
        meter: Name of the meter.
        zones: What it covers.
        sample_rate_hz: Its nominal rate.
        replayed: Whether the values are a recording or a simulation.
        t_s: Times of the samples, in seconds of the clock that the windows are timed with.
        watts: The power at these times.
        lost: Samples that the meter lost.
        dropped: Samples that were left out, because the meter cannot have measured them.
        remarks: What a user should know of the values, a sentence each.
        error: Why the recording ended early, or None.
        resolution_w: Step of the readings, or 0 when it is unknown or negligible.
    """

    meter: str
    zones: tuple[str, ...]
    sample_rate_hz: float
    replayed: bool
    t_s: NDArray[np.float64]
    watts: NDArray[np.float64]
    lost: int = 0
    dropped: int = 0
    remarks: tuple[str, ...] = ()
    error: str | None = None
    resolution_w: float = 0.0


@dataclass
class _State:
    """What the recording process has reported so far."""

    facts: dict[str, Any]
    lost: int = 0
    dropped: int = 0
    remarks: list[str] = field(default_factory=list[str])
    error: str | None = None


class Recorder:
    """A recording that is going on; :func:`recording` starts it.

    Attributes:
        path: The file with the samples.
        pid: Process identifier of the process that reads the meter.
    """

    def __init__(self, process: subprocess.Popen[str], path: Path, facts: dict[str, Any]) -> None:
        """Follow what the process tells.

        Args:
            process: The recording process.
            path: The file with the samples.
            facts: Name, zones, rate and so on of the meter.
        """
        self.path = path
        self.pid = process.pid
        self._process = process
        self._state = _State(facts)
        self._reader = threading.Thread(target=self._follow, daemon=True)
        self._reader.start()

    @property
    def sample_rate_hz(self) -> float:
        """Nominal rate of the samples."""
        return self._state.facts["sample_rate_hz"]

    def latest_watts(self) -> float | None:
        """Return the power of the last sample, or None before the first."""
        latest = self._latest()
        return None if latest is None else latest[1]

    def _latest(self) -> tuple[float, float] | None:
        size = self.path.stat().st_size // _PAIR.itemsize * _PAIR.itemsize
        if not size:
            return None
        with self.path.open("rb") as file:
            file.seek(size - _PAIR.itemsize)
            pair = np.frombuffer(file.read(_PAIR.itemsize), _PAIR)[0]
        return float(pair["t_s"]), float(pair["watts"])

    def wait_until(self, time_s: float) -> None:
        """Wait until a few samples after a time are there, or the meter has failed.

        Args:
            time_s: The time, in seconds of ``time.perf_counter()``.
        """
        period = 1.0 / self.sample_rate_hz
        patience = time.perf_counter() + _MARGIN_PERIODS * period + _MARGIN_S
        wanted = time_s + _MARGIN_PERIODS * period
        while time.perf_counter() < patience and self._state.error is None:
            latest = self._latest()
            if latest is not None and latest[0] >= wanted:
                return
            time.sleep(min(period, 0.05))

    def trace(self) -> PowerTrace:
        """Return what was recorded so far."""
        content = self.path.read_bytes()
        pairs = np.frombuffer(content[: len(content) // _PAIR.itemsize * _PAIR.itemsize], _PAIR)
        state = self._state
        return PowerTrace(
            meter=state.facts["name"],
            zones=tuple(state.facts["zones"]),
            sample_rate_hz=self.sample_rate_hz,
            replayed=state.facts["replayed"],
            t_s=pairs["t_s"].astype(np.float64),
            watts=pairs["watts"].astype(np.float64),
            lost=state.lost,
            dropped=state.dropped,
            remarks=tuple(dict.fromkeys(state.remarks)),
            error=state.error,
            resolution_w=state.facts["resolution_w"],
        )

    def stop(self) -> None:
        """End the recording; the file stays."""
        with contextlib.suppress(OSError):
            cast(IO[str], self._process.stdin).close()
        try:
            self._process.wait(_CLOSE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(_CLOSE_TIMEOUT_S)
        cast(IO[str], self._process.stdout).close()

    def _follow(self) -> None:
        state = self._state
        for line in cast(IO[str], self._process.stdout):
            event = _event(line)
            state.lost += event.get("lost", 0)
            state.dropped += event.get("dropped", 0)
            state.remarks += event.get("remarks", [])
            state.error = event.get("error", state.error)
        if self._process.wait() != 0 and state.error is None:
            state.error = "The process that reads the meter ended without a word."


@contextlib.contextmanager
def recording(
    name: str, path: Path | None = None, *, cpu: int | None = None
) -> Generator[Recorder]:
    """Record a meter while the block runs.

    Args:
        name: The meter, as ``--meter`` takes it.
        path: File for the samples. It is kept; when None, a temporary file is removed at the end,
            unless the block is interrupted, or ends with another exception than those of a meter or
            of a file that cannot be run.
        cpu: A processor that the recording process must leave alone, or None.

    Yields:
        The recording, which has begun.

    Raises:
        MeterError: The meter cannot be opened, or counts energy and need not be recorded.
        UnknownNameError: There is no meter of this name.
        MissingDependencyError: The meter's package is not installed.
    """
    target = path
    if target is None:
        handle, text = tempfile.mkstemp(prefix="edgeecg-power-", suffix=".f64")
        os.close(handle)
        target = Path(text)
    try:
        recorder = _started(name, target, cpu)
    except BaseException:
        if path is None:
            target.unlink()
        raise
    try:
        yield recorder
    except (ArtifactError, MeterError):
        # The result says why there is no energy; nobody would look for the samples.
        recorder.stop()
        if path is None:
            target.unlink()
        raise
    except BaseException as error:
        recorder.stop()
        if recorder.latest_watts() is not None:
            error.add_note(f"The samples of the meter '{name}' so far are in '{target}'.")
        elif path is None:
            target.unlink()
        raise
    recorder.stop()
    if path is None:
        target.unlink()


def _started(name: str, path: Path, cpu: int | None) -> Recorder:
    command = [sys.executable, "-m", __name__, name, str(path)]
    process = subprocess.Popen(
        command if cpu is None else [*command, str(cpu)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # A Ctrl-C in the terminal is for this process, which then ends the other one.
        start_new_session=True,
    )
    output = cast(IO[str], process.stdout)
    try:
        ready, _, _ = select.select([output], [], [], _OPEN_TIMEOUT_S)
        first = _event(output.readline()) if ready else {}
    except BaseException:
        _kill(process)
        raise
    if "name" in first:
        return Recorder(process, path, first)
    _kill(process)
    if "refused" in first:
        raise child_errors.rebuilt(first)
    raise MeterError(
        f"The meter '{name}' cannot be recorded.",
        f"The process that reads it gave no answer within {_OPEN_TIMEOUT_S:g} s."
        if not ready
        else "The process that reads it ended at once.",
        f"Check that this works: python -m edgeecg.benchmark.recording {name} samples.f64",
    )


def _kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def _event(line: str) -> dict[str, Any]:
    """Return what a line of the recording process says; nothing for what is not its own."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def main(name: str, path: Path, cpu: int | None, stop: int = 0) -> int:
    """Record a meter until standard input is closed, and return the exit status.

    Args:
        name: The meter.
        path: File for the samples.
        cpu: A processor to leave alone, or None.
        stop: File descriptor whose end of file ends the recording.
    """
    processors.leave(cpu)
    # What the library of a meter prints must not get between the events.
    with os.fdopen(os.dup(1), "w") as events:
        os.dup2(2, 1)
        return _recorded(name, path, stop, events)


def _recorded(name: str, path: Path, stop: int, events: IO[str]) -> int:
    try:
        meter = meters.open_meter(name)
        if not hasattr(meter, "read"):
            raise MeterError(
                f"The meter '{name}' has no samples to record.",
                "It counts energy by itself, on the machine that it is in.",
                "Measure on that machine: edgeecg bench --meter NAME.",
            )
    except EdgeECGError as error:
        _tell(events, child_errors.described(error))
        return 1
    power = cast(PowerMeter, meter)
    keys = ("name", "zones", "sample_rate_hz", "replayed")
    with contextlib.closing(power), path.open("wb", buffering=0) as file:
        step_w = getattr(power, "resolution_w", 0.0)
        _tell(events, {**{key: getattr(power, key) for key in keys}, "resolution_w": step_w})
        while not select.select([stop], [], [], 0)[0]:
            try:
                samples = power.read()
            except MeterError as error:
                _tell(events, {"error": f"{error.what} {error.why}"})
                return 0
            kept = plausible(samples, power.max_watts)
            file.write(kept.tobytes())
            dropped = samples.t_s.size - kept.size
            if dropped or samples.lost or samples.remarks:
                _tell(
                    events, {"dropped": dropped, "lost": samples.lost, "remarks": samples.remarks}
                )
    return 0


def plausible(samples: Samples, max_watts: float) -> NDArray[np.void]:
    """Return the samples that a meter can have measured, as pairs of time and watts.

    Args:
        samples: What the meter delivered.
        max_watts: The largest power that it can measure, of either sign.
    """
    good = np.isfinite(samples.t_s) & (np.abs(samples.watts) <= max_watts)
    pairs = np.empty(int(good.sum()), _PAIR)
    pairs["t_s"], pairs["watts"] = samples.t_s[good], samples.watts[good]
    return pairs


def _tell(events: IO[str], event: dict[str, Any]) -> None:
    print(json.dumps(event), file=events, flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    numbers = [int(text) for text in sys.argv[3:]]
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), numbers[0] if numbers else None))
