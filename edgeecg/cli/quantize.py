"""``edgeecg quantize``: int8 or float16 for a float32 file of another program."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from edgeecg.schema import QuantizedFile

EXTRA = "export"


def quantize(
    file: Annotated[
        Path, typer.Argument(help="A float32 .tflite or .onnx file of another program.")
    ],
    data: Annotated[
        Path,
        typer.Option(
            metavar="FILE.npz",
            help="Its input windows: x (windows, leads, samples), y (classes) if known.",
        ),
    ],
    target: Annotated[
        str | None,
        typer.Option("--target", help="What to make; default: tflite-int8 or onnx-int8."),
    ] = None,
    output_path: Annotated[
        Path | None, typer.Option("--output", help="Where to write; default: beside the file.")
    ] = None,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write the result; - is standard output.")
    ] = None,
) -> None:
    """Quantise a float32 model file and check the result."""
    from edgeecg import resources
    from edgeecg.benchmark.arguments import require_file
    from edgeecg.cli._console import emit_json, output

    require_file(file)
    require_file(data)
    recipe = resources.load_target(target or f"{file.suffix.removeprefix('.')}-int8")
    console = output(json_path)

    from edgeecg.exporters import _foreign, _foreign_windows

    path = output_path or file.with_name(f"{file.stem}-{recipe.name}{file.suffix}")
    found = _foreign.quantize_file(file, _foreign_windows.load(data), recipe, path)
    emit_json(json_path, found.to_json())
    for line in _lines(found):
        console.print(line, soft_wrap=True, markup=False)


def _lines(found: QuantizedFile) -> list[str]:
    agreement, score, speed = found.agreement, found.score, found.speed
    lines = [
        f"{found.file}: {found.size_bytes / 1000:,.1f} kB, {found.source} has "
        f"{found.source_bytes / 1000:,.1f} kB",
        f"Calibrated on {found.calibration_windows} windows, compared on {agreement.n} others: "
        f"{agreement.label_agreement or 0.0:.1%} have the same label, an output differs by "
        f"{agreement.max_abs_diff or 0.0:.3g} at most",
    ]
    if score is not None:
        lines.append(f"{score.metric}: {score.file:.4f}, {score.reference:.4f} before")
    lines.append(
        f"Time here, relative to the float32 file: {speed.ratio:.2f} "
        f"({speed.ratio_low:.2f}-{speed.ratio_high:.2f})"
    )
    lines.append(f"Next: edgeecg inspect {found.file}")
    return lines
