"""Tables and reports as Markdown, e.g. for a comment on a pull request."""

from __future__ import annotations

import re
from collections.abc import Sequence

from edgeecg.reporting import (
    captions,
    measured,
    proxy_agreement,
    tables,
    units,
    variant_table,
    verdict,
)
from edgeecg.reporting.comparison import headline
from edgeecg.reporting.documents import RunDocuments
from edgeecg.reporting.results import Results
from edgeecg.reporting.rows import Comparison
from edgeecg.reporting.tables import Row, Table

_MARKS = {ord(mark): f"\\{mark}" for mark in "\\`*_[]<>|&~#"}
_MENTION = re.compile(r"(?<!\w)@(?=\w)")
_IN_ADDRESS = re.compile(r"(?<=:)(?=//)|(?<=\bwww)(?=\.)", re.IGNORECASE)
_MOST_ROWS = 100


def escaped(text: str) -> str:
    """Return a text that Markdown shows as it is: no cells, links, mentions, emphasis or HTML.

    Args:
        text: The text.
    """
    plain = units.printable(text).translate(_MARKS)
    # GitHub takes mentions from the text that it shows, where a backslash is gone.
    silent = _MENTION.sub("@\N{ZERO WIDTH SPACE}", plain)
    return _IN_ADDRESS.sub(r"\\", silent)


def table(shown: Table) -> list[str]:
    """Return the lines of a table with its caption and notes.

    Args:
        shown: The table.
    """
    rule = ["---", *["---:"] * (len(shown.head) - 1)]
    return [
        f"### {escaped(shown.caption)}",
        "",
        _line(shown.head),
        _line(rule, escape=False),
        *(_line(row) for row in shown.rows),
        "",
        *(f"- {escaped(note)}" for note in shown.notes),
        "",
    ]


def _line(cells: Sequence[str], escape: bool = True) -> str:
    return f"| {' | '.join(escaped(cell) if escape else cell for cell in cells)} |"


def text(lines: Sequence[str]) -> str:
    """Return lines as the text of a file.

    Args:
        lines: The lines.
    """
    return "\n".join(lines).rstrip() + "\n"


def of_run(documents: RunDocuments, comparison: Comparison) -> str:
    """Return the report on a run: verdict, models, files, measurements, proxy.

    Args:
        documents: The documents of the run.
        comparison: The figures of the run.
    """
    card = documents.model
    lines = [f"## {escaped(f'{card.name} on {captions.title(card.data)}')}", ""]
    for sentence in verdict.of_run(comparison, headline(comparison)):
        lines += [escaped(sentence), ""]
    found = (
        tables.models(documents, comparison),
        tables.files(documents, comparison),
        measured.latency(documents, comparison),
        measured.energy(documents, comparison),
        measured.proxy_vs_measured(documents, comparison),
        proxy_agreement.table(comparison.agreement),
    )
    for each in found:
        lines += [] if each is None else table(each)
    lines += [
        f"- **{escaped(remark.subject)}**: {escaped(remark.text)}"
        for remark in (*documents.missing(), *documents.left_out)
    ]
    return text(lines)


def of_results(results: Results) -> str:
    """Return the report on many results: verdict, variants, agreement with the proxy.

    Args:
        results: The results.
    """
    lines = ["## Report", ""]
    for sentence in verdict.of_variants(results.variants, results.differences):
        lines += [escaped(sentence), ""]
    lines += table(_variants(results))
    if (agreement := proxy_agreement.table(results.agreement)) is not None:
        lines += table(agreement)
    lines += [f"- {escaped(sentence)}" for sentence in proxy_agreement.sentences(results.points)]
    lines += [f"- **{escaped(e.subject)}**: {escaped(e.text)}" for e in results.left_out]
    return text(lines)


def _variants(results: Results) -> Table:
    found = variant_table.table(results.rows, "")
    if len(found.rows) <= _MOST_ROWS:
        return found
    rows: tuple[Row, ...] = found.rows[:_MOST_ROWS]
    more = f"{len(found.rows) - _MOST_ROWS} more variants are on the page."
    return Table(found.title, found.data, found.head, rows, (more, *found.notes))
