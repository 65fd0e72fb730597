"""The table that ``edgeecg bench`` prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from edgeecg.cli import _energy_table
from edgeecg.cli._figures import ABSENT, Column, Row, plain, ratio, show as show_figures
from edgeecg.reporting import captions, lstm_files, units
from edgeecg.reporting.prediction import predictions
from edgeecg.schema import BenchReport, BenchResult, Energy, Latency

_MAX_NAMES = 3
# The nominal voltage of a lithium-ion cell.
_CELL_V = 3.7


def show(report: BenchReport, console: Console) -> None:
    """Print a row for each file, and what the columns cannot say below the table.

    Args:
        report: What was measured.
        console: Where to print.
    """
    names = _names_on_every_host(report.results)
    rows = [
        Row(name, result, prediction)
        for name, result, prediction in zip(names, report.results, predictions(report), strict=True)
    ]
    show_figures(_title(report), rows, _columns(report), console)
    show_figures("Proxy against measurement, relative to the baseline", rows, _PROXY, console)
    _energy_table.show(rows, console)
    for warning in report.warnings:
        console.print(f"Warning: {warning}", style="yellow", soft_wrap=True, markup=False)
    for line in _remarks(report):
        console.print(line, soft_wrap=True, markup=False)
    for file in report.failed_files:
        text = f"Not measured, {file.file}: {file.what} {file.why} {file.todo}"
        console.print(text, style="red", soft_wrap=True, markup=False)
    for host in report.failed_hosts:
        text = f"Not measured on {host.host}: {host.what} {host.why} {host.todo}"
        console.print(text, style="red", soft_wrap=True, markup=False)


def _title(report: BenchReport) -> str:
    first = report.results[0]
    models = dict.fromkeys(r.artifact.manifest.model for r in report.results if r.artifact.manifest)
    count = first.latency.threads
    hosts = _hosts(report)
    place = first.device.name if len(hosts) == 1 else f"{len(hosts)} hosts"
    words = [f"{', '.join(models) or 'Bench'} on {place}"]
    if all(result.latency.threads == count for result in report.results):
        words.append("1 thread" if count == 1 else f"{count} threads")
    if report.suite.name != "default":
        words.append(f"suite {report.suite.name}")
    if first.device.emulated:
        words.append("EMULATED: not the times of the board")
    if any(r.artifact.manifest and r.artifact.manifest.data == "synthetic" for r in report.results):
        words.append("model trained on synthetic records")
    return ", ".join(words)


def _columns(report: BenchReport) -> list[Column]:
    several = len(_hosts(report)) > 1
    threads = {result.latency.threads for result in report.results}
    return [
        Column("host", lambda row: (several and row.result.host) or ABSENT),
        Column("device", lambda row: row.result.device.name if several else ABSENT),
        Column(
            "threads",
            lambda row: str(row.result.latency.threads) if len(threads) > 1 else ABSENT,
        ),
        Column("size", lambda row: plain(units.size(row.result.artifact.size_bytes))),
        Column("MACs", lambda row: _macs(row.result)),
        Column("first", lambda row: plain(units.seconds(row.result.latency.first_s))),
        Column("p50", lambda row: plain(units.seconds(row.result.latency.p50_s))),
        Column("p90", lambda row: plain(units.seconds(row.result.latency.p90_s))),
        Column("p99", lambda row: plain(units.seconds(row.result.latency.p99_s))),
        Column("same\nlabels", lambda row: _labels(row.result)),
    ]


_PROXY = (
    Column("proxy\nideal", lambda row: ratio(row.result.proxy.ideal)),
    Column("proxy\nexecuted", lambda row: ratio(row.result.proxy.executed)),
    Column("measured\np50", lambda row: ratio(row.prediction.latency_ratio)),
    Column("p50 ÷\nproxy", lambda row: ratio(row.prediction.latency_over_proxy)),
    Column("p50 ÷\ncalibrated", lambda row: ratio(_over_calibrated(row.result))),
    Column("measured\nnet energy", lambda row: ratio(row.prediction.energy_ratio)),
    Column("energy ÷\nproxy", lambda row: ratio(row.prediction.energy_over_proxy)),
)


def _over_calibrated(result: BenchResult) -> float | None:
    """Return the median latency over what the calibration of the device predicts."""
    predicted = None if result.calibrated is None else result.calibrated.seconds
    return result.latency.p50_s / predicted if predicted else None


def _hosts(report: BenchReport) -> list[str | None]:
    return list(dict.fromkeys(result.host for result in report.results))


def _names_on_every_host(results: Sequence[BenchResult]) -> list[str]:
    """Return the names of the files, equal ones for one file on several hosts."""
    by_host: dict[str | None, list[BenchResult]] = {}
    for result in results:
        by_host.setdefault(result.host, []).append(result)
    names = {host: iter(_names(group)) for host, group in by_host.items()}
    return [next(names[result.host]) for result in results]


def _names(results: Sequence[BenchResult]) -> list[str]:
    """Return role and target of files that edgeecg exported, and the names of foreign files.

    The model is added where there are several. Files whose labels are equal are named, too, and
    files of equal names have their paths.
    """
    manifests = [result.artifact.manifest for result in results]
    models = {manifest.model for manifest in manifests if manifest is not None}
    labels = [
        None
        if m is None
        else f"{m.role}\n{m.target}"
        if len(models) == 1
        else f"{m.model}\n{m.role} {m.target}"
        for m in manifests
    ]
    paths = [Path(result.artifact.file) for result in results]
    count = Counter([*labels, *(path.name for path in paths)])
    found: list[str] = []
    for result, label, path in zip(results, labels, paths, strict=True):
        if label is not None and count[label] == 1:
            found.append(label)
        else:
            name = path.name if count[path.name] == 1 else str(path)
            found.append(f"{name}\n{_types(result)}")
    return found


def _types(result: BenchResult) -> str:
    artifact = result.artifact
    if artifact.activation_dtype in (None, artifact.dtype):
        return artifact.dtype
    activations = artifact.activation_dtype.removesuffix("32")
    return f"{artifact.dtype} weights, {activations} activations"


def _macs(result: BenchResult) -> str:
    if result.proxy.macs is None:
        return ABSENT
    # "23.5 MMACs" without the unit, which is in the heading.
    return plain(units.macs(result.proxy.macs)).removesuffix("MACs").strip()


def _labels(result: BenchResult) -> str:
    agreement = result.parity.label_agreement
    return ABSENT if agreement is None else f"{100 * agreement:.3g} %"


def _remarks(report: BenchReport) -> list[str]:
    """Return what the columns cannot say, a line each; equal reasons once."""
    results = report.results
    lines: list[str] = []
    if any(result.proxy.executed is not None for result in results):
        named = report.baseline and Path(report.baseline).name
        base = named or "the dense float32 baseline"
        line = f"Proxy: a count relative to {base}, not joules"
        found = predictions(report)
        if any((each.latency_over_proxy, each.energy_over_proxy) != (None, None) for each in found):
            line += "; ÷ proxy: the measured ratio divided by it, 1 where it predicted exactly"
        lines.append(f"{line}.")
    if any(result.energy.tier == "measured" for result in results):
        lines.append("Energy: net is without the idle power; median of the windows.")
    lines += _machines(report)
    lines += lstm_files.lines(results)
    if results[0].latency.pinned_cpu is None:
        lines.append("Not pinned to a processor.")
    if report.suite.name != "default":
        lines.append(f"Suite {report.suite.name}: {report.suite.description}")
    lines += _batches(results)
    lines += _probes(results)
    lines += _reasons("Energy", results, _energy_reason)
    lines += _reasons("Proxy", results, lambda r: r.proxy.reason)
    lines += _reasons("Parity", results, lambda r: r.parity.reason)
    lines += _reasons("Memory", results, lambda r: r.memory.reason)
    lines += _reasons("Times of operations", results, _layers)
    lines += _reasons("Calibration", results, lambda r: r.calibrated and r.calibrated.reason)
    lines += _reasons("Fixed rate", results, lambda r: r.duty_reason)
    return lines + _duty_cycles(results)


def _machines(report: BenchReport) -> list[str]:
    """Return a line for each machine: its processor, its runtimes and its clock."""
    lines: list[str] = []
    for host in _hosts(report):
        results = [result for result in report.results if result.host == host]
        device, clock = results[0].device, results[0].host_clock
        runtimes = ", ".join(dict.fromkeys(result.runtime for result in results))
        name = "Machine" if host is None else f"Machine {host}"
        lines.append(f"{name}: {device.cpu or device.machine}; {runtimes}.")
        if clock is not None:
            uncertainty = plain(units.seconds(clock.uncertainty_s))
            lines.append(f"Clock of {host}: known here within {uncertainty}.")
    return lines


def _layers(result: BenchResult) -> str | None:
    """Return how the operations were timed, and how much of the time is in none of them."""
    if result.layers_method is None or result.layers_unexplained is None:
        return result.layers_reason
    return f"{result.layers_method}; {captions.in_no_operation(result.layers_unexplained)}."


def _energy_reason(result: BenchResult) -> str | None:
    reason, tier = result.energy.reason, result.energy.tier
    return None if reason is None else f"{tier}. {reason}"


def _batches(results: Sequence[BenchResult]) -> list[str]:
    """Return a line for each file that runs on several windows at a time."""
    lines: list[str] = []
    for result in results:
        shape, window_s = result.input_shape, result.p50_per_window_s
        if shape is not None and window_s is not None and window_s < result.latency.p50_s:
            lines.append(
                f"Batch: {Path(result.artifact.file).name} takes an input of "
                f"{'x'.join(map(str, shape))}, which is {shape[0]} windows; all figures are of one "
                f"run. p50 per window: {plain(units.seconds(window_s))}."
            )
    return lines


def _probes(results: Sequence[BenchResult]) -> list[str]:
    counts = sorted({result.parity.n for result in results if result.parity.n is not None})
    if not counts:
        return []
    windows = " or ".join(map(str, counts))
    return [f"Same labels: share of {windows} probe windows with the same label as in PyTorch."]


def _reasons(
    kind: str, results: Sequence[BenchResult], reason: Callable[[BenchResult], str | None]
) -> list[str]:
    """Return every reason once, with the files it is about unless it is about all."""
    files: dict[str, list[str]] = {}
    for result in results:
        text = reason(result)
        if text:
            files.setdefault(text, []).append(Path(result.artifact.file).name)
    lines: list[str] = []
    for text, names in files.items():
        more = len(names) - _MAX_NAMES
        listed = ", ".join(names[:_MAX_NAMES]) + (f" and {more} more" if more > 0 else "")
        about = "" if len(names) == len(results) else f" of {listed}"
        lines.append(f"{kind}{about}: {text}")
    return lines


def _duty_cycles(results: Sequence[BenchResult]) -> list[str]:
    lines: list[str] = []
    for result in results:
        for k, duty in enumerate(result.duty_cycle):
            spin = "" if duty.spin is None else f", spin {'on' if duty.spin else 'off'}"
            energy = result.duty_energy[k] if result.duty_energy else None
            lines.append(
                f"At {duty.rate_hz:g}/s{spin}: {Path(result.artifact.file).name} p50 "
                f"{plain(units.seconds(duty.p50_s))}, processor "
                f"{plain(units.seconds(duty.cpu_s or 0.0))} per run{_average(duty, energy)}."
            )
    return lines


def _average(duty: Latency, energy: Energy | None) -> str:
    """Return the average power at a fixed rate, and the current that a battery delivers."""
    if energy is None:
        return ""
    if energy.gross_j is None:
        return f", energy {energy.tier}: {energy.reason}"
    average_w = energy.gross_j * (duty.rate_hz or 0.0)
    net = f"not resolved: {energy.reason}"
    if energy.tier == "measured":
        net = plain(units.joules(energy.net_j))
        if energy.ci95_j is not None:
            low, high = energy.ci95_j
            net += f" (95 % interval {plain(units.joules(low))} to {plain(units.joules(high))})"
    tag = ", from replayed values of a meter" if energy.replayed else ""
    return (
        f", average power {plain(units.watts(average_w))} ({1e3 * average_w / _CELL_V:.3g} mA at "
        f"{_CELL_V} V){tag}, of which net per run {net.removesuffix('.')}"
    )
