"""The report as one self-contained HTML page, without scripts, fonts or external images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import jinja2

from edgeecg.reporting import (
    calibrated,
    captions,
    measured,
    plots,
    provenance,
    steps_table,
    tables,
    units,
)
from edgeecg.reporting.comparison import headline
from edgeecg.reporting.documents import RunDocuments
from edgeecg.reporting.rows import Comparison, FileRow, Headline
from edgeecg.reporting.tables import Table


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
class Section:
    """One part of the page.

    Attributes:
        title: Its heading.
        tables: Its tables.
        missing: Why there is no table and which command makes it; shown without tables.
        folded: Whether the section is collapsed at first.
    """

    title: str
    tables: tuple[Table, ...]
    missing: str = ""
    folded: bool = False


def render(documents: RunDocuments, comparison: Comparison) -> str:
    """Return the page as HTML text.

    Args:
        documents: The documents of the run.
        comparison: The figures of the run.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    card = documents.model
    row = headline(comparison)
    return environment.get_template("page.html.j2").render(
        title=f"{card.name} on {captions.title(card.data)}",
        synthetic=card.data.source == "synthetic",
        data=captions.test(card.data),
        task=comparison.task,
        run=documents.name,
        notice=card.notice,
        subject=row,
        tiles=tiles(comparison, row),
        sections=sections(documents, comparison),
        figures=plots.all_figures(documents, comparison),
        missing=documents.missing(),
        left_out=documents.left_out,
    )


def sections(documents: RunDocuments, comparison: Comparison) -> list[Section]:
    """Return the sections of the page with their tables.

    Args:
        documents: The documents of the run.
        comparison: The figures of the run.
    """
    missing = {remark.subject: remark.text for remark in documents.missing()}
    cards = [card for card in (documents.baseline, documents.model) if card is not None]
    by_record = provenance.records(documents)
    measurements = missing.get("Measurements", "No exported file yet, so nothing to measure.")
    measurement_tables = _some(
        measured.proxy_vs_measured(documents, comparison),
        calibrated.predictions(documents, comparison),
        measured.latency(documents, comparison),
        measured.energy(documents, comparison),
        measured.breakdown(documents),
        measured.duty_cycle(documents),
    )
    return [
        Section("Baseline and compressed model", (tables.models(documents, comparison),)),
        Section(
            "Exported files",
            _some(tables.files(documents, comparison)),
            missing.get("Exported files", ""),
        ),
        Section("Measured on the device", measurement_tables, measurements),
        Section(
            "Compression",
            _some(steps_table.steps(documents)),
            missing.get("Compression steps", "The log has no finished step."),
        ),
        Section(
            "Test records and confusion",
            _some(by_record, *(provenance.confusion(card) for card in cards)),
            "The scores of single records are not stored.",
            folded=True,
        ),
        Section("Provenance", tuple(provenance.tables(documents)), folded=True),
    ]


def _some(*found: Table | None) -> tuple[Table, ...]:
    return tuple(table for table in found if table is not None)


def tiles(comparison: Comparison, row: FileRow | None) -> list[Tile]:
    """Return the summary: size, MACs, proxy, latency, energy and score against the baseline.

    Args:
        comparison: The figures of the run.
        row: The exported file that the summary is about, or None.
    """
    after = comparison.models[-1]
    before = comparison.models[0] if len(comparison.models) > 1 else None
    found: list[Tile] = []
    if row is not None:
        found.append(_size(comparison, row))
    if before is not None and before.macs:
        was = f"from {units.macs(before.macs)}, PyTorch models"
        found.append(Tile("MACs", units.ratio(after.macs / before.macs), was))
    if row is None:
        found.append(_score(after.headline))
        return found
    ideal = f"ideal {units.ratio(row.proxy_ideal)}; relative, not in joules"
    found.append(Tile("Proxy, executed", units.ratio(row.proxy_executed), ideal))
    found += [_latency(row), _energy(row)]
    found.append(_score(row.headline))
    return found


def _size(comparison: Comparison, row: FileRow) -> Tile:
    for other in comparison.files:
        if (other.role, other.dtype, other.format) == ("baseline", "float32", row.format):
            share = units.ratio(row.size_bytes / other.size_bytes) if other.size_bytes else ""
            return Tile(
                "File size",
                units.size(row.size_bytes),
                f"{share} of the baseline's {units.size(other.size_bytes)}",
            )
    return Tile("File size", units.size(row.size_bytes), "the baseline is not exported")


def _latency(row: FileRow) -> Tile:
    m = row.measured
    if m is None:
        return Tile("Latency p50", "not measured", row.reason or units.MISSING)
    share = (
        f"{units.ratio(m.latency_ratio)} of the baseline's"
        if m.latency_ratio is not None
        else m.latency_reason or units.MISSING
    )
    return Tile(
        "Latency p50", measured.emulated(units.seconds(m.p50_s), m.emulated), f"{share}, {m.place}"
    )


def _energy(row: FileRow) -> Tile:
    m = row.measured
    if m is None:
        return Tile("Energy", "not measured", row.reason or units.MISSING)
    if m.energy.tier != "measured":
        # The first sentence only; the whole reason is below the energy table.
        why = (m.energy.reason or units.MISSING).partition(". ")[0]
        return Tile("Energy", m.energy.tier, f"{why.removesuffix('.')}.")
    tag = " (replayed)" if m.energy.replayed else ""
    share = (
        f"{units.ratio(m.energy_ratio)} of the baseline's"
        if m.energy_ratio is not None
        else m.energy_reason or units.MISSING
    )
    return Tile(
        "Energy, net",
        measured.emulated(units.joules(m.energy.net_j), m.emulated),
        f"{share}, {m.energy.meter}{tag}",
    )


def _score(score: Headline) -> Tile:
    name = score.name[0].upper() + score.name[1:]
    if score.value is None:
        return Tile(name, "not tested", "This file was not scored.")
    if score.change is None:
        return Tile(name, units.fraction(score.value), "no baseline to compare with")
    spread = tables.change(score.change, score.ci95)
    return Tile(name, units.fraction(score.value), f"change {spread}")
