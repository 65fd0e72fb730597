"""``edgeecg bench``: measure exported files on this machine."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from edgeecg.runs import RunFolder
    from edgeecg.schema import BenchReport, BenchResult, Energy

EXTRA = "device"


def bench(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Exported files; without any, all artifacts of the newest run."),
    ] = None,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write the report; - is standard output.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="Device profile; recognised when not given.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, max=256, help="Threads of the runtime.")] = 1,
    suite: Annotated[str, typer.Option(help="Protocol: default, or quick.")] = "default",
    meter: Annotated[
        str | None,
        typer.Option(help="Energy meter, or none; the device's own when not given."),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(metavar="HZ", min=0.01, max=1000, help="Also run at this rate, e.g. 1."),
    ] = None,
    run: Annotated[
        str | None, typer.Option(metavar="NAME", help="Run whose artifacts are measured.")
    ] = None,
) -> None:
    """Measure latency, energy, memory and parity of exported files on this machine."""
    from edgeecg import meters, resources
    from edgeecg.benchmark.protocol import NO_METER, Request, measure
    from edgeecg.cli._console import emit_json, output, progress
    from edgeecg.devices.detection import detect

    if meter not in (None, NO_METER):
        meters.get(meter)
    protocol = resources.load_suite(suite)
    profile = resources.load_device(device) if device else detect()
    request = Request(
        files=_files(files, run),
        suite=protocol,
        profile=profile,
        threads=threads,
        meter=meter,
        rate_hz=rate,
        command=shlex.join(["edgeecg", *sys.argv[1:]]),
    )
    with progress() as shown:
        task = shown.add_task("bench", total=request.steps())

        def advance(description: str) -> None:
            shown.update(task, advance=1, description=description)

        report = measure(request, advance=advance)
    emit_json(json_path, report.to_json())
    console = output(json_path)
    _show(report, console)
    kept = _keep(report, request.files)
    for path in kept:
        here = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
        console.print(f"Kept in {here}", soft_wrap=True, markup=False)
    console.print(_next(json_path, bool(kept)), soft_wrap=True)


def _next(json_path: Path | None, kept: bool) -> str:
    """Return the last line: the command that follows, here or where the run folder is."""
    if kept:
        return "Next: edgeecg report"
    if json_path is None or json_path == Path("-"):
        return "Next: edgeecg bench FILE --json OUT.json, to keep this for 'edgeecg report'"
    return f"Next, where the run folder is: edgeecg report --bench {json_path.name}"


def _files(files: list[Path] | None, run: str | None) -> tuple[Path, ...]:
    from edgeecg import runs
    from edgeecg.errors import EdgeECGError, UsageError

    if files and run:
        raise UsageError(
            "Files and --run were both given.",
            "--run NAME measures all artifacts of that run.",
            "Give one or the other.",
        )
    if files:
        return tuple(dict.fromkeys(files))
    folder = runs.named(run) if run else runs.newest()
    found = folder.artifact_files()
    if not found:
        raise EdgeECGError(
            f"The run '{folder.path}' has no exported files.",
            f"'{folder.artifacts}' holds no .tflite or .onnx.",
            "Run 'edgeecg export --target tflite' first.",
        )
    return tuple(found)


def _keep(report: BenchReport, files: tuple[Path, ...]) -> list[Path]:
    """Write each run's results into the run folder that its files lie in; return the paths."""
    from edgeecg.files import write_text

    kept: list[Path] = []
    owners = {path: folder for path in files if (folder := _owner(path)) is not None}
    for folder in dict.fromkeys(owners.values()):
        own = [
            result for result in report.results if owners.get(Path(result.artifact.file)) == folder
        ]
        stamp = report.created_utc.partition("+")[0].replace("-", "").replace(":", "")
        path = folder.bench / f"{own[0].device.name}-{stamp}Z.json"
        write_text(path, report.model_copy(update={"results": tuple(own)}).to_json())
        kept.append(path)
    return kept


def _owner(path: Path) -> RunFolder | None:
    from edgeecg.runs import RunFolder

    folder = path.absolute().parent
    run = RunFolder(folder.parent)
    return run if folder.name == run.artifacts.name and run.finished else None


def _show(report: BenchReport, console: Console) -> None:
    from rich import box
    from rich.table import Table

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
    """Return what a file is: the role and target of one of ours, the name of a foreign one."""
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
    """Return one line for each thing that the table cannot say, each reason once."""
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
