"""The page of one run."""

from __future__ import annotations

from collections.abc import Sequence

from edgeecg.reporting import (
    calibrated,
    captions,
    changed_windows,
    layer_rows,
    measured,
    provenance,
    proxy_agreement,
    removed_table,
    steps_table,
    tables,
    variants as variants_of,
    verdict,
)
from edgeecg.reporting.changed_windows import ChangedWindows
from edgeecg.reporting.comparison import headline
from edgeecg.reporting.documents import RunDocuments
from edgeecg.reporting.html import (
    battery_section,
    changed_beats,
    classes,
    layers,
    panels,
    pareto,
    proxy_figure,
    tiles,
    training_curves,
)
from edgeecg.reporting.html.document import Page, Section, render as render_page
from edgeecg.reporting.html.figure import Figure
from edgeecg.reporting.rows import Comparison
from edgeecg.reporting.tables import Table
from edgeecg.reporting.variants import Variant
from edgeecg.runs import RunFolder

_BEATS = (
    "A change of macro-F1 is given with its 95 % interval (paired bootstrap over the test "
    "records). If it lies within 0.01 of 0, the change is a tie; if it contains 0 otherwise, the "
    "change is not resolved. "
)
_RECORDS = (
    "The tables give scores with their 95 % intervals (bootstrap over patients); changes inside "
    "these intervals are not resolved. "
)
_PROXY = "The proxy is a count relative to the baseline; it is not a measurement and has no unit."
_SYNTHETIC = (
    "Synthetic data. Every figure on this page comes from generated records. The scores do not "
    "apply to patients."
)


def render(documents: RunDocuments, comparison: Comparison, folder: RunFolder | None = None) -> str:
    """Return the page as HTML text.

    Args:
        documents: The documents of the run.
        comparison: The figures of the run.
        folder: The run, whose probe sets show beats with another class; None for none.
    """
    return render_page(page(documents, comparison, folder))


def page(documents: RunDocuments, comparison: Comparison, folder: RunFolder | None = None) -> Page:
    """Return the page.

    Args:
        documents: The documents of the run.
        comparison: The figures of the run.
        folder: The run, whose probe sets show beats with another class; None for none.
    """
    card, row = documents.model, headline(comparison)
    found = variants_of.of_run(documents.name, documents)
    changes = [verdict.score_change(each) for each in found]
    subject = ""
    if row is not None:
        where = f", measured on {row.measured.place}" if row.measured else ""
        subject = f"{row.file} against the baseline{where}."
        if row.measured and any(m.report.warnings for m in documents.measurements):
            subject += " The measurement has warnings; they are below the table of latencies."
    return Page(
        title=f"{card.name} on {captions.title(card.data)}",
        lines=(f"Run {documents.name}. Scores: {captions.test(card.data)}.", card.notice),
        verdict=(
            *verdict.of_run(comparison, row),
            *verdict.of_classes(documents.baseline and documents.baseline.test, card.test),
        ),
        sections=tuple(_sections(documents, comparison, found, folder)),
        tiles=tuple(tiles.tiles(comparison, row)),
        subject=subject,
        warning=_SYNTHETIC if card.data.source == "synthetic" else "",
        remarks=tuple(documents.missing()),
        left_out=documents.left_out,
        panels=panels.panels(found, changes, captions.synthetic_only(card.data)),
        note=(_BEATS if comparison.task == "beats" else _RECORDS) + _PROXY,
        footer=card.notice,
    )


def _sections(
    documents: RunDocuments,
    comparison: Comparison,
    found: Sequence[Variant],
    folder: RunFolder | None,
) -> list[Section]:
    """Return the sections of the page, in order."""
    missing = {remark.subject: remark.text for remark in documents.missing()}
    data = captions.synthetic_only(documents.model.data)
    return [
        Section("Is it still good enough?", (tables.models(documents, comparison),)),
        _costs(documents, comparison, found, missing),
        _proxy(documents, comparison, found, data),
        _layers(documents, found, data),
        _classes(documents, folder, data),
        Section(
            "Training and compression",
            _some(steps_table.steps(documents)),
            tuple(
                each
                for each in (training_curves.steps(documents), training_curves.losses(documents))
                if each is not None
            ),
            missing=missing.get("Compression steps", "The log has no finished step."),
        ),
        battery_section.section([v.subject for v in found], documents.shell_name, data),
        _next(documents, comparison),
        Section("Everything to repeat it", tuple(provenance.tables(documents)), folded=True),
    ]


def _some(*found: Table | None) -> tuple[Table, ...]:
    return tuple(table for table in found if table is not None)


def _costs(
    documents: RunDocuments,
    comparison: Comparison,
    found: Sequence[Variant],
    missing: dict[str, str],
) -> Section:
    title = "How much faster, smaller, leaner?"
    if not comparison.files:
        return Section(title, missing=missing.get("Exported files", ""))
    unmeasured = missing.get("Measurements")
    return Section(
        title,
        _some(
            tables.files(documents, comparison),
            measured.latency(documents, comparison),
            measured.energy(documents, comparison),
            measured.breakdown(documents),
            measured.duty_cycle(documents),
        ),
        pareto.figures(list(enumerate(found)), captions.test(documents.model.data)),
        paragraphs=(
            *(() if unmeasured is None else (f"Measurements: {unmeasured}",)),
            *pareto.interval_note(found),
        ),
    )


def _proxy(
    documents: RunDocuments, comparison: Comparison, found: Sequence[Variant], data: str
) -> Section:
    points = proxy_agreement.points(found)
    rows = proxy_agreement.rows(points)
    nothing = "No exported file yet, so nothing to measure."
    if comparison.files:
        nothing = (
            "Not measured: no file was measured beside its dense float32 file. "
            f"Run: {documents.to_measure}"
        )
    return Section(
        "Did the proxy tell the truth?",
        _some(
            proxy_agreement.table(rows, data),
            measured.proxy_vs_measured(documents, comparison),
            calibrated.predictions(documents, comparison),
        ),
        proxy_figure.figures(points, rows, data),
        proxy_agreement.sentences(points),
        nothing,
    )


def _layers(documents: RunDocuments, found: Sequence[Variant], data: str) -> Section:
    """Return what was removed, and the layers of each compressed file once for all its setups."""
    seen: set[str] = set()
    figures: list[Figure] = []
    made: list[Table] = []
    for variant in found:
        before = variant.dense
        if before is None or variant.subject.label in seen:
            continue
        seen.add(variant.subject.label)
        figures += layers.figures(before, variant, data)
        made += _some(layer_rows.table(before, variant, data))
    return Section(
        "Layer by layer, before and after",
        _some(removed_table.table(documents, data)),
        tuple(figures),
        missing="A dense and a compressed file of one format are needed. "
        f"Run: {documents.to_export}",
        folded_tables=tuple(made),
    )


def _classes(documents: RunDocuments, folder: RunFolder | None, data: str) -> Section:
    names, test = documents.model.classes, captions.test(documents.model.data)
    figures: list[Figure | None] = [*training_curves.classes(documents)]
    for card in (documents.baseline, documents.model):
        if card is not None:
            figures.append(classes.confusion(f"{card.role} model", card.test, names, test))
    changed = _changed(documents, folder)
    if isinstance(changed, ChangedWindows):
        figures += changed_beats.figures(changed, data)
    return Section(
        "Class by class, record by record",
        _some(classes.worst_records(documents), provenance.records(documents)),
        tuple(each for each in figures if each is not None),
        (changed_beats.sentence(changed),)
        if isinstance(changed, ChangedWindows)
        else (f"Beats whose class changed: not known. {changed}",),
        "The scores of single records are not stored.",
    )


def _changed(documents: RunDocuments, folder: RunFolder | None) -> ChangedWindows | str:
    if folder is None:
        return "The run folder was not given."
    return changed_windows.find(folder, documents)


def _next(documents: RunDocuments, comparison: Comparison) -> Section:
    name = documents.shell_name
    lines: list[str] = []
    measured_files = [each for each in comparison.files if each.measured is not None]
    if not comparison.files:
        lines.append(f"Export it: {documents.to_export}")
    elif not measured_files:
        lines.append(f"Measure it: {documents.to_measure}")
    elif not any(m.measured and m.measured.energy.tier == "measured" for m in measured_files):
        lines.append("Measure its energy with a meter: edgeecg meters lists those found here.")
    if measured_files:
        board = "--on pi@raspberrypi.local"
        lines.append(f"Measure it on a board: {documents.to_measure} {board}")
    lines.append(f"Compare it with another run: edgeecg compare OTHER {name}")
    return Section("What next?", paragraphs=tuple(lines))
