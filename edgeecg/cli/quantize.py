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
    recipe = resources.load_target(target or f"{file.suffix.removeprefix('.')}-int8")
    path = output_path or file.with_name(f"{file.stem}-{recipe.name}{file.suffix}")
    _check_output(file, path)
    console = output(json_path)

    from edgeecg.exporters import _foreign_windows

    windows = _foreign_windows.load(data)
    # What is imported from here on takes seconds.
    from edgeecg.exporters import _foreign

    found = _foreign.quantize_file(file, windows, recipe, path)
    emit_json(json_path, found.to_json())
    for line in _lines(found):
        console.print(line, soft_wrap=True, markup=False)


def _check_output(file: Path, path: Path) -> None:
    """Refuse an output that would replace the file, or that no command would recognise."""
    from edgeecg.errors import UsageError
    from edgeecg.files import check_writable

    if path.suffix != file.suffix or path.resolve() == file.resolve():
        raise UsageError(
            f"The quantised file cannot be written to '{path}'.",
            "It would replace the float32 file."
            if path.suffix == file.suffix
            else f"It is a {file.suffix} file as '{file}' is.",
            f"Give another name that ends in {file.suffix} with --output.",
        )
    check_writable(path)


def _lines(found: QuantizedFile) -> list[str]:
    from edgeecg.cli._console import command

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
    lines.append(f"Next: {command('inspect', found.file)}")
    return lines
