"""Reading power traces that instruments exported as CSV."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeecg.benchmark import trace_columns, trace_marker, trace_text
from edgeecg.benchmark.trace_columns import UNDERSTOOD, Column, Kind
from edgeecg.benchmark.trace_marker import Marker
from edgeecg.benchmark.trace_text import HEADER_LINES, number
from edgeecg.errors import DataError, UsageError


@dataclass(frozen=True)
class TraceFile:
    """The samples of a trace.

    Attributes:
        t_s: Times of the samples, from 0.
        watts: Power.
        amperes: Current, or None for a file that has only the power.
        marker: Whether the marker is high, or None when no marker was asked for.
        dropped: Rows without a value of the power.
        remarks: What a user should know of the values, a sentence each.
        source: The names of the columns that the power was read from.
    """

    t_s: NDArray[np.float64]
    watts: NDArray[np.float64]
    amperes: NDArray[np.float64] | None
    marker: NDArray[np.bool_] | None
    dropped: int
    remarks: tuple[str, ...]
    source: tuple[str, ...]


@dataclass(frozen=True)
class TraceOptions:
    """How a file is to be read.

    Attributes:
        marker: Name of the column, or of the digital input, that is high during inferences. Empty
            for the one that a file has: a column called 'marker', 'trigger' or 'gpio', or the only
            digital input that changes. None for none.
        voltage: Supply voltage in volts, for a file without voltages.
        columns: Names of columns, for files in which they cannot be found out.
    """

    marker: str | None = None
    voltage: float | None = None
    columns: Mapping[Kind, str] = field(default_factory=dict[Kind, str])


def read(path: Path, options: TraceOptions) -> TraceFile:
    """Read a trace.

    Args:
        path: The CSV file.
        options: How it is to be read.

    Raises:
        DataError: It cannot be read, has not the columns that are needed, or has faulty values.
        UsageError: An option does not fit the file.
    """
    return _Reader(path, options).read()


class _Reader:
    """Reads one file."""

    def __init__(self, path: Path, options: TraceOptions) -> None:
        self._path = path
        self._options = options
        self._remarks: list[str] = []
        self._decimal_marks: set[str] = set()
        # Of the numbers with a comma: whether it may separate thousands.
        self._thousands: set[bool] = set()

    def read(self) -> TraceFile:
        header, found, rows = self._header(trace_text.rows(self._path))
        self._check(header, found)
        asked = self._options.marker
        markers = [] if asked is None else trace_marker.candidates(header, asked, self._path)
        used = [found[kind] for kind in self._quantities(found)]
        trace_columns.check_units(used, self._path)
        values, states, dropped = self._values(rows, len(header), used, markers)
        t_s = values[0]
        self._check_times(t_s)
        amperes = None if "power" in found else values[1]
        watts = values[1] if amperes is None else amperes * self._volts(values)
        self._check_power(watts)
        return TraceFile(
            t_s=t_s - t_s[0],
            watts=watts,
            amperes=amperes,
            marker=self._level(markers, states),
            dropped=dropped,
            remarks=tuple(self._remarks),
            source=tuple(column.name for column in used[1:]),
        )

    def _header(
        self, rows: Iterator[tuple[int, list[str]]]
    ) -> tuple[list[str], dict[Kind, Column], Iterator[tuple[int, list[str]]]]:
        """Return the header, the columns of the quantities, and the rows after it."""
        first = list(islice(rows, HEADER_LINES))
        best: tuple[int, list[str], dict[Kind, list[Column]]] | None = None
        for place, (_, fields) in enumerate(first):
            given = [each for each in fields if each.strip()]
            if given and all(number(each) is not None for each in given):
                break
            following = first[place + 1][1] if place + 1 < len(first) else []
            units = following if _is_units(following) else []
            found = trace_columns.quantities(fields, units)
            after = place + 1 + bool(units)
            if best is None or len(found) > len(best[2]):
                best = after, [each.strip() for each in fields], found
        if best is None:
            raise self._no_header(first[0][1])
        after, header, found = best
        asked = {trace_columns.position(each, header) for each in self._options.columns.values()}
        marker = trace_columns.position(self._options.marker or "", header)
        # A logic level in volts is not the supply.
        levels = {
            place
            for place, each in enumerate(header)
            if place == marker or (trace_marker.is_named(each) and place not in asked)
        }
        for kind, columns in list(found.items()):
            found[kind] = [each for each in columns if each.place not in levels]
        chosen = trace_columns.chosen(found, self._options.columns, header, self._path)
        return header, chosen, chain(iter(first[after:]), rows)

    def _no_header(self, fields: Sequence[str]) -> DataError:
        shown = ", ".join(each.strip() for each in fields[:8])
        return DataError(
            f"{self._path} has no header.",
            f"Its first line is '{shown}', and the names and units of the columns are needed: "
            f"{UNDERSTOOD}.",
            "Export it with a header, or add one such as 't_s,current_a,voltage_v' at the top.",
        )

    def _check(self, header: Sequence[str], found: Mapping[Kind, Column]) -> None:
        if "time" not in found or ("power" not in found and "current" not in found):
            raise DataError(
                f"{self._path} has not the columns that are needed.",
                f"Its columns are {', '.join(repr(each) for each in header)}; understood are "
                f"{UNDERSTOOD}.",
                "Export the missing column, or name it with --column, e.g. --column current=CH1.",
            )
        voltage = self._options.voltage
        if "power" not in found and "voltage" not in found and voltage is None:
            raise UsageError(
                f"The voltage of {self._path} is unknown.",
                f"It has a current in '{found['current'].name}' and no voltage.",
                "Give the supply voltage, e.g. --voltage 3.3V.",
            )
        if voltage is not None and ("power" in found or "voltage" in found):
            known = found.get("power") or found["voltage"]
            raise UsageError(
                "--voltage cannot be used with this file.",
                f"It has its own in '{known.name}'.",
                "Leave --voltage out.",
            )

    def _quantities(self, found: Mapping[Kind, Column]) -> tuple[Kind, ...]:
        if "power" in found:
            return "time", "power"
        return ("time", "current", "voltage") if "voltage" in found else ("time", "current")

    def _volts(self, values: Sequence[NDArray[np.float64]]) -> NDArray[np.float64] | float:
        return values[2] if len(values) > 2 else self._options.voltage or 0.0

    def _level(
        self, markers: Sequence[Marker], states: Sequence[Sequence[str]]
    ) -> NDArray[np.bool_] | None:
        """Return whether the marker is high at every sample; None without a marker."""
        found = [
            (marker.name, trace_marker.levels(texts, marker.name, self._path))
            for marker, texts in zip(markers, states, strict=True)
        ]
        if self._options.marker is None:
            return None
        return (
            found[0][1] if self._options.marker else trace_marker.only_changing(found, self._path)
        )

    def _values(
        self,
        rows: Iterable[tuple[int, list[str]]],
        width: int,
        used: Sequence[Column],
        markers: Sequence[Marker],
    ) -> tuple[list[NDArray[np.float64]], list[list[str]], int]:
        """Return the columns' values in SI units, the markers' texts, and the rows left out."""
        values = [array("d") for _ in used]
        states: list[list[str]] = [[] for _ in markers]
        dropped = 0
        broken: tuple[int, str] | None = None
        for line, fields in rows:
            if broken is not None:
                raise self._broken(*broken)
            try:
                numbers = [_value(fields, column, width) for column in used]
                self._check_marks(fields, used, line)
            except (ValueError, IndexError) as error:
                # The last line of a recording that was cut off is not a fault.
                broken = line, str(error)
                continue
            if math.isnan(sum(numbers)):
                dropped += 1
                continue
            for column, value in zip(values, numbers, strict=True):
                column.append(value)
            for marker, texts in zip(markers, states, strict=True):
                texts.append(marker.state(fields))
        if broken is not None:
            self._remarks.append("The last line is incomplete and was left out.")
        if len(values[0]) < 2:
            if broken is not None:
                raise self._broken(*broken)
            raise DataError(
                f"{self._path} has too few samples.",
                f"There are {len(values[0])} rows with values after the header.",
                "Export the recording again.",
            )
        if self._thousands == {True}:
            raise self._ambiguous("Every number with a comma has three digits after it")
        return [np.frombuffer(each, np.float64).copy() for each in values], states, dropped

    def _check_marks(self, fields: Sequence[str], used: Sequence[Column], line: int) -> None:
        """Refuse a file in which commas may be decimal marks or separate thousands."""
        for column in used:
            text = fields[column.place]
            self._decimal_marks.update({".", ","} & set(text))
            if "," in text:
                self._thousands.add(trace_columns.may_have_thousands(text))
        if len(self._decimal_marks) > 1:
            raise self._ambiguous(f"Until line {line} there are points and commas in them")

    def _ambiguous(self, why: str) -> DataError:
        return DataError(
            f"The numbers of {self._path} are ambiguous.",
            f"{why}, so that 1,234 may be about 1.2 or more than a thousand.",
            "Export the trace again, with a point as decimal mark and without separators of "
            "thousands.",
        )

    def _broken(self, line: int, why: str) -> DataError:
        return DataError(
            f"Line {line} of {self._path} cannot be read.",
            why,
            "Export the trace again, with a point as decimal separator.",
        )

    def _check_times(self, t_s: NDArray[np.float64]) -> None:
        back = np.flatnonzero(np.diff(t_s) <= 0.0)
        if back.size:
            place = int(back[0])
            raise DataError(
                f"The times of {self._path} do not increase.",
                f"Sample {place + 2} is at {t_s[place + 1]:.9g} s, after {t_s[place]:.9g} s.",
                "Export the trace in the order of time, with more digits of the time.",
            )

    def _check_power(self, watts: NDArray[np.float64]) -> None:
        mean = float(watts.mean())
        if mean < 0.0:
            raise DataError(
                f"The power of {self._path} is negative.",
                f"Its mean is {mean:.3g} W: the current was measured in the other direction.",
                "Swap the leads of the instrument or the sign of the column.",
            )
        negative = float(np.mean(watts < 0.0))
        if negative:
            self._remarks.append(
                f"{100 * negative:.2g} % of the samples are negative; they were used as they are."
            )


def _is_units(fields: Sequence[str]) -> bool:
    given = [each for each in fields if each.strip()]
    return bool(given) and all(trace_columns.unit(each) is not None for each in given)


def _value(fields: Sequence[str], column: Column, width: int) -> float:
    """Return a value in SI units; NaN for an empty field.

    Raises:
        ValueError: The field is no number, or the row has more columns than the header.
        IndexError: The row is too short.
    """
    if len(fields) > width and any(each.strip() for each in fields[width:]):
        raise ValueError(
            f"It has {len(fields)} columns and the header has {width}: its numbers may have "
            "decimal commas, which look like the commas between the columns."
        )
    if column.place >= len(fields):
        raise IndexError(f"It has {len(fields)} columns and the header has {width}.")
    text = fields[column.place]
    try:
        value: float | None = float(text)
    except ValueError:
        value = number(text) if text.strip() else math.nan
    if value is None or math.isinf(value):
        raise ValueError(f"'{text.strip()[:40]}' in the column '{column.name}' is not a number.")
    return value * column.scale
