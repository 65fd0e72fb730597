"""Tables with a row for each file: its name, and figures that align to the right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table

from edgeecg.reporting.prediction import Prediction
from edgeecg.schema import BenchResult

ABSENT = "-"
"""The cell of a figure that is unknown."""


@dataclass(frozen=True)
class Row:
    """One file.

    Attributes:
        name: What it is called.
        result: What was measured.
        prediction: Its ratios to its reference, and the proxy.
    """

    name: str
    result: BenchResult
    prediction: Prediction


@dataclass(frozen=True)
class Column:
    """One column; it is left out when it has no figure for any file.

    Attributes:
        heading: Its heading.
        cell: Returns the cell of a file.
    """

    heading: str
    cell: Callable[[Row], str]


def show(title: str, rows: Sequence[Row], columns: Sequence[Column], console: Console) -> None:
    """Print a table; nothing when no column has a figure."""
    shown = [each for each in columns if any(each.cell(row) != ABSENT for row in rows)]
    if not shown:
        return
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    # The names may use all the space that the figures leave.
    table.add_column("file", overflow="fold")
    for column in shown:
        table.add_column(column.heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(row.name, *(column.cell(row) for column in shown))
    console.print(table)


def plain(text: str) -> str:
    """Return a text with ordinary spaces, at which a terminal may break it."""
    return text.replace("\N{NO-BREAK SPACE}", " ")


def ratio(value: float | None) -> str:
    """Return a ratio with three decimals."""
    return ABSENT if value is None else f"{value:.3f}"
