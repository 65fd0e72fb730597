"""``edgeecg report``: measured beside proxy, baseline beside compressed, as pages and tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from edgeecg.reporting.results import Results

EXTRA = "report"


def report(
    results: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN|RESULT...]",
            help="Runs, JSON files of 'edgeecg bench', or a folder of runs; the newest run by "
            "default.",
        ),
    ] = None,
    run: Annotated[
        str | None, typer.Option("--run", help="Run to report on; the newest by default.")
    ] = None,
    bench: Annotated[
        list[Path] | None,
        typer.Option(
            "--bench",
            help="Bench file besides the run's own, e.g. of a board; may be given more than once.",
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html",
            "-o",
            "--output",
            help="Where the page goes: runs/NAME/report.html by default, report.html for several "
            "results. A folder: an index and a page for each run.",
        ),
    ] = None,
    markdown: Annotated[
        Path | None,
        typer.Option(metavar="FILE|-", help="Write Markdown; - is standard output."),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(metavar="FILE.csv", help="Write the variants as comma-separated values."),
    ] = None,
    json_path: Annotated[
        Path | None,
        typer.Option("--json", help="Write the figures as JSON; - is standard output."),
    ] = None,
) -> None:
    """Show what was gained: scores, size, measured time and energy beside the proxy.

    One run gives its whole story; several runs or bench reports give one page that compares all
    their files.
    """
    from edgeecg import runs
    from edgeecg.cli._console import emit_json, output
    from edgeecg.errors import UsageError
    from edgeecg.reporting import results as results_of

    _check(results or [], run, bench or [], table, (markdown, json_path))
    names = results or []
    folder_wanted = html is not None and (html.is_dir() or not html.suffix)
    if bench and len(names) > 1:
        raise UsageError(
            "'--bench' does not go with several results.",
            "It adds measurements to those of one run.",
            "Name the bench files as results: edgeecg report RUN BENCH.json",
        )
    if len(names) > 1 or folder_wanted or not all(map(results_of.is_run, names)):
        _many(names or [str(runs.newest().path)], html, markdown, table, json_path)
        return
    name = names[0] if names else run
    folder = runs.newest() if name is None else runs.named(name)
    from edgeecg.reporting import comparison, documents, markdown as markdown_of, terminal
    from edgeecg.reporting.run import write_page

    found = documents.read(folder, bench or ())
    compared = comparison.compare(found)
    console = output(Path("-") if Path("-") in (json_path, markdown) else None)
    terminal.show(found, compared, console)
    emit_json(json_path, compared.to_json())
    emit_json(markdown, markdown_of.of_run(found, compared))
    _write_table(table, results_of.of_documents(folder.name, found))
    target = html or folder.report
    write_page(folder, found, compared, target)
    console.print(f"Report: {target}", soft_wrap=True, markup=False)


def _check(
    names: list[str],
    run: str | None,
    bench: list[Path],
    table: Path | None,
    outputs: tuple[Path | None, Path | None],
) -> None:
    from edgeecg.errors import UsageError

    if names and run is not None:
        raise UsageError(
            "'--run' does not go with named results.",
            f"Both '{run}' and {', '.join(map(repr, names))} are named.",
            "Name the runs without an option: edgeecg report RUN [RUN...]",
        )
    if table is not None and table.suffix.lower() != ".csv":
        raise UsageError(
            f"The table '{table}' cannot be written.",
            f"Its suffix is '{table.suffix}'; comma-separated values have '.csv'.",
            "Give e.g. --table variants.csv",
        )
    if outputs == (Path("-"), Path("-")):
        raise UsageError(
            "Standard output cannot hold both documents.",
            "'--json' and '--markdown' both name it.",
            "Write one of them to a file.",
        )


def _many(
    names: list[str],
    html: Path | None,
    markdown: Path | None,
    table: Path | None,
    json_path: Path | None,
) -> None:
    """Report on several runs or documents."""
    from edgeecg.cli._console import emit_json, output, progress, shown
    from edgeecg.files import write_text
    from edgeecg.reporting import markdown as markdown_of, results as results_of
    from edgeecg.reporting.run import needs_packages

    console = output(Path("-") if Path("-") in (json_path, markdown) else None)
    with progress() as bar:
        on_step = shown(bar, "reading results")
        found = results_of.read(names, on_step)
        emit_json(json_path, results_of.values(found).to_json())
        emit_json(markdown, markdown_of.of_results(found))
        _write_table(table, found)
        target = html or Path("report.html")
        with needs_packages():
            from edgeecg.reporting.html import document, results_page, site

            if target.is_dir() or not target.suffix:
                target = site.write(target, found, on_step)
            else:
                title = f"Report on {len(found.variants)} variants"
                write_text(target, document.render(results_page.page(found, title)))
    _summary(found, console)
    console.print(f"Report: {target}", soft_wrap=True, markup=False)


def _write_table(path: Path | None, results: Results) -> None:
    from edgeecg.files import write_text
    from edgeecg.reporting import variant_rows

    if path is not None:
        write_text(path, variant_rows.as_csv(results.rows))


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
