"""What ``edgeecg bench --device emulated:CORE`` does and prints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from edgeecg.benchmark import instructions
from edgeecg.benchmark.config import BenchConfig
from edgeecg.cli._console import command_line, emit_json, output, progress, shown
from edgeecg.devices.emulator import cores
from edgeecg.reporting import units
from edgeecg.schema import InstructionReport, InstructionResult

_ABSENT = "-"


def count(files: Sequence[Path], config: BenchConfig, json_path: Path | None) -> None:
    """Count the instructions of files on the emulated core that ``config`` names, and show them.

    Args:
        files: The files.
        config: What was asked for.
        json_path: The command's ``--json`` option.

    Raises:
        EdgeECGError: See :func:`edgeecg.benchmark.instructions.count`.
    """
    instructions.check(config)
    console = output(json_path)
    with progress() as bar:
        report = instructions.count(
            files,
            config.device or "",
            shapes=config.shapes,
            baseline=config.baseline,
            command=command_line(),
            on_step=shown(bar, "emulator"),
        )
    emit_json(json_path, report.to_json())
    show(report, console)


def show(report: InstructionReport, console: Console) -> None:
    """Print a row for each file, and what the numbers are not.

    Args:
        report: What was counted.
        console: Where to print.
    """
    first = report.results[0]
    core = cores.named(first.device.name)
    table = Table(
        title=f"Instructions of one inference on an emulated {core.title}",
        box=box.SIMPLE_HEAD,
        padding=0,
        pad_edge=False,
    )
    table.add_column("file", overflow="fold")
    for heading in ("size", "instructions", "ratio", "MACs", "proxy\nexec.", "same\nlabels"):
        table.add_column(heading, justify="right", no_wrap=True)
    base = baseline(report)
    for result in report.results:
        table.add_row(Path(result.artifact.file).stem, *_cells(result, base))
    console.print(table)
    for line in _remarks(report, base):
        console.print(line, soft_wrap=True, markup=False)


def baseline(report: InstructionReport) -> InstructionResult | None:
    """Return the result that the ratios are relative to.

    It is the baseline that the user named, or else the only dense float32 file; None if there is
    no such file, or several.
    """
    if report.baseline is not None:
        return next((r for r in report.results if r.artifact.file == report.baseline), None)
    dense = [
        result
        for result in report.results
        if result.artifact.dtype == "float32"
        and result.artifact.manifest is not None
        and result.artifact.manifest.role == "baseline"
    ]
    return dense[0] if len(dense) == 1 else None


def _cells(result: InstructionResult, base: InstructionResult | None) -> list[str]:
    number = result.instructions.per_inference
    macs, executed = result.proxy.macs, result.proxy.executed
    labels = result.parity.label_agreement
    return [
        _plain(units.size(result.artifact.size_bytes)),
        f"{number:,}",
        _ABSENT if base is None else f"{number / base.instructions.per_inference:.3f}",
        _ABSENT if macs is None else _plain(units.macs(macs)).removesuffix("MACs").strip(),
        _ABSENT if executed is None else f"{executed:.3f}",
        _ABSENT if labels is None else f"{100 * labels:.3g} %",
    ]


def _remarks(report: InstructionReport, base: InstructionResult | None) -> list[str]:
    first = report.results[0]
    board = cores.named(first.device.name).board
    lines = [
        f"EMULATED: a number of instructions, not a time of a {board}: caches, memory and the "
        "width of the core are not emulated. Median; one thread.",
        f"Emulator: {first.instructions.emulator}; {first.runtime}, {report.image.kernel}.",
    ]
    if base is not None:
        lines.append(f"Ratio: relative to {Path(base.artifact.file).name}.")
    reasons = dict.fromkeys(r.parity.reason for r in report.results if r.parity.reason)
    return lines + [f"Parity: {reason}" for reason in reasons]


def _plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")
