"""``edgeecg inspect``: what is in a model file, what it costs, and what is slow in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXTRA = "device"


def inspect(
    file: Annotated[
        Path, typer.Argument(help="A .tflite or .onnx file, of edgeecg or another program.")
    ],
    shape: Annotated[
        list[str] | None,
        typer.Option(
            "--shape",
            metavar="NAME=1x1x256",
            help="Shape of an input with free axes; may be repeated.",
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(help="Draw the layers' shares of the costs (.png, .svg, .pdf)."),
    ] = None,
    json_path: Annotated[
        Path | None,
        typer.Option("--json", help="Write all of it, each tensor too; - is standard output."),
    ] = None,
) -> None:
    """Show the operations, MACs and bytes of a model file.

    Any .tflite or .onnx file is read, also where only a runtime is installed: its inputs, classes,
    operations, quantisation, and what is slow in it. The peak arena is an estimate.
    """
    from edgeecg.benchmark.arguments import require_file
    from edgeecg.cli._console import command, emit_json, output

    require_file(file)
    from edgeecg.cli import _inspection_table
    from edgeecg.costs.inspection import inspect_file
    from edgeecg.devices import cpu

    if picture is not None:
        from edgeecg.reporting import picture_file

        picture_file.check(picture)
    console = output(json_path)
    shapes = _shapes(shape or [])
    dot_product = cpu.has_int8_dot_product(cpu.extensions())
    found = inspect_file(file, shapes, dot_product)
    if picture is not None:
        from edgeecg.reporting import inspection_picture

        inspection_picture.draw(found, picture)
    emit_json(json_path, found.to_json())
    _inspection_table.show(found, console)
    if picture is not None:
        console.print(f"Picture: {picture}", soft_wrap=True, markup=False)
    console.print(f"Next: {command('bench', file)}", soft_wrap=True, markup=False)


def _shapes(texts: list[str]) -> dict[str, tuple[int, ...]]:
    """Parse ``--shape`` as ``edgeecg bench`` does."""
    from edgeecg.benchmark.config import BenchConfig
    from edgeecg.cli._options import given_options
    from edgeecg.runs.options import configured

    asked = given_options(BenchConfig, {"shapes": texts} if texts else {})
    return configured(BenchConfig, BenchConfig(), asked).shapes
