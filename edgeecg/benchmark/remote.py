"""Measuring on another machine: ``edgeecg bench --on HOST``.

A meter of the host (RAPL, hwmon, the PMIC of a Raspberry Pi 5) is read there. A meter beside the
device is plugged into this machine: the host runs the windows and sends their times, and the
samples that were recorded here meanwhile are cut at these times, on the clock of this machine.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeecg.benchmark import energy, fleet, meter_choice, power_energy
from edgeecg.benchmark.config import BenchConfig
from edgeecg.benchmark.file_set import files_of
from edgeecg.benchmark.recording import PowerTrace, Recorder, recording
from edgeecg.devices.clock_offset import Alignment, RoundTrip, align
from edgeecg.devices.remote import RemoteHost
from edgeecg.errors import MeterError, RemoteError, UsageError
from edgeecg.progress import ProgressCallback
from edgeecg.schema import BenchReport, BenchResult, Energy, EnergyWindow, Host

_WORKER = "edgeecg.benchmark.remote_worker"
_LOCAL_ONLY = ("on", "python", "wheels")


def measure(
    files: Sequence[Path],
    config: BenchConfig,
    *,
    command: str = "",
    on_step: ProgressCallback | None = None,
) -> BenchReport:
    """Measure files on the host, or the hosts, that the settings name.

    Args:
        files: Exported files on this machine.
        config: How to measure; ``on`` says where.
        command: The command line, for the report.
        on_step: Called at the start of each step.

    Returns:
        The results of all hosts; the files in them have their names on this machine.

    Raises:
        UsageError: ``on`` names no host.
        RemoteError: A host cannot be reached or prepared, or the measurement failed there. Of
            several hosts, all failed.
        MeterError: The meter beside the device does not work.
        EdgeECGError: A file does not exist.
    """
    on = config.on or ""
    defaults = Host(
        host=on,
        meter=config.meter,
        device=config.device,
        python=config.python,
        wheels=config.wheels,
    )
    job = _Job(tuple(files), config, command)
    if not on.endswith(".toml"):
        return _measure_on(job, defaults, on_step, threading.Event())
    return fleet.measure(
        fleet.read(Path(on), defaults),
        lambda host, step, cancelled: _measure_on(job, host, step, cancelled),
        on_step,
    )


@dataclass(frozen=True)
class _Job:
    """What is measured on every host."""

    files: tuple[Path, ...]
    config: BenchConfig
    command: str


@dataclass
class _Sent:
    """The files that were copied to a host.

    Attributes:
        folders: Folders here, by their names there.
        names: Paths there, by the paths here.
    """

    folders: dict[str, str] = field(default_factory=dict[str, str])
    names: dict[Path, str] = field(default_factory=dict[Path, str])

    def send(self, remote: RemoteHost, path: Path) -> str:
        """Copy a file with those that belong to it, and return its path there."""
        if path not in self.names:
            self._copy(remote, path, files_of(path))
        return self.names[path]

    def send_alone(self, remote: RemoteHost, path: Path) -> str:
        """Copy a file that has no others, and return its path there."""
        self._copy(remote, path, [path])
        return self.names[path]

    def _copy(self, remote: RemoteHost, path: Path, files: list[Path]) -> None:
        # A folder of its own for each, as files of several folders may have one name.
        there = f"files/{len(self.folders)}"
        for each in files:
            remote.send_file(each, f"{there}/{each.relative_to(path.parent).as_posix()}")
        self.folders[f"{there}/"] = "" if path.parent == Path() else f"{path.parent}/"
        self.names[path] = f"{there}/{path.name}"

    def renamed(self, value: Any) -> Any:
        """Return a document with the names that the files have here."""
        if isinstance(value, str):
            for there, here in self.folders.items():
                value = value.replace(there, here)
            return value
        if isinstance(value, dict):
            return {key: self.renamed(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.renamed(each) for each in value]
        return value


def _measure_on(
    job: _Job, host: Host, on_step: ProgressCallback | None, cancelled: threading.Event
) -> BenchReport:
    beside = host.meter if meter_choice.is_beside(host.meter) else None
    if beside and job.config.target_error is not None:
        raise UsageError(
            "A meter beside the device cannot reach a target error.",
            f"'{beside}' is read here, and the host does not know the energy while it measures.",
            "Give --windows with a larger number in the place of --target-error.",
        )
    with contextlib.ExitStack() as stack:
        # The meter is opened first: opening some meters switches the supply of the device.
        recorder = None if beside is None else stack.enter_context(recording(beside))
        remote = stack.enter_context(RemoteHost(host, on_step, cancelled))
        sent = _Sent()
        message = _message(job, host, beside is not None, remote, sent)
        if recorder is None:
            report, clock = _run(remote, message, sent), None
        else:
            before = remote.measured_round_trips()
            during = len(remote.round_trips)
            report = _run(remote, message, sent)
            trips: list[RoundTrip] = remote.round_trips[during:]
            clock = align(before, remote.measured_round_trips(), trips)
        results = [result.model_copy(update={"host": host.host}) for result in report.results]
        if recorder is not None and clock is not None:
            results = [_with_energy(result, recorder, clock) for result in results]
        return report.model_copy(update={"results": tuple(results)})


def _message(
    job: _Job, host: Host, beside: bool, remote: RemoteHost, sent: _Sent
) -> dict[str, Any]:
    """Copy the files to the host, and return what it has to do with them."""
    config = job.config
    files = [sent.send(remote, path) for path in job.files]
    changes: dict[str, Any] = dict.fromkeys(_LOCAL_ONLY)
    changes["device"] = host.device
    changes["meter"] = meter_choice.EXTERNAL if beside else host.meter
    if config.baseline is not None:
        changes["baseline"] = sent.send(remote, config.baseline)
    if config.suite.endswith(".toml"):
        changes["suite"] = sent.send_alone(remote, Path(config.suite))
    if host.device is not None and host.device.endswith(".toml"):
        changes["device"] = sent.send_alone(remote, Path(host.device))
    document = {**config.to_document(), **changes}
    return {"files": files, "config": document, "command": job.command}


def _run(remote: RemoteHost, message: dict[str, Any], sent: _Sent) -> BenchReport:
    try:
        answer = remote.run(_WORKER, message)
    except RemoteError as error:
        texts = sent.renamed([error.what, error.why, error.todo])
        raise RemoteError(*texts, exit_code=error.exit_code) from error
    return BenchReport.from_document(
        sent.renamed(answer["report"]), source=f"The answer of {remote.name}"
    )


def _with_energy(result: BenchResult, recorder: Recorder, clock: Alignment) -> BenchResult:
    found = result.energy
    if result.energy_windows:
        if clock.reason is None:
            recorder.wait_until(clock.local_s(result.energy_windows[-1].ended_s))
        found = energy_beside(result.energy_windows, recorder.trace(), clock)
    return result.model_copy(update={"energy": found, "host_clock": clock.described()})


def energy_beside(windows: Sequence[EnergyWindow], trace: PowerTrace, clock: Alignment) -> Energy:
    """Compute the energy of an inference that ran on a host from samples that were taken here.

    Args:
        windows: The windows, on the clock of the host.
        trace: The samples, on the clock here.
        clock: How the two differ.

    Returns:
        The energy; ``"not measured"`` with the reason when a clock jumped.
    """
    if clock.reason is not None:
        return energy.not_measured(clock.reason)
    here = [
        window.model_copy(
            update={
                "begun_s": clock.local_s(window.begun_s),
                "ended_s": clock.local_s(window.ended_s),
            }
        )
        for window in windows
    ]
    disturbed = [window.disturbed for window in windows if window.inferences]
    try:
        return power_energy.from_trace(here, trace, clock.uncertainty_s, disturbed)
    except MeterError as error:
        return energy.not_measured(f"{error.what} {error.why} {error.todo}")
