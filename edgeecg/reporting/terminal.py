"""The report for a terminal, 80 columns wide."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from edgeecg.reporting import budgets, captions, measured, tables, units
from edgeecg.reporting.documents import RunDocuments
from edgeecg.reporting.rows import Comparison, FileRow, MeasuredRow
from edgeecg.reporting.tables import Row, Table


def show(documents: RunDocuments, comparison: Comparison, console: Console) -> None:
    """Print the models, one line per exported file, and what is missing.

    Args:
        documents: The documents of the run.
        comparison: The figures of the run.
        console: Where to print.
    """
    print_table(tables.models(documents, comparison), console)
    places = dict.fromkeys(row.measured.place if row.measured else "" for row in comparison.files)
    for place in places:
        here = [
            row for row in comparison.files if (row.measured.place if row.measured else "") == place
        ]
        overview = _overview(documents, here, place) if place else _unmeasured(documents, here)
        print_table(overview, console)
    for line in budgets.lines(documents.log, [each.manifest for each in documents.exported]):
        console.print(_safe(line), soft_wrap=True)
    for remark in (*documents.missing(), *documents.left_out):
        console.print(_safe(f"{remark.subject}: {remark.text}"), soft_wrap=True)


def _overview(documents: RunDocuments, here: list[FileRow], place: str) -> Table:
    notes = tables.Notes()
    rows = tuple(_line(row, row.measured, notes) for row in here if row.measured)
    return Table(
        title=f"Exported files, proxy against measurement on {place}",
        data=captions.test(documents.model.data),
        head=(
            "file",
            "size",
            _score_name(here),
            "p50",
            "p50 ratio",
            "proxy exec.",
            "proxy ideal",
            "net energy, measured",
        ),
        rows=rows,
        notes=(
            *notes.lines(),
            "Ratio and proxies are relative to the baseline's float32 file. 1 kB is 1000 bytes.",
        ),
    )


def _unmeasured(documents: RunDocuments, here: list[FileRow]) -> Table:
    return Table(
        title="Exported files, not measured",
        data=captions.test(documents.model.data),
        head=("file", "size", _score_name(here), "proxy exec.", "proxy ideal"),
        rows=tuple((*_start(row), *_proxies(row.proxy_executed, row.proxy_ideal)) for row in here),
        notes=tuple(dict.fromkeys(row.reason for row in here if row.reason)),
    )


def _score_name(rows: list[FileRow]) -> str:
    # With a space instead of the hyphen, the narrow column can wrap.
    return rows[0].headline.name.replace("-", " ")


def _start(row: FileRow) -> Row:
    value = row.headline.value
    tested = "not tested" if value is None else units.fraction(value)
    return row.label, units.size(row.size_bytes), tested


def _proxies(*values: float | None) -> Row:
    return tuple(units.MISSING if value is None else units.significant(value) for value in values)


def _line(row: FileRow, m: MeasuredRow, notes: tables.Notes) -> Row:
    share = units.MISSING if m.latency_ratio is None else units.significant(m.latency_ratio)
    joule = units.joules(m.energy.net_j) if m.energy.tier == "measured" else m.energy.tier
    joule += " (replayed)" if m.energy.replayed else ""
    return (
        *_start(row),
        measured.emulated(units.seconds(m.p50_s), m.emulated),
        notes.mark(share, m.latency_reason),
        *_proxies(m.proxy_executed, m.proxy_ideal),
        notes.mark(
            measured.emulated(joule, m.emulated) if m.energy.net_j else joule, m.energy.reason
        ),
    )


def print_table(table: Table, console: Console) -> None:
    """Print one table with its caption and notes; markup in its cells is not interpreted.

    Args:
        table: The table.
        console: Where to print.
    """
    console.print(_safe(table.caption), style="bold")
    drawn = RichTable(box=box.SIMPLE_HEAD, padding=0)
    for n, name in enumerate(table.head):
        # Wide enough for "not / measured"; the other columns may wrap.
        least = len("measured") if n == len(table.head) - 1 else None
        # A word that is longer than its column goes on in the next line: nothing is left out.
        drawn.add_column(
            _safe(name),
            justify="right" if n else "left",
            no_wrap=n == 0,
            min_width=least,
            overflow="fold",
        )
    for row in table.rows:
        drawn.add_row(*(_safe(cell) for cell in row))
    console.print(drawn)
    for note in table.notes:
        console.print(_safe(note), style="dim")


def _safe(text: str) -> Text:
    # A Text, so that brackets are not markup; printable, so that no name controls the terminal.
    return Text(units.printable(text))
