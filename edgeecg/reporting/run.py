"""Reporting on the run that a user names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgeecg import runs
from edgeecg.errors import MissingDependencyError
from edgeecg.files import write_text
from edgeecg.reporting import comparison, documents
from edgeecg.reporting.documents import RunDocuments
from edgeecg.reporting.rows import Comparison


def report(
    run: str | None = None,
    *,
    bench: Sequence[str | Path] = (),
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
    found = documents.read(folder, [Path(path) for path in bench])
    compared = comparison.compare(found)
    write_page(found, compared, folder.report if html is None else Path(html))
    return compared


def write_page(found: RunDocuments, compared: Comparison, html: Path) -> None:
    """Write the HTML page of a run.

    Args:
        found: The documents of the run.
        compared: Its figures.
        html: Where the page is written.

    Raises:
        MissingDependencyError: The packages that draw the page are not installed.
        EdgeECGError: The page cannot be written.
    """
    try:
        from edgeecg.reporting import page
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in ("jinja2", "matplotlib"):
            raise
        raise MissingDependencyError(package, "report", "the HTML page") from error
    write_text(html, page.render(found, compared))
