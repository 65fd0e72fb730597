"""``edgeecg export``: a run's or the package's models as files that work alone, verified."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeecg.cli._options import Custom, Threads

if TYPE_CHECKING:
    from rich.console import Console

    from edgeecg.errors import EdgeECGError
    from edgeecg.runs import RunFolder
    from edgeecg.schema import Artifact

EXTRA = "export"


def export(
    model: Annotated[
        str | None,
        typer.Argument(help="A model of the package, dense as it comes; else a run is exported."),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target", help="What to make, or all; give it again for more. Default: tflite."
        ),
    ] = None,
    run: Annotated[
        str | None, typer.Option("--run", help="Name or folder of a run; default: the newest.")
    ] = None,
    custom: Custom = None,
    threads: Threads = 1,
    bench_path: Annotated[
        Path | None,
        typer.Option(
            "--bench",
            metavar="FILE.json",
            help="For tflite-mixed: what 'edgeecg bench --json' wrote on the device.",
        ),
    ] = None,
    bundle_path: Annotated[
        Path | None,
        typer.Option(
            "--bundle",
            metavar="FILE.zip",
            help="Also write one zip file with all that a device needs for 'edgeecg bench'.",
        ),
    ] = None,
    json_path: Annotated[
        Path | None,
        typer.Option("--json", help="Write the manifests as JSON; - is standard output."),
    ] = None,
) -> None:
    """Export models as files and check them against PyTorch.

    Without MODEL: the compressed model and the baseline of the newest run. A file that fails a
    check is kept as NAME.rejected, with the reason.
    """
    import json

    from edgeecg.benchmark import bundle
    from edgeecg.cli import _export_table
    from edgeecg.cli._console import command, emit_json, output

    every, targets, unusable = _targets(target or ["tflite"])
    if bundle_path is not None:
        bundle.check(bundle_path)
    console = output(json_path)
    request = _Request(run, model, targets, custom, threads, every, bench_path)
    folder, artifacts, missing = _export(request, console)
    if bundle_path is not None:
        bundle.pack([folder.artifacts / (each.file or "") for each in artifacts], bundle_path)
    emit_json(json_path, json.dumps([a.to_document() for a in artifacts], indent=1) + "\n")
    _export_table.show(console, folder, artifacts, [*unusable, *missing], with_advice=every)
    if bundle_path is not None:
        console.print(f"Next, on the device: {command('bench', bundle_path.name)}", soft_wrap=True)
        return
    console.print(f"Next: {command(*_next(run, folder, artifacts))}", soft_wrap=True)


def _next(run: str | None, folder: RunFolder, artifacts: list[Artifact]) -> tuple[object, ...]:
    """Return the words of the command that measures these very files."""
    if not folder.finished:
        return "bench", folder.artifacts / (artifacts[0].file or "")
    return ("bench",) if run is None else ("bench", "--run", run)


def _targets(given: list[str]) -> tuple[bool, list[str], list[EdgeECGError]]:
    """Return whether all targets are meant, their names, and why others cannot be used.

    What can be wrong with them is found here, before the slow imports.
    """
    from edgeecg import resources

    if "all" in given:
        return (True, *resources.usable_targets())
    for name in given:
        resources.load_target(name)
    return False, given, []


@dataclass(frozen=True)
class _Request:
    """What is to be exported, as given on the command line."""

    run: str | None
    model: str | None
    targets: list[str]
    custom: str | None
    threads: int
    keep_going: bool
    bench: Path | None


def _export(
    request: _Request, console: Console
) -> tuple[RunFolder, list[Artifact], list[EdgeECGError]]:
    """Export, with progress; return the folder, the files and what is missing."""
    from edgeecg.cli._console import progress, shown

    with progress() as bar:
        show = shown(bar, "reading records")

        from edgeecg import exporters
        from edgeecg.cli._records import describe

        folder = exporters.run_to_export(request.run, request.model, request.custom)
        missing: list[EdgeECGError] = []
        artifacts = exporters.export(
            request.run,
            request.targets,
            model=request.model,
            custom=request.custom,
            threads=request.threads,
            on_progress=show,
            on_data=lambda dataset: describe(dataset, console),
            on_left_out=missing.append,
            keep_going=request.keep_going,
            bench=request.bench,
        )
    return folder, artifacts, missing
