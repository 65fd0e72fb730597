"""``edgeecg report``: measured beside proxy, baseline beside compressed, as pages and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from edgeecg.reporting.results import Results

EXTRA = "report"

_STANDARD_OUTPUT = Path("-")

_Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="RUN|RESULT",
        help="Runs, JSON files of 'edgeecg bench', or a folder of runs; RESULT#LABEL is one of its "
        "files. The newest run by default.",
    ),
]
_Run = Annotated[str | None, typer.Option("--run", help="Run to report on; the newest by default.")]
_Bench = Annotated[
    list[Path] | None,
    typer.Option(
        "--bench",
        help="Bench file besides the run's own, e.g. of a board; may be given more than once.",
    ),
]
_Page = Annotated[
    Path | None,
    typer.Option(
        "--html",
        "-o",
        "--output",
        help="Where the page goes: runs/NAME/report.html by default, report.html for several "
        "results. A folder: an index and a page for each run.",
    ),
]
_Markdown = Annotated[
    Path | None, typer.Option(metavar="FILE|-", help="Write Markdown; - is standard output.")
]
_Table = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.csv|FILE.parquet", help="Write a row for each file, as CSV or Parquet."
    ),
]
_Json = Annotated[
    Path | None, typer.Option("--json", help="Write the figures as JSON; - is standard output.")
]


@dataclass(frozen=True)
class _Outputs:
    """Where a report is written; None for nowhere, or for the usual place of the page.

    Attributes:
        page: The page, or the folder of several.
        markdown: Its tables as Markdown.
        table: A row for each file.
        json: Its figures as JSON.
    """

    page: Path | None
    markdown: Path | None
    table: Path | None
    json: Path | None

    @property
    def folder_wanted(self) -> bool:
        """Whether the page is to be a folder of pages."""
        return self.page is not None and (self.page.is_dir() or not self.page.suffix)

    def console(self) -> Console:
        """Return where sentences go: not to standard output where a document goes there."""
        from edgeecg.cli._console import output

        taken = _STANDARD_OUTPUT in (self.json, self.markdown)
        return output(_STANDARD_OUTPUT if taken else None)


def report(
    results: _Names = None,
    run: _Run = None,
    bench: _Bench = None,
    html: _Page = None,
    markdown: _Markdown = None,
    table: _Table = None,
    json_path: _Json = None,
) -> None:
    """Show measured time and energy beside the proxy.

    One run gives its whole story; several runs or bench reports give one page that compares all
    their files.
    """
    from edgeecg import runs
    from edgeecg.cli._console import refuse_unwritable
    from edgeecg.reporting import results as results_of

    outputs = _Outputs(html, markdown, table, json_path)
    names, added = results or [], bench or []
    _check(names, run, outputs)
    refuse_unwritable(None if outputs.folder_wanted else html, markdown, table, json_path)
    one_named = run is not None or (len(names) < 2 and all(map(results_of.is_run, names)))
    names = names or ([] if run is None else [run])
    if one_named and not outputs.folder_wanted and not _is_measured_dense(names[:1]):
        _one(names[0] if names else None, added, outputs)
        return
    _refuse_bench(added)
    _many(names or [str(runs.newest().path)], outputs)


def _is_measured_dense(names: Sequence[str]) -> bool:
    """Whether the run that is named holds a dense model, without a compression to tell of.

    Its measured files are compared like several results.
    """
    from edgeecg import runs

    folders = [runs.exportable(name) for name in names]
    return any(folder.dense_only and folder.bench_files() for folder in folders)


def _check(names: Sequence[str], run: str | None, outputs: _Outputs) -> None:
    """Refuse options that do not fit together, before anything is read."""
    from edgeecg.errors import UsageError
    from edgeecg.reporting import variant_file

    if names and run is not None:
        raise UsageError(
            "'--run' does not go with named results.",
            f"Both '{run}' and {', '.join(map(repr, names))} are named.",
            "Name the runs without an option: edgeecg report RUN [RUN...]",
        )
    if outputs.table is not None:
        variant_file.check(outputs.table)
    if outputs.json == outputs.markdown == _STANDARD_OUTPUT:
        raise UsageError(
            "Standard output cannot hold both documents.",
            "'--json' and '--markdown' both name it.",
            "Write one of them to a file.",
        )


def _refuse_bench(bench: Sequence[Path]) -> None:
    from edgeecg.errors import UsageError

    if bench:
        raise UsageError(
            "'--bench' does not go with several results.",
            "It adds measurements to those of one run.",
            "Name the bench files as results: edgeecg report RUN BENCH.json",
        )


def _one(name: str | None, bench: Sequence[Path], outputs: _Outputs) -> None:
    """Report on one run.

    Args:
        name: The run; None for the newest.
        bench: Bench files besides its own.
        outputs: Where the report is written.
    """
    from edgeecg import runs
    from edgeecg.cli._console import emit_json
    from edgeecg.reporting import comparison, documents, markdown, results as results_of, terminal
    from edgeecg.reporting.run import write_page

    folder = runs.newest() if name is None else runs.named(name)
    found = documents.read(folder, bench)
    compared = comparison.compare(found)
    console = outputs.console()
    terminal.show(found, compared, console)
    emit_json(outputs.json, compared.to_json())
    emit_json(outputs.markdown, markdown.of_run(found, compared))
    _write_table(outputs.table, results_of.of_documents(folder.name, found))
    page = outputs.page or folder.report
    write_page(folder, found, compared, page)
    console.print(f"Report: {page}", soft_wrap=True, markup=False)


def _many(names: Sequence[str], outputs: _Outputs) -> None:
    """Report on several runs or documents.

    Args:
        names: What the user named.
        outputs: Where the report is written.
    """
    from edgeecg.cli._console import emit_json, progress, shown
    from edgeecg.reporting import markdown, results as results_of
    from edgeecg.reporting.run import needs_packages

    with progress() as bar:
        on_step = shown(bar, "reading results")
        found = results_of.read(names, on_step)
        emit_json(outputs.json, results_of.values(found).to_json())
        emit_json(outputs.markdown, markdown.of_results(found))
        _write_table(outputs.table, found)
        page = outputs.page or Path("report.html")
        with needs_packages():
            from edgeecg.reporting.html import results_page, site

            if outputs.folder_wanted:
                page = site.write(page, found, on_step)
            else:
                results_page.write(page, found, on_step)
    console = outputs.console()
    _summary(found, console)
    console.print(f"Report: {page}", soft_wrap=True, markup=False)


def _write_table(path: Path | None, results: Results) -> None:
    from edgeecg.reporting import variant_file

    if path is not None:
        variant_file.write(path, results.rows)


def _summary(found: Results, console: Console) -> None:
    """Print the verdict, the agreement with the proxy, and what could not be read."""
    from edgeecg.reporting import proxy_agreement, units, verdict
    from edgeecg.reporting.terminal import print_table

    for sentence in verdict.of_variants(found.variants, found.differences):
        console.print(units.printable(sentence), soft_wrap=True, markup=False)
    if (agreement := proxy_agreement.table(found.agreement)) is not None:
        print_table(agreement, console)
    for remark in found.left_out:
        line = units.printable(f"{remark.subject}: {remark.text}")
        console.print(line, soft_wrap=True, markup=False)
