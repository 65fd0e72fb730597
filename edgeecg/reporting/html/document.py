"""Rendering a page: tables, figures and text to one HTML file that loads nothing."""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import plotly

from edgeecg.reporting.html.figure import Figure
from edgeecg.reporting.remarks import Remark
from edgeecg.reporting.tables import Table


@dataclass(frozen=True)
class Panel:
    """What the page shows of one variant while it is selected.

    Attributes:
        key: Number of the variant.
        title: Its name.
        rows: What is known of it: name and value.
        figures: Figures about it alone.
    """

    key: int
    title: str
    rows: tuple[tuple[str, str], ...]
    figures: tuple[Figure, ...] = ()


@dataclass(frozen=True)
class DataTable:
    """A table that can be sorted and filtered.

    Attributes:
        table: The cells.
        values: The number of each cell to sort by; None for a cell without one.
        variants: The variant that each row selects; empty for none.
        links: The page that each row leads to; empty for none.
    """

    table: Table
    values: tuple[tuple[float | None, ...], ...]
    variants: tuple[int, ...] = ()
    links: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """One part of the page.

    Attributes:
        title: Its heading.
        tables: Its tables.
        figures: Its figures, before the tables.
        paragraphs: Its text, before the figures.
        missing: Why it is empty and which command changes that; shown without tables and figures.
        folded: Whether the section is collapsed at first.
        listing: A table that can be sorted and filtered.
        folded_tables: More tables, each collapsed at first.
    """

    title: str
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    paragraphs: tuple[str, ...] = ()
    missing: str = ""
    folded: bool = False
    listing: DataTable | None = None
    folded_tables: tuple[Table, ...] = ()


@dataclass(frozen=True)
class Tile:
    """One number of the summary.

    Attributes:
        name: What it is.
        value: The number as text.
        detail: What it is compared with, or why it is missing.
    """

    name: str
    value: str
    detail: str


@dataclass(frozen=True)
class Page:
    """One page.

    Attributes:
        title: Its title.
        lines: What it is about: runs, scores, notices.
        verdict: The summary in a sentence or two.
        sections: Its parts, in order.
        tiles: The numbers of the summary.
        subject: What the numbers are about.
        warning: What holds for every figure, e.g. that the data is synthetic.
        remarks: What is missing.
        left_out: What was found and not used.
        panels: What is shown of a selected variant.
        note: How to read the summary.
        footer: What applies to the whole page.
    """

    title: str
    lines: tuple[str, ...]
    verdict: tuple[str, ...]
    sections: tuple[Section, ...]
    tiles: tuple[Tile, ...] = ()
    subject: str = ""
    warning: str = ""
    remarks: tuple[Remark, ...] = ()
    left_out: tuple[Remark, ...] = ()
    panels: tuple[Panel, ...] = ()
    note: str = ""
    footer: str = ""


def render(page: Page) -> str:
    """Return a page as HTML text.

    Args:
        page: The page.
    """
    numbered: list[Figure] = []

    def number(figure: Figure) -> int:
        numbered.append(figure)
        return len(numbered) - 1

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    drawn = any(True for _ in _figures(page))
    library, digest = _plotly() if drawn else ("", "")

    def packed_figures() -> str:
        # Called at the end of the template, when every figure has its number.
        return _packed(_as_json(numbered))

    script = _own("page.js")
    body = environment.get_template("page.html.j2").render(
        page=page,
        number=number,
        packed_figures=packed_figures,
        library=library,
        script=script,
        style=_own("page.css"),
        hashes=[_hash(script), *([digest] if drawn else [])],
    )
    # Half a character pair cannot be written; a replacement can.
    return body.encode("utf-8", "replace").decode("utf-8")


def _figures(page: Page) -> Iterator[Figure]:
    parts: Sequence[Section | Panel] = (*page.sections, *page.panels)
    for part in parts:
        yield from part.figures


def _as_json(figures: Sequence[Figure]) -> str:
    values: list[dict[str, Any]] = [
        {"data": each.traces, "layout": each.layout, "height": each.height_px} for each in figures
    ]
    return json.dumps(values, allow_nan=False, separators=(",", ":"))


def _packed(text: str) -> str:
    """Return a text compressed and in letters, which the page unpacks: it holds no markup."""
    return base64.b64encode(gzip.compress(text.encode("utf-8"), 9, mtime=0)).decode("ascii")


@functools.cache
def _plotly() -> tuple[str, str]:
    """Return Plotly's code, packed for the page, and the hash that lets the page run it."""
    path = resources.files(plotly) / "package_data" / "plotly.min.js"
    # The text that a browser sees: it reads a carriage return as a line feed.
    code = path.read_bytes().decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    return _packed(code), _hash(code)


def _own(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _hash(code: str) -> str:
    digest = hashlib.sha256(code.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
