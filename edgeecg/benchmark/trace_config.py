"""What ``edgeecg trace`` can be configured with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field, ValidationInfo

from edgeecg.benchmark.trace_columns import Kind, chosen_columns, quantity
from edgeecg.schema import Seconds, Value
from edgeecg.schema.options import option_of, setting


def _columns(value: object) -> object:
    """Return the columns that texts such as ``current=CH1`` mean; other values unchanged."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return value
    return chosen_columns([str(text) for text in value])


def _time(value: object, info: ValidationInfo) -> object:
    """Return the seconds that a text such as ``2ms`` means; other values unchanged."""
    if not isinstance(value, str):
        return value
    field = TraceConfig.model_fields[info.field_name or ""]
    return quantity(value, ["time"], option_of(field) or "")[1]


class TraceConfig(Value):
    """What the windows of a trace are.

    Each field carries its description, from which the options of ``edgeecg trace`` are made. Times
    may be texts with a unit, as on the command line.
    """

    version: ClassVar[str] = "edgeecg.trace-config/1"

    inferences: Annotated[
        int,
        setting(
            "Inferences in each busy window; in all, with --total.", option="--inferences", ge=1
        ),
    ]
    total: Annotated[
        bool,
        setting("--inferences is the number in all windows together.", option="--total"),
    ] = False
    marker: Annotated[
        str | None,
        setting(
            "Column or digital input (D0) that is high during inferences; default: the only one "
            "that changes, or one called marker, trigger or gpio.",
            option="--marker",
        ),
    ] = None
    threshold: Annotated[
        str | None,
        setting("Instead of a marker: busy from this value on, 5mA or 20mW.", option="--threshold"),
    ] = None
    voltage: Annotated[
        str | None,
        setting("Supply voltage, for a file without voltages, e.g. 3.3V.", option="--voltage"),
    ] = None
    columns: Annotated[
        dict[Kind, str],
        BeforeValidator(_columns),
        setting(
            "Column of time, current, voltage or power, where it is not found, as KIND=NAME; may "
            "be repeated.",
            option="--column",
        ),
    ] = Field(default_factory=dict)
    merge_s: Annotated[
        Seconds,
        BeforeValidator(_time),
        setting("Join busy windows with a shorter rest between them, e.g. 2ms.", option="--merge"),
    ] = 0.0
    shortest_s: Annotated[
        Seconds | None,
        BeforeValidator(_time),
        setting(
            "Ignore shorter periods above or below the threshold, e.g. 1ms; default: 5 samples "
            "with a threshold, and none with a marker.",
            option="--shortest",
        ),
    ] = None
