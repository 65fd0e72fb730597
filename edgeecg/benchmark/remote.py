"""Measuring on another machine: ``edgeecg bench --on HOST``.

A meter of the host (RAPL, hwmon, the PMIC of a Raspberry Pi 5) is read there. A meter beside the
device is plugged into this machine: the host runs the windows of a file and sends their times, the
samples that were recorded here meanwhile are cut at these times, on the clock of this machine, and
the host is sent the energy, so that it knows whether more windows are needed.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import uuid
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeecg import meters, plugins, runtimes
from edgeecg.benchmark import energy, fleet, meter_choice, power_energy
from edgeecg.benchmark.config import BenchConfig
from edgeecg.benchmark.file_set import files_of
from edgeecg.benchmark.recording import PowerTrace, Recorder, recording
from edgeecg.devices.clock_offset import Alignment, align
from edgeecg.devices.remote import RemoteHost
from edgeecg.errors import MeterError, RemoteError, UsageError
from edgeecg.files import write_text
from edgeecg.progress import ProgressCallback, ignore
from edgeecg.schema import BenchReport, Energy, EnergyWindow, Host

Message = dict[str, Any]

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
        place: The folder there that holds them; a name that occurs in no other text.
        folders: Folders here, by their names there.
        names: Paths there, by the paths here.
    """

    place: str = field(default_factory=lambda: f"files-{uuid.uuid4().hex}")
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
        there = f"{self.place}/{len(self.folders)}"
        for each in files:
            remote.send_file(each, f"{there}/{each.relative_to(path.parent).as_posix()}")
        self.folders[f"{there}/"] = "" if path.parent == Path() else f"{path.parent}/"
        self.names[path] = f"{there}/{path.name}"

    def renamed(self, value: Any) -> Any:
        """Return a document with the names that the files have here."""
        if isinstance(value, str):
            there = rf"{self.place}/\d+/"
            return re.sub(there, lambda found: self.folders.get(found[0], found[0]), value)
        if isinstance(value, dict):
            return {key: self.renamed(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.renamed(each) for each in value]
        return value


def _measure_on(
    job: _Job, host: Host, on_step: ProgressCallback | None, cancelled: threading.Event
) -> BenchReport:
    beside = host.meter if meter_choice.is_beside(host.meter) else None
    _refuse_extensions(job, host, beside is not None)
    with contextlib.ExitStack() as stack:
        # The meter is opened first: opening some meters switches the supply of the device.
        recorder = None if beside is None else stack.enter_context(recording(beside))
        steps = on_step or ignore
        shown = steps if recorder is None else _with_power(steps, recorder)
        remote = stack.enter_context(RemoteHost(host, shown, cancelled))
        sent = _Sent()
        message = _message(job, host, beside is not None, remote, sent)
        meter = None if recorder is None else _MeterBeside(remote, recorder)
        with contextlib.nullcontext() if meter is None else meter.keeping_windows():
            report = _run(remote, message, sent, meter)
        changes: dict[str, Any] = {"host": host.name}
        if meter is not None:
            changes["host_clock"] = meter.alignment().described()
        results = tuple(result.model_copy(update=changes) for result in report.results)
        return report.model_copy(update={"results": results})


def _refuse_extensions(job: _Job, host: Host, beside: bool) -> None:
    """Refuse what belongs to another package, unless the user has installed that on the host."""
    if host.python is not None:
        return
    used = [("runtime", path.suffix) for path in job.files if _is_external_format(path)]
    if not beside and host.meter is not None:
        name = host.meter.partition(":")[0]
        used += [("meter", name)] if name in meters.external_names() else []
    if host.device in plugins.external_names("edgeecg.devices"):
        used.append(("device", host.device))
    for kind, name in used:
        raise UsageError(
            f"The {kind} '{name}' cannot be used on {host.name}.",
            "It belongs to another package, and only edgeecg itself is copied to a host.",
            "Install that package and edgeecg[device] in a Python there, and name it with "
            "--python.",
        )


def _is_external_format(path: Path) -> bool:
    external = runtimes.external_names()
    return any(runtimes.for_file(path) is runtimes.get(name) for name in external)


def _with_power(on_step: ProgressCallback, recorder: Recorder) -> ProgressCallback:
    """Return a callback that adds the current power to every step."""

    def show(what: str, done: int, total: int) -> None:
        watts = recorder.latest_watts()
        on_step(what if watts is None else f"{what}, {watts:.3g} W", done, total)

    return show


class _MeterBeside:
    """Computes the energy of the windows of a host from the samples that are taken here."""

    def __init__(self, remote: RemoteHost, recorder: Recorder) -> None:
        self._remote, self._recorder = remote, recorder
        self._before = remote.measured_round_trips()
        self._known = len(remote.round_trips)
        self._windows: list[EnergyWindow] = []

    @contextlib.contextmanager
    def keeping_windows(self) -> Generator[None]:
        """Write the times of the windows so far beside the samples if the block fails."""
        try:
            yield
        except BaseException as error:
            if self._windows:
                path = self._recorder.path.with_suffix(".windows.json")
                content = [window.to_document() for window in self._windows]
                write_text(path, json.dumps(content, indent=2) + "\n")
                error.add_note(f"The windows so far, on the clock of the samples, are in '{path}'.")
            raise

    def ran(self, message: Message) -> None:
        """Keep the times of a window that the host has run, on the clock here."""
        window = self._window(message["window"])
        # The round trips of the heartbeats are good enough for a measurement that failed.
        now = self._remote.round_trips[-1:]
        self._windows.append(_on_clock_here(window, align(self._before, now)))

    def alignment(self) -> Alignment:
        """Compare the two clocks from the begin of the measurement until now."""
        during = self._remote.round_trips[self._known :]
        return align(self._before, self._remote.measured_round_trips(), during)

    def answer(self, message: Message) -> None:
        """Send the host the energy of its windows."""
        windows = [self._window(each) for each in message["windows"]]
        clock = self.alignment()
        if clock.reason is None:
            self._recorder.wait_until(clock.local_s(windows[-1].ended_s))
        found = energy_beside(windows, self._recorder.trace(), clock)
        self._remote.send_content(found.to_json().encode(), message["name"])

    def _window(self, document: Any) -> EnergyWindow:
        return EnergyWindow.from_document(document, source=f"A window of {self._remote.name}")


def _message(job: _Job, host: Host, beside: bool, remote: RemoteHost, sent: _Sent) -> Message:
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
    return {"files": files, "config": document, "command": job.command, "beside": beside}


def _run(
    remote: RemoteHost, message: Message, sent: _Sent, meter: _MeterBeside | None
) -> BenchReport:
    handlers = {} if meter is None else {"window": meter.ran, "windows": meter.answer}
    try:
        answer = remote.run(_WORKER, message, handlers)
    except RemoteError as error:
        texts = sent.renamed([error.what, error.why, error.todo])
        raise RemoteError(*texts, exit_code=error.exit_code) from error
    return BenchReport.from_document(
        sent.renamed(answer["report"]), source=f"The answer of {remote.name}"
    )


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
    here = [_on_clock_here(window, clock) for window in windows]
    disturbed = [window.disturbed for window in windows if window.inferences]
    try:
        return power_energy.from_trace(here, trace, clock.uncertainty_s, disturbed)
    except MeterError as error:
        return energy.not_measured(f"{error.what} {error.why} {error.todo}")


def _on_clock_here(window: EnergyWindow, clock: Alignment) -> EnergyWindow:
    return window.model_copy(
        update={
            "begun_s": clock.local_s(window.begun_s),
            "ended_s": clock.local_s(window.ended_s),
        }
    )
