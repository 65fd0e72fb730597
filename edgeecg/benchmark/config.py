"""What ``edgeecg bench`` and ``edgeecg calibrate`` can be configured with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field

from edgeecg.schema import Suite, Value
from edgeecg.schema.options import OrNone, setting

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


def _counts(value: object) -> object:
    """Return the numbers that ``1,2,4`` or a single number means; other values unchanged."""
    texts = [value] if isinstance(value, (str, int)) else value
    if not isinstance(texts, Sequence):
        return value
    return [part for text in texts for part in str(text).split(",")]


def _share(value: object) -> object:
    """Return the share that a text such as ``3%`` or a number means; other values unchanged."""
    if not isinstance(value, (str, int, float)):
        return value
    text = str(value).strip()
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise ValueError(f"'{value}' is neither of the form 3% nor a number such as 0.03") from None
    if 0 < share < 1:
        return share
    hint = "" if text.endswith("%") or share <= 0 else f"; for {text} per cent, write {text}%"
    raise ValueError(
        f"{value} is {100 * share:g} %, and the share has to be above 0 and below 100 %{hint}"
    )


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
        tuple[Annotated[int, Field(ge=1, le=256)], ...],
        BeforeValidator(_counts),
        setting(
            "Number of threads of the runtime; several, as 1,2,4, are measured one after another.",
            option="--threads",
            min_length=1,
        ),
    ] = (1,)
    suite: Annotated[
        str,
        setting(
            "Number and length of the measurements: default, quick, or a TOML file.",
            option="--suite",
        ),
    ] = "default"
    meter: Annotated[
        str | None,
        setting(
            "Energy meter (see 'edgeecg meters'), as NAME or NAME:WHERE, or none; when not given, "
            "the first one of this device that works.",
            option="--meter",
        ),
    ] = None
    windows: Annotated[
        int | None,
        setting("Number of energy windows; none: the suite's.", option="--windows", ge=3, le=1000),
        OrNone,
    ] = None
    duration: Annotated[
        float | None,
        setting(
            "Length of each energy window and idle window in seconds; none: the suite's.",
            option="--duration",
            gt=0.0,
            le=3600.0,
        ),
        OrNone,
    ] = None
    target_error: Annotated[
        float | None,
        setting(
            "Run more energy windows until the 95 % interval is this narrow, e.g. 3%.",
            option="--target-error",
            gt=0.0,
            lt=1.0,
        ),
        BeforeValidator(_share),
        OrNone,
    ] = None
    rate_hz: Annotated[
        float | None,
        setting(
            "Also measure at this many inferences per second, e.g. 1.",
            option="--rate",
            ge=0.01,
            le=1000.0,
        ),
        OrNone,
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
    on: Annotated[
        str | None,
        setting(
            "Measure on another machine over ssh: HOST, USER@HOST, or a fleet as a TOML file.",
            option="--on",
        ),
    ] = None
    python: Annotated[
        str | None,
        setting(
            "With --on: a Python there that has the packages; when not given, an environment is "
            "made once.",
            option="--python",
        ),
    ] = None
    wheels: Annotated[
        Path | None,
        setting(
            "With --on: folder with the packages' wheels, for a host without internet.",
            option="--wheels",
        ),
    ] = None

    def applied_to(self, suite: Suite) -> Suite:
        """Return a suite with the number and the length of windows that were asked for.

        Raises:
            SchemaError: The suite does not allow them.
        """
        asked = {
            "energy_windows": self.windows,
            "energy_window_seconds": self.duration,
            "idle_window_seconds": self.duration,
        }
        changes = {key: value for key, value in asked.items() if value is not None}
        if not changes:
            return suite
        # It is another protocol, and must not go under the name of the published one.
        changed = ", ".join(f"{key} = {value:g}" for key, value in changes.items())
        description = f"As {suite.name}, with {changed}."
        body = {**suite.model_dump(), **changes, "name": "custom", "description": description}
        return Suite.from_document(body, source="The suite")


class CalibrationConfig(Value):
    """How a device is calibrated.

    Each field carries its description, from which the options of ``edgeecg calibrate`` are made.
    """

    version: ClassVar[str] = "edgeecg.calibration-config/1"

    device: Annotated[
        str | None,
        setting("Device profile to extend; this machine's when not given.", option="--device"),
    ] = None
    runtime: Annotated[
        str,
        setting(
            "Runtime to calibrate: litert, or onnxruntime, which needs the package onnx.",
            option="--runtime",
        ),
    ] = "litert"
    threads: Annotated[
        int, setting("Number of threads of the runtime.", option="--threads", ge=1, le=256)
    ] = 1
    suite: Annotated[
        str,
        setting("Number and length of the measurements of each graph.", option="--suite"),
    ] = "quick"
    meter: Annotated[
        str | None,
        setting(
            "Energy meter (see 'edgeecg meters'), or none for the time alone.", option="--meter"
        ),
    ] = None
