"""The measurements of a run's files: of several of one file, which one a report shows."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from edgeecg.costs import proxy
from edgeecg.errors import SchemaError
from edgeecg.reporting.remarks import Remark, failures
from edgeecg.schema import Artifact, BenchReport, BenchResult, ProxyCoefficients

Setup = tuple[str, bool, str | None, str | None, str, int]


@dataclass(frozen=True)
class Measurement:
    """One bench result of one exported file of the run.

    Attributes:
        result: What was measured.
        report: The bench report with this result: suite, command line, time.
        source: File name of the report.
        created: When the report was written.
        place: The setup in words, e.g. ``"x86-64, litert 2.3.0, 1 thread"``; with the processor
            where the run was measured on several of one kind.
    """

    result: BenchResult
    report: BenchReport
    source: str
    created: datetime
    place: str

    @property
    def setup(self) -> Setup:
        """Device, its processor and host, runtime and threads. Only equal setups are compared."""
        result = self.result
        device, threads = result.device, result.latency.threads
        return device.name, device.emulated, device.cpu, result.host, result.runtime, threads


def place(result: BenchResult) -> str:
    """Return where a file was measured, e.g. ``"x86-64, litert 2.3.0, 1 thread"``.

    Args:
        result: The measurement.
    """
    device, threads = result.device, result.latency.threads
    tag = " (emulated)" if device.emulated else ""
    host = "" if result.host is None else f" on {result.host}"
    counted = f"{threads} thread{'' if threads == 1 else 's'}"
    return f"{device.name}{tag}{host}, {result.runtime}, {counted}"


def of_reports(
    reports: Sequence[tuple[Path, BenchReport]], manifests: Mapping[str, Artifact]
) -> tuple[list[Measurement], list[Remark]]:
    """Return one measurement of each file of a run in each setup, newest first.

    It is the newest one; but a result without an energy does not take the place of one with it.

    Args:
        reports: Bench reports, with their files.
        manifests: The manifests of the run's files, by the hash of the file.

    Returns:
        The measurements, and what was found and not used.
    """
    found: list[Measurement] = []
    remarks: list[Remark] = []
    for path, as_written in reports:
        written, report = created(path, as_written), _relative_to_dense(as_written, manifests)
        remarks += failures(report)
        for result in as_written.results:
            if result.artifact.sha256 not in manifests:
                remarks.append(
                    Remark(
                        result.artifact.file,
                        f"measured in {path.name}, but not from this run: no manifest here has its "
                        f"sha256 ({result.artifact.sha256[:12]}…)",
                    )
                )
        for result in report.results:
            if result.artifact.sha256 in manifests:
                found.append(Measurement(result, report, path.name, written, place(result)))
    # The sort is stable: of equal times, the last file is used.
    found.sort(key=lambda m: m.created)
    used: dict[_Key, Measurement] = {}
    for each in found:
        before = used.get(_key(each))
        if before is None or replaces(each.result, before.result):
            used[_key(each)] = each
    kept = sorted(used.values(), key=lambda m: m.created, reverse=True)
    return [_told_apart(each, kept) for each in kept], [*remarks, *_not_used(found, used)]


_Key = tuple[str, Setup]


def _key(measurement: Measurement) -> _Key:
    return measurement.result.artifact.sha256, measurement.setup


def replaces(newer: BenchResult, older: BenchResult) -> bool:
    """Return whether a newer result of a file in one setup takes the place of an older one.

    A meter that was read is worth more than a newer result without one.

    Args:
        newer: The newer result.
        older: The older result.
    """
    return newer.energy.tier != "not measured" or older.energy.tier == "not measured"


def _not_used(found: Sequence[Measurement], used: Mapping[_Key, Measurement]) -> list[Remark]:
    """Return how many results of each file of results another one takes the place of."""
    count: Counter[tuple[str, str]] = Counter()
    for each in found:
        instead = used[_key(each)]
        # The same result may be in the folder of the run, and be named.
        if each.result == instead.result:
            continue
        why = f"measured again in {instead.source}"
        if instead.created < each.created:
            why = f"without an energy, which {instead.source} has"
        count[each.source, why] += 1
    return [
        Remark(source, f"{number} result{'' if number == 1 else 's'} not used: {why}")
        for (source, why), number in count.items()
    ]


def _relative_to_dense(report: BenchReport, known: Mapping[str, Artifact]) -> BenchReport:
    """Return a report whose proxies are relative to the dense files of the run.

    With ``bench --baseline`` they are relative to the file that was named.

    Args:
        report: The report.
        known: The manifests of the run's files, by their hashes.
    """
    if report.baseline is None:
        return report
    results: list[BenchResult] = []
    for each in report.results:
        manifest = known.get(each.artifact.sha256)
        if manifest is not None:
            dense = None if manifest.baseline is None else manifest.baseline.costs
            found = proxy.relative(manifest.costs, dense, ProxyCoefficients())
            results.append(each.model_copy(update={"proxy": found}))
    return report.model_copy(update={"results": tuple(results), "baseline": None})


def _told_apart(measurement: Measurement, others: Sequence[Measurement]) -> Measurement:
    """Return a measurement whose place names the processor where others have the same place."""
    cpus = {other.result.device.cpu for other in others if other.place == measurement.place}
    if len(cpus) == 1:
        return measurement
    cpu = measurement.result.device.cpu or "processor not known"
    return dataclasses.replace(measurement, place=f"{measurement.place}, {cpu}")


def created(path: Path, report: BenchReport) -> datetime:
    """Return when a report was written.

    Args:
        path: Its file, for the message.
        report: The report.

    Raises:
        SchemaError: It does not say so as an ISO 8601 time.
    """
    try:
        found = datetime.fromisoformat(report.created_utc)
    except ValueError as error:
        raise SchemaError(
            f"{path} does not hold a valid BenchReport.",
            f"created_utc should be an ISO 8601 time and is {report.created_utc!r}.",
            "Measure again, or correct this key.",
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
