"""The tables of what was measured: time and memory, energy, and the promise beside them."""

from __future__ import annotations

from collections.abc import Iterable

from edgeecg.reporting import captions, units
from edgeecg.reporting.documents import RunDocuments
from edgeecg.reporting.rows import Comparison, FileRow, MeasuredRow
from edgeecg.reporting.tables import Notes, Row, Table, agreement


def _measured(comparison: Comparison) -> list[tuple[FileRow, MeasuredRow]]:
    return [(row, row.measured) for row in comparison.files if row.measured is not None]


def emulated(text: str, by_emulator: bool) -> str:
    """Return a figure with the word that keeps an emulator's from passing as the board's."""
    return f"{text} emulated" if by_emulator else text


def latency(documents: RunDocuments, comparison: Comparison) -> Table | None:
    """Time, memory and agreement of each measured file; None without measurements."""
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
            notes.mark(agreement(m.label_agreement), m.parity_reason),
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
        scope=captions.general(documents.model.data),
        head=("file", "where", "p50", "p90", "p99", "first", "runs", "peak RSS",
              "same label as PyTorch"),
        rows=tuple(rows),
        notes=(
            *notes.lines(),
            "Time around the bare invoke, after the warm-up. Peak RSS holds interpreter, runtime "
            "and model.",
            *_suites(documents),
            *_emulation_note(measured),
        ),
    )  # fmt: skip


def _or_not_measured(value: int | None) -> str:
    return "not measured" if value is None else units.size(value)


def _suites(documents: RunDocuments) -> list[str]:
    suites = (m.report.suite for m in documents.measurements)
    return list(dict.fromkeys(f"Suite {suite.name}: {suite.description}" for suite in suites))


def _emulation_note(measured: Iterable[tuple[FileRow, MeasuredRow]]) -> tuple[str, ...]:
    if any(m.emulated for _, m in measured):
        return ("Emulated: these times come from an emulator and are not the board's.",)
    return ()


def energy(documents: RunDocuments, comparison: Comparison) -> Table | None:
    """Measured energy of each measured file, or why there is none; None without measurements."""
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
        tag = " (replayed)" if e.replayed else ""
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
        scope=captions.general(documents.model.data),
        head=("file", "where", "net", "95 % interval", "gross", "idle power", "detection limit",
              "meter"),
        rows=tuple(rows),
        notes=(
            *notes.lines(),
            "Net: idle power subtracted. Not resolved: below twice the detection limit.",
            *_replay_note(measured),
            *_emulation_note(measured),
        ),
    )  # fmt: skip


def _replay_note(measured: Iterable[tuple[FileRow, MeasuredRow]]) -> tuple[str, ...]:
    if any(m.energy.replayed for _, m in measured):
        return ("Replayed: a recorded or simulated stream, not this device's.",)
    return ()


def _known(text: str, value: float | None) -> str:
    return units.DASH if value is None else text


def _joule_interval(bounds: tuple[float, float] | None) -> str:
    if bounds is None:
        return units.MISSING
    return f"{units.joules(bounds[0])} to {units.joules(bounds[1])}"


def promise(documents: RunDocuments, comparison: Comparison) -> Table | None:
    """What the count promised beside what was measured; None without measurements."""
    measured = _measured(comparison)
    if not measured:
        return None
    notes = Notes()
    rows: list[Row] = []
    for row, m in measured:
        separate = (
            "Baseline and file were measured in separate bench calls; the machine may have changed "
            "in between."
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
                notes.mark(_ratio(m.energy_ratio, m, _no_joules(m)), m.energy_reason or separate),
                _known(units.significant(m.latency_over_proxy or 0), m.latency_over_proxy),
                _known(units.significant(m.energy_over_proxy or 0), m.energy_over_proxy),
            )
        )
    return Table(
        title="Promise and measurement, relative to the baseline's float32 file",
        scope=captions.general(documents.model.data),
        head=("file", "where", "proxy, ideal", "proxy, executed", "measured p50",
              "measured net energy", "p50 ÷ proxy", "energy ÷ proxy"),
        rows=tuple(rows),
        notes=(
            *notes.lines(),
            "The last two columns divide by the executed proxy: 1 is a promise kept, 3 is three "
            "times what the count promised.",
            *_emulation_note(measured),
        ),
    )  # fmt: skip


def _ratio(value: float | None, row: MeasuredRow, otherwise: str) -> str:
    return otherwise if value is None else emulated(units.ratio(value), row.emulated)


def _no_joules(row: MeasuredRow) -> str:
    return units.MISSING if row.energy.tier == "measured" else row.energy.tier


def breakdown(documents: RunDocuments) -> Table | None:
    """Where the median goes; None without measurements."""
    notes = Notes()
    rows: list[Row] = []
    for one in documents.exported:
        for m in documents.of(one):
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
            rows.append((one.label, m.place, *cells, shown))
    if not rows:
        return None
    return Table(
        title="Where the time goes: p50 = empty graph + roofline + rest",
        scope=captions.general(documents.model.data),
        head=("file", "where", "p50", "empty graph", "roofline", "rest", "measured peak"),
        rows=tuple(rows),
        notes=(*notes.lines(), "Roofline: MACs over the core's measured peak."),
    )


def duty_cycle(documents: RunDocuments) -> Table | None:
    """Latency at a slow rate, where that was asked for; None otherwise."""
    rows: list[Row] = []
    for one in documents.exported:
        for m in documents.of(one):
            for slow in m.result.duty_cycle:
                spin = "no switch" if slow.spin is None else ("on" if slow.spin else "off")
                times = (slow.p50_s, slow.p90_s, slow.p99_s)
                rows.append(
                    (
                        one.label,
                        m.place,
                        f"{units.plain(slow.rate_hz)} per second",
                        spin,
                        *(emulated(units.seconds(t), m.result.device.emulated) for t in times),
                        units.count(slow.n),
                    )
                )
    if not rows:
        return None
    return Table(
        title="Latency at a wearable's rate",
        scope=captions.general(documents.model.data),
        head=("file", "where", "rate", "threads spin", "p50", "p90", "p99", "runs"),
        rows=tuple(rows),
    )
