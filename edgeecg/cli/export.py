"""``edgeecg export``: a run's or the package's models as files that work alone, verified."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeecg.cli._options import Threads

if TYPE_CHECKING:
    from rich.table import Table

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
    custom: Annotated[
        str | None,
        typer.Option(
            "--custom", "--own", help="For a run of a custom module: path/to/model.py:build."
        ),
    ] = None,
    threads: Threads = 1,
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
    """Export a compressed model and its baseline, or a dense one; check them against PyTorch."""
    import json

    from edgeecg import resources
    from edgeecg.cli._console import emit_json, output, progress, shown

    targets = target or ["tflite"]
    every = "all" in targets
    if every:
        targets = resources.target_names()
    # What can be wrong is found before the slow imports.
    for name in targets:
        resources.load_target(name)
    console = output(json_path)
    with progress() as bar:
        show = shown(bar, "reading records")

        from edgeecg import exporters
        from edgeecg.cli._records import describe

        folder = exporters.run_to_export(run, model)
        missing: list[EdgeECGError] = []
        artifacts = exporters.export(
            run,
            targets,
            model=model,
            custom=custom,
            threads=threads,
            on_progress=show,
            on_data=lambda dataset: describe(dataset, console),
            on_left_out=missing.append,
            keep_going=every,
        )

    if bundle_path is not None:
        from edgeecg.benchmark import bundle

        bundle.pack([folder.artifacts / (each.file or "") for each in artifacts], bundle_path)
    emit_json(json_path, json.dumps([a.to_document() for a in artifacts], indent=1) + "\n")
    console.print(_table(artifacts))
    for line in _budget_lines(folder, artifacts):
        console.print(line, soft_wrap=True, markup=False)
    for artifact in artifacts:
        console.print(f"  {folder.artifacts / (artifact.file or '')}", soft_wrap=True)
    for error in missing:
        console.print(f"Left out: {error.what} {error.why}", soft_wrap=True)
    if bundle_path is not None:
        console.print(f"Next, on the device: edgeecg bench {bundle_path.name}", soft_wrap=True)
        return
    given = "" if folder.finished else f" {folder.artifacts / (artifacts[0].file or '')}"
    console.print(f"Next: edgeecg bench{given}", soft_wrap=True)


def _budget_lines(folder: RunFolder, artifacts: list[Artifact]) -> tuple[str, ...]:
    from edgeecg.reporting import budgets
    from edgeecg.schema import CompressionLog

    path = folder.compression_log
    if not path.is_file():
        return ()
    return budgets.lines(CompressionLog.from_json(path.read_bytes(), str(path)), artifacts)


def _table(artifacts: list[Artifact]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    first = artifacts[0].test
    what = "scores" if first is None else first.headline[0]
    records = "synthetic test records" if artifacts[0].data == "synthetic" else "test records"
    table = Table(
        title=f"{artifacts[0].model} exported: {what} of the files on {records}",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("model", no_wrap=True)
    table.add_column("target", no_wrap=True)
    # All files of a run are compared on the same probe windows.
    same = f"same\nlabel\nof {artifacts[0].verification.n}"
    for name in ("kB", "MACs", "proxy\nexec.", "max\n|diff|", same, "score"):
        table.add_column(name, justify="right", no_wrap=True)
    for artifact in artifacts:
        parity, test = artifact.verification, artifact.test
        table.add_row(
            artifact.role,
            artifact.target,
            f"{(artifact.size_bytes or 0) / 1000:,.1f}",
            f"{sum(artifact.costs.macs.values()):,}",
            "-" if (ratio := _proxy(artifact)) is None else f"{ratio:.3f}",
            "-" if parity.max_abs_diff is None else f"{parity.max_abs_diff:.0e}",
            "-" if parity.label_agreement is None else f"{parity.label_agreement:.1%}",
            "-" if test is None else f"{test.headline[1]:.4f}",
        )
    return table


def _proxy(artifact: Artifact) -> float | None:
    """Return the executed proxy of a file relative to the baseline's float32 file."""
    from edgeecg.costs import proxy
    from edgeecg.schema import ProxyCoefficients

    base = None if artifact.baseline is None else artifact.baseline.costs
    return proxy.relative(artifact.costs, base, ProxyCoefficients()).executed
