"""The table that ``edgeecg bench`` prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from edgeecg.reporting import units
from edgeecg.schema import BenchReport, BenchResult, Energy

_ABSENT = "-"
_MAX_NAMES = 3


@dataclass(frozen=True)
class _Column:
    """One column; it is left out when it has no figure for any file.

    Attributes:
        heading: Its heading.
        cell: Returns the cell of a file.
    """

    heading: str
    cell: Callable[[BenchResult], str]


def show(report: BenchReport, console: Console) -> None:
    """Print a row for each file, and what the columns cannot say below the table.

    Args:
        report: What was measured.
        console: Where to print.
    """
    table = Table(title=_title(report), box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    # The names may use all the space that the figures leave.
    table.add_column("file", overflow="fold")
    names = _names(report.results)
    columns = [
        column
        for column in _columns(report)
        if any(column.cell(result) != _ABSENT for result in report.results)
    ]
    for column in columns:
        table.add_column(column.heading, justify="right", no_wrap=True)
    for name, result in zip(names, report.results, strict=True):
        table.add_row(name, *(column.cell(result) for column in columns))
    console.print(table)
    for warning in report.warnings:
        console.print(f"Warning: {warning}", style="yellow", soft_wrap=True, markup=False)
    for line in _remarks(report):
        console.print(line, soft_wrap=True, markup=False)


def _title(report: BenchReport) -> str:
    first = report.results[0]
    models = dict.fromkeys(r.artifact.manifest.model for r in report.results if r.artifact.manifest)
    count = first.latency.threads
    words = [f"{', '.join(models) or 'Bench'} on {first.device.name}"]
    words.append("1 thread" if count == 1 else f"{count} threads")
    if report.suite.name != "default":
        words.append(f"suite {report.suite.name}")
    if first.device.emulated:
        words.append("EMULATED: not the times of the board")
    if any(r.artifact.manifest and r.artifact.manifest.data == "synthetic" for r in report.results):
        words.append("model trained on synthetic records")
    return ", ".join(words)


def _columns(report: BenchReport) -> list[_Column]:
    baseline = next((r for r in report.results if _is(r, report.baseline)), None)

    def ratio(result: BenchResult) -> str:
        if baseline is None or not baseline.latency.p50_s:
            return _ABSENT
        return f"{result.latency.p50_s / baseline.latency.p50_s:.3f}"

    return [
        _Column("size", lambda r: _plain(units.size(r.artifact.size_bytes))),
        _Column("p50", lambda r: _plain(units.seconds(r.latency.p50_s))),
        _Column("p90", lambda r: _plain(units.seconds(r.latency.p90_s))),
        _Column("p99", lambda r: _plain(units.seconds(r.latency.p99_s))),
        _Column("p50\nratio", ratio),
        _Column("MACs", _macs),
        _Column("proxy\nideal", lambda r: _fraction(r.proxy.ideal)),
        _Column("proxy\nexec.", lambda r: _fraction(r.proxy.executed)),
        _Column("energy\nper run", lambda r: _energy(r.energy)),
        _Column("same\nlabels", _labels),
    ]


def _is(result: BenchResult, path: str | None) -> bool:
    return path is not None and Path(result.artifact.file).absolute() == Path(path).absolute()


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


def _plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def _macs(result: BenchResult) -> str:
    if result.proxy.macs is None:
        return _ABSENT
    # "23.5 MMACs" without the unit, which is in the heading.
    return _plain(units.macs(result.proxy.macs)).removesuffix("MACs").strip()


def _fraction(value: float | None) -> str:
    return _ABSENT if value is None else f"{value:.3f}"


def _energy(energy: Energy) -> str:
    if energy.tier == "not measured":
        return _ABSENT
    if energy.tier != "measured" or energy.net_j is None:
        return energy.tier.replace(" ", "\n", 1)
    replayed = "\nreplayed" if energy.replayed else ""
    return _plain(units.joules(energy.net_j)) + replayed


def _labels(result: BenchResult) -> str:
    agreement = result.parity.label_agreement
    return _ABSENT if agreement is None else f"{100 * agreement:.3g} %"


def _remarks(report: BenchReport) -> list[str]:
    """Return what the columns cannot say, a line each; equal reasons once."""
    results, device = report.results, report.results[0].device
    lines: list[str] = []
    if any(result.proxy.executed is not None for result in results):
        named = report.baseline and Path(report.baseline).name
        base = named or "the dense float32 baseline"
        lines.append(f"Proxy: a count relative to {base}, not joules.")
    if any(result.energy.tier == "measured" for result in results):
        lines.append("Energy: net, median.")
    runtimes = ", ".join(dict.fromkeys(result.runtime for result in results))
    lines.append(f"Machine: {device.cpu or device.machine}; {runtimes}.")
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
    return lines + _duty_cycles(results)


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
                f"run. p50 per window: {_plain(units.seconds(window_s))}."
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
        for duty in result.duty_cycle:
            spin = "" if duty.spin is None else f", spin {'on' if duty.spin else 'off'}"
            lines.append(
                f"At {duty.rate_hz:g}/s{spin}: {Path(result.artifact.file).name} p50 "
                f"{_plain(units.seconds(duty.p50_s))}, processor "
                f"{_plain(units.seconds(duty.cpu_s or 0.0))} per run."
            )
    return lines
