"""What ``edgeecg bench`` can be configured with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import BeforeValidator

from edgeecg.schema import Value
from edgeecg.schema.options import setting

_NO_SHAPES: dict[str, tuple[int, ...]] = {}


def _parsed(value: object) -> object:
    """Return the shapes that texts such as ``input=1x1x256`` mean; other values unchanged."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return value
    found: dict[str, tuple[int, ...]] = {}
    for text in value:
        name, _, shape = str(text).rpartition("=")
        sizes = shape.split("x")
        if not name or not all(size.isdecimal() and int(size) > 0 for size in sizes):
            raise ValueError(f"'{text}' is not of the form NAME=1x1x256")
        found[name] = tuple(int(size) for size in sizes)
    return found


class BenchConfig(Value):
    """How exported files are measured.

    Each field carries its description, from which the options of ``edgeecg bench`` are made.
    """

    version: ClassVar[str] = "edgeecg.bench-config/1"

    device: Annotated[
        str | None,
        setting(
            "Device profile (see 'edgeecg devices'); recognised when not given.", option="--device"
        ),
    ] = None
    threads: Annotated[
        int, setting("Number of threads of the runtime.", option="--threads", ge=1, le=256)
    ] = 1
    suite: Annotated[
        str,
        setting("Number and length of the measurements: default, or quick.", option="--suite"),
    ] = "default"
    meter: Annotated[
        str | None,
        setting(
            "Energy meter (see 'edgeecg meters'), or none; when not given, the first one that "
            "works.",
            option="--meter",
        ),
    ] = None
    rate_hz: Annotated[
        float | None,
        setting(
            "Also measure at this many inferences per second, e.g. 1.",
            option="--rate",
            ge=0.01,
            le=1000.0,
        ),
    ] = None
    shapes: Annotated[
        dict[str, tuple[int, ...]],
        BeforeValidator(_parsed),
        setting(
            "Shape of an input without a fixed shape, e.g. input=1x1x256; may be repeated.",
            option="--shape",
        ),
    ] = _NO_SHAPES
    baseline: Annotated[
        Path | None,
        setting(
            "Exported file that the proxies are relative to; measured, too.", option="--baseline"
        ),
    ] = None
