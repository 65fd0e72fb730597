"""``edgeecg bench``: measure exported files on this machine."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from edgeecg.benchmark.config import BenchConfig
from edgeecg.cli._options import ConfigFile, PrintConfig, given_options, with_options

EXTRA = "device"


@with_options(BenchConfig)
def bench(
    options: list[dict[str, Any]],
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Exported files or bundles; without any, all artifacts of the newest run."
        ),
    ] = None,
    run: Annotated[
        str | None, typer.Option(metavar="NAME", help="Run whose artifacts are measured.")
    ] = None,
    config_path: ConfigFile = None,
    print_config: PrintConfig = False,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write the report; - is standard output.")
    ] = None,
) -> None:
    """Measure latency, energy and memory of exported files.

    They are those of the newest run unless files or a run are named. With --on they are measured on
    another machine. Their answers are checked, and what was measured stands beside the energy
    proxy.
    """
    from edgeecg.benchmark import arguments
    from edgeecg.runs.config_file import read_options, written
    from edgeecg.runs.options import configured

    asked = given_options(BenchConfig, options[0])
    if config_path is not None:
        asked = asked.over(read_options(config_path, BenchConfig))
    config = configured(BenchConfig, BenchConfig(), asked)
    if print_config:
        sys.stdout.write(written(config, "Settings of 'edgeecg bench --config FILE'"))
        return
    arguments.check(() if run else files or (), config)
    # What is imported from here on takes seconds on a small board.
    from edgeecg.benchmark import run_artifacts
    from edgeecg.benchmark.run import measure, to_measure
    from edgeecg.cli import _bench_table, _instruction_table
    from edgeecg.cli._console import command_line, emit_json, output, progress, shown
    from edgeecg.devices.emulator.cores import is_emulated

    if is_emulated(config.device):
        _instruction_table.count(to_measure(files or (), run), config, json_path)
        return
    console = output(json_path)
    with progress() as bar, _telling_what_is_kept():
        report = measure(
            to_measure(files or (), run),
            config,
            command=command_line(),
            on_step=shown(bar, "bench"),
        )
    # A measurement of an hour is kept and shown even where a disk is full. It is kept first:
    # whoever reads the output, such as a pager, may have gone away meanwhile.
    try:
        stored = run_artifacts.store(report)
    finally:
        try:
            emit_json(json_path, report.to_json())
        finally:
            _bench_table.show(report, console)
    for path in stored:
        here = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
        console.print(f"Kept in {here}", soft_wrap=True, markup=False)
    exported = any(result.artifact.manifest is not None for result in report.results)
    if exported:
        console.print(_next(json_path, stored, named=bool(files or run)), soft_wrap=True)
    if report.failed_files or report.failed_hosts:
        raise typer.Exit(1)


@contextlib.contextmanager
def _telling_what_is_kept() -> Generator[None]:
    """After Ctrl-C, print what the work has noted, such as where the meter's samples are."""
    try:
        yield
    except KeyboardInterrupt as stop:
        for note in getattr(stop, "__notes__", ()):
            sys.stderr.write(f"\n{note}")
        raise


def _next(json_path: Path | None, stored: Sequence[Path], named: bool) -> str:
    """Return the last line: the command that follows for files that edgeecg exported.

    Args:
        json_path: The command's ``--json`` option.
        stored: Where the results were kept in run folders.
        named: Whether a run or files were named; else they are those of the newest run.
    """
    from edgeecg.cli._console import command
    from edgeecg.runs import RUNS

    if stored:
        folders = dict.fromkeys(path.parents[1] for path in stored)
        names = [path.name if path.parent == RUNS.absolute() else path for path in folders]
        return f"Next: {command('report', *(names if named else ()))}"
    if json_path is None or json_path == Path("-"):
        return "Next: edgeecg bench FILE --json OUT.json, to keep this for 'edgeecg report'"
    following = command("report", "--bench", json_path.name)
    return f"Next, where the run folder is: {following}"
