"""The numbers in the summary of a run's page."""

from __future__ import annotations

from edgeecg.reporting import measured, tables, units
from edgeecg.reporting.html.document import Tile
from edgeecg.reporting.rows import Comparison, FileRow, Headline


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
        "Net energy, measured",
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
