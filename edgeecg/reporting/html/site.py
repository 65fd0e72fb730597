"""A folder of pages: an index of all results, and a page for each run or document."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from edgeecg.errors import EdgeECGError
from edgeecg.files import write_text
from edgeecg.progress import ProgressCallback, ignore
from edgeecg.reporting import comparison, documents, named_results, results as results_of
from edgeecg.reporting.html import document, results_page, run_page
from edgeecg.reporting.remarks import Remark
from edgeecg.reporting.results import Results

INDEX = "index.html"


def write(folder: Path, results: Results, on_step: ProgressCallback = ignore) -> Path:
    """Write the pages.

    Args:
        folder: Where they are written; made when missing.
        results: The results.
        on_step: Called for every page.

    Returns:
        The index.

    Raises:
        EdgeECGError: A page cannot be written.
    """
    files = _file_names(results)
    left_out = list(results.left_out)
    written: dict[str, str] = {}
    for done, (name, file) in enumerate(files.items()):
        on_step("writing pages", done, len(files) + 1)
        try:
            content = _page(name, results)
        except EdgeECGError as error:
            # Removed or changed since it was read.
            left_out.append(Remark(name, f"{error.what} {error.why}"))
            continue
        write_text(folder / file, content)
        written[name] = file
    pages = [(results.of(name), file) for name, file in written.items()]
    # The first page of each; none where it was not written.
    files_of = [[file for here, file in pages if each in here] for each in results.variants]
    shown = Results(
        results.names,
        tuple(v for v, found in zip(results.variants, files_of, strict=True) if found),
        tuple(left_out),
    )
    links = [quote(found[0]) for found in files_of if found]
    index = folder / INDEX
    write_text(index, document.render(results_page.page(shown, "Runs", links)))
    return index


def _page(name: str, results: Results) -> str:
    if results_of.is_run(name):
        folder = named_results.folder_of(name)
        if not folder.dense_only:
            found = documents.read(folder)
            return run_page.render(found, comparison.compare(found), folder)
    here = Results((name,), results.of(name))
    return document.render(results_page.page(here, Path(name).name))


def _file_names(results: Results) -> Mapping[str, str]:
    """Return a file name for each source that has variants; no two are alike, none is odd."""
    taken = {INDEX}
    found: dict[str, str] = {}
    for name in results.names:
        if not results.of(name):
            continue
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(name).name).strip("-.") or "run"
        file, n = f"{stem}.html", 2
        while file.lower() in taken:
            file, n = f"{stem}-{n}.html", n + 1
        taken.add(file.lower())
        found[name] = file
    return found
