"""The table that ``edgeecg bench`` prints."""

from __future__ import annotations

from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from edgeecg.schema import BenchReport, BenchResult, Energy


def show(report: BenchReport, console: Console) -> None:
    """Print a row for each file, and what the columns cannot say below the table.

    Args:
        report: What was measured.
        console: Where to print.
    """
    slowest = max(result.latency.p50_s for result in report.results)
    unit, scale = ("ms", 1e3) if slowest >= 1e-2 else ("µs", 1e6)
    table = Table(title=_title(report), box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    table.add_column("file", overflow="fold", max_width=26)
    headings = ["size\nkB", *(f"{name}\n{unit}" for name in ("p50", "p90", "p99"))]
    for heading in [*headings, "proxy\nideal", "proxy\nexec.", "energy\nper run", "same\nlabels"]:
        table.add_column(heading, justify="right")
    for result in report.results:
        table.add_row(*_row(result, scale))
    console.print(table)
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
        words.append("EMULATED: not the board's times")
    if any(r.artifact.manifest and r.artifact.manifest.data == "synthetic" for r in report.results):
        words.append("model trained on synthetic records")
    return ", ".join(words)


def _row(result: BenchResult, scale: float) -> list[str]:
    latency, proxy, agreement = result.latency, result.proxy, result.parity.label_agreement
    times = [_number(value * scale) for value in (latency.p50_s, latency.p90_s, latency.p99_s)]
    return [
        _label(result),
        _number(result.artifact.size_bytes / 1000),
        *times,
        "-" if proxy.ideal is None else f"{proxy.ideal:.3f}",
        "-" if proxy.executed is None else f"{proxy.executed:.3f}",
        _energy(result.energy),
        "-" if agreement is None else f"{100 * agreement:.3g} %",
    ]


def _label(result: BenchResult) -> str:
    """Return role and target of a file that edgeecg exported, or the name of a foreign file."""
    manifest = result.artifact.manifest
    if manifest is None:
        return f"{Path(result.artifact.file).name}\n{result.artifact.dtype}"
    return f"{manifest.role}\n{manifest.target}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _duration(seconds: float) -> str:
    return f"{seconds * 1e6:.3g} µs" if seconds < 1e-3 else f"{seconds * 1e3:.3g} ms"


def _energy(energy: Energy) -> str:
    if energy.tier != "measured" or energy.net_j is None:
        return energy.tier.replace(" ", "\n", 1)
    replayed = "\nreplayed" if energy.replayed else ""
    return f"{energy.net_j * 1e6:.3g} µJ{replayed}"


def _remarks(report: BenchReport) -> list[str]:
    """Return what the columns cannot say, a line each; equal reasons once."""
    device = report.results[0].device
    lines = [
        "Proxy: a count relative to the dense float32 baseline, not joules. Energy: net, median."
    ]
    runtimes = ", ".join(dict.fromkeys(result.runtime for result in report.results))
    lines.append(f"Machine: {device.cpu or device.machine}; {runtimes}.")
    pinned = report.results[0].latency.pinned_cpu
    if pinned is None:
        lines.append("Not pinned to a processor.")
    if report.suite.name != "default":
        lines.append(f"Suite {report.suite.name}: {report.suite.description}")
    for label, reasons in (
        ("Energy", [result.energy.reason for result in report.results]),
        ("Proxy", [result.proxy.reason for result in report.results]),
        ("Parity", [result.parity.reason for result in report.results]),
        ("Memory", [result.memory.reason for result in report.results]),
    ):
        lines += [f"{label}: {reason}" for reason in dict.fromkeys(reasons) if reason]
    for result in report.results:
        for duty in result.duty_cycle:
            spin = "" if duty.spin is None else f", spin {'on' if duty.spin else 'off'}"
            lines.append(
                f"At {duty.rate_hz:g}/s{spin}: {Path(result.artifact.file).name} p50 "
                f"{_duration(duty.p50_s)}, processor {_duration(duty.cpu_s or 0.0)} a run."
            )
    return lines
