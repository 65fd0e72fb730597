"""The list of the pages of real runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..results import Results
from .options import on_the_command_line
from .provenance import made_by

_DATA = {"mitdb": "MIT-BIH", "ptbxl": "PTB-XL"}


def table(results: Results) -> str:
    """Return a line for each page, with a link.

    Args:
        results: Rows of ``pages``.
    """
    rows = results.newest("model")
    lines = [
        "| page | records | score, dense | compressed | smallest file, kB | its p50, relative |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for row in rows:
        smallest = min(row["files"], key=lambda file: file["size_bytes"])
        dense = _dense(row["files"], Path(smallest["file"]).suffix)
        lines.append(
            f"| [`{row['model']}`](results/{row['page']}) | {_DATA.get(row['data'], row['data'])} "
            f"| {row['before']:.3f} | {row['after']:.3f} | {smallest['size_bytes'] / 1000:.0f} "
            f"| {smallest['p50_s'] / dense['p50_s']:.2f} × |"
        )
    notes = "Score: macro-F1 of beats, macro AUROC of records; of one seed. "
    busy = any(row["warnings"] for row in rows)
    notes += "The measurement has a warning, which the page shows. " if busy else ""
    notes += f"Compressed with {'; '.join(_options(results, row) for row in rows)}. "
    return "\n".join([*lines, "", f"{notes}{made_by(rows)}"])


def _options(results: Results, row: dict[str, Any]) -> str:
    """Return the options that the compressed model of a page was made with."""
    run = next(run for run in results.experiment.runs if run.model == row["model"])
    return f"`{on_the_command_line(run.options)}` (`{row['model']}`)"


def _dense(files: list[dict[str, Any]], suffix: str) -> dict[str, Any]:
    """Return the dense float32 file of a format."""
    targets = {".tflite": "-baseline-tflite.tflite", ".onnx": "-baseline-onnx.onnx"}
    return next(file for file in files if file["file"].endswith(targets[suffix]))
