"""Reporting on the run that a user names."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from pathlib import Path

from edgeecg import arguments, runs
from edgeecg.errors import MissingDependencyError
from edgeecg.files import write_text
from edgeecg.reporting import comparison, documents
from edgeecg.reporting.documents import RunDocuments
from edgeecg.reporting.rows import Comparison
from edgeecg.runs import RunFolder


def report(
    run: str | None = None,
    *,
    bench: Sequence[str | Path] | str | Path = (),
    html: str | Path | None = None,
) -> Comparison:
    """Compare the baseline and the compressed model of a run, and write the HTML page.

    Args:
        run: Name or path of a run; None for the newest.
        bench: Bench reports besides the run's own, e.g. of a board.
        html: Where the page is written; None for ``report.html`` in the run folder.

    Returns:
        The figures of the page: scores, sizes, measured time and energy beside the proxy.

    Raises:
        EdgeECGError: There is no such run, or a document of it is damaged.
        MissingDependencyError: The packages that draw the page are not installed.
    """
    folder = runs.newest() if run is None else runs.named(run)
    files = arguments.listed("bench", bench, "bench=['pi.json']")
    found = documents.read(folder, [Path(path) for path in files])
    compared = comparison.compare(found)
    write_page(folder, found, compared, folder.report if html is None else Path(html))
    return compared


def write_page(folder: RunFolder, found: RunDocuments, compared: Comparison, html: Path) -> None:
    """Write the HTML page of a run.

    Args:
        folder: The run.
        found: Its documents.
        compared: Its figures.
        html: Where the page is written.

    Raises:
        MissingDependencyError: The packages that draw the page are not installed.
        EdgeECGError: The page cannot be written.
    """
    with needs_packages():
        from edgeecg.reporting.html import run_page

        write_text(html, run_page.render(found, compared, folder))


@contextlib.contextmanager
def needs_packages() -> Generator[None]:
    """Name the extra to install where a package that a page needs is missing.

    Raises:
        MissingDependencyError: The packages that draw the page are not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in ("jinja2", "plotly"):
            raise
        raise MissingDependencyError(package, "report", "the HTML page") from error
