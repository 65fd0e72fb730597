"""The page of many results: files of runs and of bench reports."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from edgeecg.files import write_text
from edgeecg.progress import ProgressCallback, ignore
from edgeecg.reporting import captions, provenance, proxy_agreement, variant_table, verdict
from edgeecg.reporting.html import (
    battery_section,
    classes,
    document,
    panels,
    pareto,
    proxy_figure,
)
from edgeecg.reporting.html.document import DataTable, Page, Section
from edgeecg.reporting.html.figure import Figure
from edgeecg.reporting.remarks import Remark
from edgeecg.reporting.results import Results
from edgeecg.reporting.tables import Table
from edgeecg.reporting.variants import Variant

_MOST_MATRICES = 6
_MOST_NAMES = 12
_SYNTHETIC = "Some scores come from generated records and do not apply to patients."
_NOTICE = "For research; the scores say nothing about a single patient."


def write(path: Path, results: Results, on_step: ProgressCallback = ignore) -> None:
    """Write the page of several results to a file.

    Args:
        path: The file to write.
        results: The results.
        on_step: Called while the page is made.

    Raises:
        EdgeECGError: The file cannot be written.
    """
    on_step("drawing the figures", 0, 2)
    made = page(results, f"Report on {len(results.variants)} variants")
    on_step("writing the page", 1, 2)
    write_text(path, document.render(made))


def page(results: Results, title: str, links: Sequence[str] = ()) -> Page:
    """Return the page.

    Args:
        results: The results.
        title: Its title.
        links: The page of each variant; empty for none.
    """
    found, differences = results.variants, results.differences
    sets = _sets(found)
    synthetic = any(v.subject.scores and v.subject.scores.data == "synthetic" for v in found)
    names = results.names[:_MOST_NAMES]
    more = ", …" if len(results.names) > _MOST_NAMES else ""
    return Page(
        title=title,
        lines=(f"{len(found)} variants; sources: {', '.join(names)}{more}.",),
        verdict=verdict.of_variants(found, differences),
        sections=(
            Section("Is it still good enough?", listing=_listing(results, links)),
            _costs(found, sets),
            _proxy(results),
            _classes(found),
            battery_section.section([v.subject for v in found], _shown(results.names[:1]), ""),
            _next(results.names),
            Section(
                "Everything to repeat it",
                _bench(found),
                missing="Nothing was measured.",
                folded=True,
            ),
        ),
        warning=_SYNTHETIC if synthetic else "",
        remarks=_mixed(sets),
        left_out=results.left_out,
        panels=panels.panels(found, differences, ""),
        footer=_NOTICE,
    )


def _costs(found: Sequence[Variant], sets: dict[str, list[tuple[int, Variant]]]) -> Section:
    figures: list[Figure] = []
    for name, keyed in sets.items():
        figures += pareto.figures(keyed, name)
    return Section(
        "How much faster, smaller, leaner?",
        figures=tuple(figures),
        paragraphs=(*_energy_reasons(found), *pareto.interval_note(found)),
        missing="Two scored variants of one data set are needed for a figure.",
    )


def _proxy(results: Results) -> Section:
    points, rows = results.points, results.agreement
    return Section(
        "Did the proxy tell the truth?",
        _some(proxy_agreement.table(rows)),
        proxy_figure.figures(points, rows, ""),
        proxy_agreement.sentences(points),
        "Not measured: no file was measured beside its dense float32 file in one call.",
    )


def _listing(results: Results, links: Sequence[str]) -> DataTable:
    return DataTable(
        variant_table.table(results.rows, _data(results.variants)),
        tuple(map(variant_table.numbers, results.rows)),
        tuple(range(len(results.variants))),
        tuple(links),
    )


def _some(*found: Table | None) -> tuple[Table, ...]:
    return tuple(table for table in found if table is not None)


def _sets(found: Sequence[Variant]) -> dict[str, list[tuple[int, Variant]]]:
    """Return the variants by the data set and score, which alone can be compared."""
    sets: dict[str, list[tuple[int, Variant]]] = {}
    for key, variant in enumerate(found):
        scores = variant.subject.scores
        if scores is not None:
            name = f"{captions.source_title(scores.data)}, {scores.n:,} {scores.task}"
            sets.setdefault(name, []).append((key, variant))
    return sets


def _data(found: Sequence[Variant]) -> str:
    names = dict.fromkeys(
        captions.source_title(v.subject.scores.data) for v in found if v.subject.scores
    )
    return ", ".join(names)


def _mixed(sets: dict[str, list[tuple[int, Variant]]]) -> tuple[Remark, ...]:
    if len(sets) < 2:
        return ()
    text = (
        f"The scores are of {len(sets)} test sets ({'; '.join(sets)}). They are not compared with "
        "each other, and each has figures of its own."
    )
    return (Remark("Mixed data", text),)


def _energy_reasons(found: Sequence[Variant]) -> tuple[str, ...]:
    """Return why there is no figure of the energy, each reason once."""
    results = [v.subject.result for v in found if v.subject.result is not None]
    if any(each.energy.tier == "measured" for each in results):
        return ()
    if not results:
        reasons = dict.fromkeys(v.subject.unmeasured for v in found)
        return tuple(f"Latency and energy: {reason}" for reason in tuple(reasons)[:4])
    reasons = dict.fromkeys(f"Net energy {r.energy.tier}: {r.energy.reason}" for r in results)
    return tuple(reasons)[:4]


def _classes(found: Sequence[Variant]) -> Section:
    figures: list[Figure] = []
    for variant in found:
        scores = variant.subject.scores
        if scores is not None and len(figures) < _MOST_MATRICES:
            name = tuple(scores.per_class)
            figure = classes.confusion(variant.subject.name, scores, name, "")
            figures += [] if figure is None else [figure]
    more = len(found) - len(figures)
    text = (f"The first {len(figures)} files; the classes of each are shown where it is selected.",)
    return Section(
        "Class by class",
        figures=tuple(figures),
        paragraphs=text if figures and more > 0 else (),
        missing="Recall and AUROC of each class are shown where a variant is selected.",
    )


def _shown(names: Sequence[str]) -> str:
    return shlex.join([*names])


def _next(names: Sequence[str]) -> Section:
    shown = _shown(names[:3])
    lines = [f"For scripts: edgeecg report {shown} --table variants.csv --json report.json"]
    if len(names) > 1:
        lines.insert(0, f"Which differences are real: edgeecg compare {shown}")
    return Section("What next?", paragraphs=tuple(lines))


def _bench(found: Sequence[Variant]) -> tuple[Table, ...]:
    """Return a table for each bench report and setup."""
    made: dict[tuple[str, str], Table] = {}
    for variant in found:
        result, report = variant.subject.result, variant.subject.report
        if result is not None and report is not None:
            key = (report.created_utc + variant.subject.source, variant.place)
            if key not in made:
                made[key] = provenance.bench_table(
                    result, report, variant.subject.source, variant.place
                )
    return tuple(made.values())[:40]
