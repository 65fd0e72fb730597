"""Measuring on several hosts at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from edgeecg.benchmark import meter_choice
from edgeecg.errors import EdgeECGError, RemoteError, SchemaError, UsageError
from edgeecg.files import read_toml
from edgeecg.progress import ProgressCallback, ignore
from edgeecg.schema import BenchReport, Fleet, Host, HostFailure

MeasureOn = Callable[[Host, ProgressCallback, threading.Event], BenchReport]
"""Measures on one host; reports its steps, and stops when the event is set."""


def read(path: Path, defaults: Host) -> list[Host]:
    """Read the hosts of a fleet.

    Args:
        path: A TOML file, see :class:`edgeecg.schema.Fleet`.
        defaults: What holds for the hosts for which the file does not say it.

    Raises:
        SchemaError: The file cannot be read, or is not a fleet.
        UsageError: Two hosts share a meter.
    """
    document = read_toml(
        path,
        f"The fleet '{path}'",
        SchemaError,
        "A fleet is a TOML file with a table [[hosts]] for each host; correct the place named.",
    )
    given = defaults.model_dump(exclude={"host", "port"}, exclude_none=True)
    found: list[Host] = []
    for host in Fleet.from_document(document, source=str(path)).hosts:
        if host.wheels is not None:
            host = host.model_copy(update={"wheels": path.parent / host.wheels})
        found.append(Host.model_validate({**given, **host.model_dump(exclude_none=True)}))
    _refuse_shared_meters(found)
    return found


def _refuse_shared_meters(hosts: list[Host]) -> None:
    beside = [host.meter for host in hosts if meter_choice.is_beside(host.meter)]
    shared = next((name for name in beside if beside.count(name) > 1), None)
    if shared is not None:
        raise UsageError(
            f"Several hosts have the meter '{shared}'.",
            "A meter beside the devices can feed one of them.",
            f"Name one for each host, as {shared.partition(':')[0]}:WHERE, in the fleet.",
        )


def measure(
    hosts: list[Host], measure_on: MeasureOn, on_step: ProgressCallback | None = None
) -> BenchReport:
    """Measure on several hosts at a time; one that fails costs its own results only.

    Args:
        hosts: The hosts.
        measure_on: Measures on one of them.
        on_step: Called with what is being done where, how many steps are done, and how many there
            are on all hosts.

    Raises:
        RemoteError: Every host failed.
    """
    cancelled = threading.Event()
    steps = _Steps(on_step or ignore)
    with ThreadPoolExecutor(len(hosts)) as pool:
        running = [pool.submit(measure_on, host, steps.of(host.name), cancelled) for host in hosts]
        try:
            wait(running)
        except BaseException:
            cancelled.set()
            raise
    reports: list[tuple[Host, BenchReport]] = []
    failed: list[HostFailure] = []
    for host, each in zip(hosts, running, strict=True):
        try:
            reports.append((host, each.result()))
        except EdgeECGError as error:
            failed.append(
                HostFailure(host=host.name, what=error.what, why=error.why, todo=error.todo)
            )
    if not reports:
        raise RemoteError(
            f"None of the {len(hosts)} hosts could be measured on.",
            " ".join(f"{each.host}: {each.what} {each.why}" for each in failed),
            " ".join(dict.fromkeys(each.todo for each in failed)),
        )
    first = reports[0][1]
    return first.model_copy(
        update={
            "results": tuple(result for _, report in reports for result in report.results),
            "warnings": tuple(
                f"{host.name}: {text}" for host, report in reports for text in report.warnings
            ),
            "failed_files": tuple(each for _, report in reports for each in report.failed_files),
            "failed_hosts": tuple(failed),
        }
    )


class _Steps:
    """Adds up the progress of all hosts."""

    def __init__(self, on_step: ProgressCallback) -> None:
        self._on_step = on_step
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[int, int]] = {}

    def of(self, name: str) -> ProgressCallback:
        """Return what one host calls."""

        def show(what: str, done: int, total: int) -> None:
            with self._lock:
                self._counts[name] = (done, total)
                every = self._counts.values()
                self._on_step(f"{name}: {what}", sum(d for d, _ in every), sum(t for _, t in every))

        return show
