"""``edgeecg export``: a run's or the package's models as files that work alone, verified."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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
        typer.Option("--target", help="What to make; give it again for more. Default: tflite."),
    ] = None,
    run: Annotated[
        str | None, typer.Option("--run", help="Name or folder of a run; default: the newest.")
    ] = None,
    own: Annotated[
        str | None,
        typer.Option(help="Of a run of your own module: its file, path/to/model.py:build."),
    ] = None,
    json_path: Annotated[
        Path | None,
        typer.Option("--json", help="Write the manifests as JSON; - is standard output."),
    ] = None,
) -> None:
    """Export a compressed model and its baseline, or a dense one; check them against PyTorch."""
    import json

    from edgeecg import resources
    from edgeecg.cli import _starting
    from edgeecg.cli._console import emit_json, output, progress, shown
    from edgeecg.schema import ModelCard

    # What can be wrong is found before the slow imports.
    recipes = [resources.load_target(name) for name in dict.fromkeys(target or ["tflite"])]
    folder = _folder(model, run)
    described = folder.model_card if folder.finished else folder.baseline_card
    card = ModelCard.from_json(described.read_bytes(), str(described))

    if own is not None:
        from edgeecg.models._custom import open_module

        open_module(own)

    with progress() as bar:
        show = shown(bar, "reading records")
        dataset = _starting.records(_starting.retraced(card), output(json_path), show)
        show("loading the converters", 0, 1)

        from edgeecg.exporters._pipeline import export_run

        missing: list[EdgeECGError] = []
        artifacts = export_run(folder, recipes, dataset, show, missing.append)

    emit_json(json_path, json.dumps([a.to_document() for a in artifacts], indent=1) + "\n")
    console = output(json_path)
    console.print(_table(artifacts))
    for artifact in artifacts:
        console.print(f"  {folder.artifacts / (artifact.file or '')}", soft_wrap=True)
    for error in missing:
        console.print(f"Left out: {error.what} {error.why}", soft_wrap=True)
    given = "" if folder.finished else f" {folder.artifacts / (artifacts[0].file or '')}"
    console.print(f"Next: edgeecg bench{given}", soft_wrap=True)


def _folder(model: str | None, run: str | None) -> RunFolder:
    """Return where the models are that are to be exported."""
    from edgeecg import runs
    from edgeecg.errors import UsageError

    if model is None:
        return runs.newest() if run is None else runs.exportable(run)
    if run is not None:
        raise UsageError(
            f"Both the model '{model}' and the run '{run}' are named.",
            "A model's name stands for the package's dense weights, --run for what a run made.",
            "Give one of the two.",
        )
    from edgeecg.compression.dense import packaged

    return packaged(model)


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
    for name in ("kB", "MACs", "max\n|diff|", "same\nlabel", "score"):
        table.add_column(name, justify="right", no_wrap=True)
    for artifact in artifacts:
        parity, test = artifact.verification, artifact.test
        table.add_row(
            artifact.role,
            artifact.target,
            f"{(artifact.size_bytes or 0) / 1000:,.1f}",
            f"{sum(artifact.costs.macs.values()):,}",
            "-" if parity.max_abs_diff is None else f"{parity.max_abs_diff:.0e}",
            "-" if parity.label_agreement is None else f"{parity.label_agreement:.1%}",
            "-" if test is None else f"{test.headline[1]:.4f}",
        )
    return table
