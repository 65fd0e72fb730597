"""The tables of measurements: latency and memory, energy, and proxy against measurement."""

from __future__ import annotations

from collections.abc import Iterable

from edgeecg.reporting import captions, units
from edgeecg.reporting.documents import RunDocuments
from edgeecg.reporting.rows import Comparison, FileRow, MeasuredRow
from edgeecg.reporting.tables import Notes, Row, Table, agreement
from edgeecg.schema import Energy, Latency


def _measured(comparison: Comparison) -> list[tuple[FileRow, MeasuredRow]]:
    return [(row, row.measured) for row in comparison.files if row.measured is not None]


def replayed(by_replay: bool) -> str:
    """Return the mark of an energy that a meter did not measure on this device, or nothing.

    Args:
        by_replay: Whether the values of the meter were a recording or a simulation.
    """
    return " (replayed)" if by_replay else ""


def emulated(text: str, by_emulator: bool) -> str:
    """Return a figure, marked as emulated if it is.

    Args:
        text: The figure.
        by_emulator: Whether it was measured in an emulator.
    """
    return f"{text} emulated" if by_emulator else text


def latency(documents: RunDocuments, comparison: Comparison) -> Table | None:
    """Return the table of latency, memory and parity; None without measurements."""
    measured = _measured(comparison)
    if not measured:
        return None
    notes = Notes()
    rows: list[Row] = [
        (
            row.label,
            m.place,
            *(
                emulated(units.seconds(t), m.emulated)
                for t in (m.p50_s, m.p90_s, m.p99_s, m.first_s)
            ),
            units.count(m.n),
            notes.mark(_or_not_measured(m.peak_rss_bytes), m.memory_reason),
            notes.mark(agreement(m.label_agreement, m.probe_n), m.parity_reason),
        )
        for row, m in measured
    ]
    rows += [
        (row.label, notes.mark("not measured", row.reason), *((units.DASH,) * 7))
        for row in comparison.files
        if row.measured is None
    ]
    return Table(
        title="Latency of one inference, batch 1, and memory",
        data=captions.synthetic_only(documents.model.data),
        head=("file", "where", "p50", "p90", "p99", "first", "runs", "peak RSS",
              "same label as PyTorch"),
        rows=tuple(rows),
        notes=(
            *notes.lines(),
            "Time of the invoke call alone, after a warm-up. Peak RSS includes interpreter, "
            "runtime and model.",
            *_suites(documents),
            *_warnings(documents),
            *_emulation_note(measured),
        ),
    )  # fmt: skip


def _or_not_measured(value: int | None) -> str:
    return "not measured" if value is None else units.size(value)


def _suites(documents: RunDocuments) -> list[str]:
    suites = (m.report.suite for m in documents.measurements)
    return list(dict.fromkeys(f"Suite {suite.name}: {suite.description}" for suite in suites))


def _warnings(documents: RunDocuments) -> list[str]:
    """Return what may have disturbed a measurement, with the bench report that says so."""
    found = (
        f"Warning ({m.source}): {warning}"
        for m in documents.measurements
        for warning in m.report.warnings
    )
    return list(dict.fromkeys(found))


def _emulation_note(measured: Iterable[tuple[FileRow, MeasuredRow]]) -> tuple[str, ...]:
    if any(m.emulated for _, m in measured):
        return ("Emulated: these times are from an emulator and not from the board.",)
    return ()


def energy(documents: RunDocuments, comparison: Comparison) -> Table | None:
    """Return the table of measured energy, or of the reasons; None without measurements."""
    measured = _measured(comparison)
    if not measured:
        return None
    notes = Notes()
    rows: list[Row] = []
    for row, m in measured:
        e = m.energy
        if e.tier == "not measured":
            cell = notes.mark("not measured", e.reason)
            rows.append((row.label, m.place, cell, *((units.DASH,) * 5)))
            continue
        tag = replayed(e.replayed)
        net = units.joules(e.net_j) if e.tier == "measured" else "not resolved"
        rows.append(
            (
                row.label,
                m.place,
                emulated(notes.mark(net + tag, e.reason), m.emulated),
                _joule_interval(e.ci95_j) if e.tier == "measured" else units.DASH,
                _known(units.joules(e.gross_j), e.gross_j),
                _known(units.watts(e.idle_w), e.idle_w),
                _known(units.joules(e.detection_limit_j), e.detection_limit_j),
                f"{e.meter or units.MISSING}{tag}: {', '.join(e.zones) or 'one zone'}",
            )
        )
    return Table(
        title="Measured energy of one inference",
        data=captions.synthetic_only(documents.model.data),
        head=("file", "where", "net", "95 % interval", "gross", "idle power", "detection limit",
              "meter"),
        rows=tuple(rows),
        notes=(
            *notes.lines(),
            "Net: without the idle power. Not resolved: below twice the detection limit.",
            *_replay_note(measured),
            *_emulation_note(measured),
        ),
    )  # fmt: skip


def _replay_note(measured: Iterable[tuple[FileRow, MeasuredRow]]) -> tuple[str, ...]:
    if any(m.energy.replayed for _, m in measured):
        return ("Replayed: recorded or simulated values, not measured on this device.",)
    return ()


def _known(text: str, value: float | None) -> str:
    return units.DASH if value is None else text


def _joule_interval(bounds: tuple[float, float] | None) -> str:
    if bounds is None:
        return units.MISSING
    return f"{units.joules(bounds[0])} to {units.joules(bounds[1])}"


def proxy_vs_measured(documents: RunDocuments, comparison: Comparison) -> Table | None:
    """Return the table of the proxy against the measurement; None without measurements."""
    measured = _measured(comparison)
    if not measured:
        return None
    notes = Notes()
    rows: list[Row] = []
    for row, m in measured:
        separate = (
            "Baseline and file were measured in separate calls of 'edgeecg bench'; the state of "
            "the machine may have changed."
            if m.same_call is False
            else None
        )
        rows.append(
            (
                row.label,
                m.place,
                units.ratio(m.proxy_ideal),
                units.ratio(m.proxy_executed),
                notes.mark(_ratio(m.latency_ratio, m, units.MISSING), m.latency_reason or separate),
                notes.mark(_energy_ratio(m), m.energy_reason or separate),
                _known(units.significant(m.latency_over_proxy or 0), m.latency_over_proxy),
                _known(units.significant(m.energy_over_proxy or 0), m.energy_over_proxy),
            )
        )
    return Table(
        title="Proxy against measurement, relative to the baseline's float32 file",
        data=captions.synthetic_only(documents.model.data),
        head=("file", "where", "proxy, ideal", "proxy, executed", "measured p50",
              "measured net energy", "p50 ÷ proxy", "energy ÷ proxy"),
        rows=tuple(rows),
        notes=(
            *notes.lines(),
            "The last two columns divide the measurement by the executed proxy: 1 means that the "
            "proxy predicted it exactly, 3 that it is three times what the proxy predicted.",
            *_replay_note(measured),
            *_emulation_note(measured),
        ),
    )  # fmt: skip


def _ratio(value: float | None, row: MeasuredRow, otherwise: str) -> str:
    return otherwise if value is None else emulated(units.ratio(value), row.emulated)


def _energy_ratio(row: MeasuredRow) -> str:
    if row.energy_ratio is None:
        return _no_joules(row)
    return _ratio(row.energy_ratio, row, "") + replayed(row.energy.replayed)


def _no_joules(row: MeasuredRow) -> str:
    return units.MISSING if row.energy.tier == "measured" else row.energy.tier


def breakdown(documents: RunDocuments) -> Table | None:
    """Return the table that splits the median latency; None without measurements."""
    notes = Notes()
    rows: list[Row] = []
    for exported in documents.exported:
        for m in documents.of(exported):
            parts = m.result.breakdown
            peak = parts.peak_macs_per_s
            cells = [
                notes.mark(units.MISSING, parts.reason)
                if t is None
                else emulated(units.seconds(t), m.result.device.emulated)
                for t in (
                    m.result.latency.p50_s,
                    parts.empty_graph_s,
                    parts.roofline_s,
                    parts.rest_s,
                )
            ]
            shown = units.MISSING if peak is None else f"{units.significant(peak / 1e9)} GMACs/s"
            rows.append((exported.label, m.place, *cells, shown))
    if not rows:
        return None
    return Table(
        title="Latency breakdown: p50 = empty graph + roofline + rest",
        data=captions.synthetic_only(documents.model.data),
        head=("file", "where", "p50", "empty graph", "roofline", "rest", "measured peak"),
        rows=tuple(rows),
        notes=(*notes.lines(), "Roofline: MACs divided by the measured peak of the core."),
    )


def duty_cycle(documents: RunDocuments) -> Table | None:
    """Return the table of latency and energy at a fixed rate; None when that was not measured."""
    notes = Notes()
    rows: list[Row] = []
    for exported in documents.exported:
        for m in documents.of(exported):
            energies = m.result.duty_energy
            for number, slow in enumerate(m.result.duty_cycle):
                spin = "no switch" if slow.spin is None else ("on" if slow.spin else "off")
                times = (slow.p50_s, slow.p90_s, slow.p99_s)
                rows.append(
                    (
                        exported.label,
                        m.place,
                        f"{units.plain(slow.rate_hz)} per second",
                        spin,
                        *(emulated(units.seconds(t), m.result.device.emulated) for t in times),
                        units.count(slow.n),
                        *_at_rate(
                            energies[number] if number < len(energies) else None, slow, notes
                        ),
                    )
                )
            if m.result.duty_reason is not None:
                cell = notes.mark("not measured", m.result.duty_reason)
                rows.append((exported.label, m.place, cell, *((units.DASH,) * 8)))
    if not rows:
        return None
    return Table(
        title="Latency and energy at a fixed rate",
        data=captions.synthetic_only(documents.model.data),
        head=("file", "where", "rate", "threads spin", "p50", "p90", "p99", "runs",
              "net energy of a period", "95 % interval", "average power"),
        rows=tuple(rows),
        notes=(
            *notes.lines(),
            "Net energy: what the inference and spinning threads add to the idle power in one "
            "period. Average power: with the idle power.",
        ),
    )  # fmt: skip


def _at_rate(energy: Energy | None, latency: Latency, notes: Notes) -> tuple[str, str, str]:
    """Return net energy, interval and average power of a period."""
    if energy is None:
        return "not measured", units.DASH, units.DASH
    if energy.gross_j is None:
        return notes.mark(energy.tier, energy.reason), units.DASH, units.DASH
    measured = energy.tier == "measured"
    tag = replayed(energy.replayed)
    net = units.joules(energy.net_j) if measured else energy.tier
    return (
        notes.mark(net + tag, energy.reason),
        _joule_interval(energy.ci95_j) if measured else units.DASH,
        units.watts(energy.gross_j * (latency.rate_hz or 0.0)) + tag,
    )
