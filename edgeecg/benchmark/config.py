"""What ``edgeecg bench`` can be configured with."""

from __future__ import annotations

from typing import Annotated, ClassVar

from edgeecg.schema import Value
from edgeecg.schema.options import setting


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
