"""The table of energies that ``edgeecg bench`` prints, where a meter delivered any."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from edgeecg.cli._figures import ABSENT, Column, Row, plain, show as show_figures
from edgeecg.reporting import units
from edgeecg.schema import Energy


def show(rows: Sequence[Row], console: Console) -> None:
    """Print the energies, and what their meters and windows remark; nothing without a meter.

    Args:
        rows: The files.
        console: Where to print.
    """
    energies = [row.result.energy for row in rows]
    all_energies = [*energies, *(each for row in rows for each in row.result.duty_energy)]
    meters = dict.fromkeys(energy.meter for energy in energies if energy.meter)
    if not meters:
        return
    columns = (
        Column("net", lambda row: _net(row.result.energy)),
        Column("95 %\ninterval", lambda row: _interval(row.result.energy)),
        Column("gross", lambda row: _joules(row.result.energy.gross_j)),
        Column("idle", lambda row: _watts(row.result.energy.idle_w)),
        Column("detection\nlimit", lambda row: _joules(row.result.energy.detection_limit_j)),
    )
    show_figures(f"Energy of one inference, meter {', '.join(meters)}", rows, columns, console)
    for warning in dict.fromkeys(text for energy in all_energies for text in energy.warnings):
        console.print(f"Warning: {warning}", style="yellow", soft_wrap=True, markup=False)
    for row in rows:
        at_rate = zip(row.result.duty_cycle, row.result.duty_energy, strict=False)
        for where, energy in (
            ("", row.result.energy),
            *((f" at {latency.rate_hz:g} per second", energy) for latency, energy in at_rate),
        ):
            for reason in energy.invalid:
                name = " ".join(row.name.split())
                text = f"Left out, {name}{where}: {reason}"
                console.print(text, style="yellow", soft_wrap=True, markup=False)


def _net(energy: Energy) -> str:
    if energy.tier != "measured":
        return energy.tier.replace(" ", "\n", 1)
    net = _joules(energy.net_j)
    return f"{net}\nreplayed" if energy.replayed else net


def _interval(energy: Energy) -> str:
    if energy.tier != "measured" or energy.ci95_j is None:
        return ABSENT
    low, high = energy.ci95_j
    return f"{_joules(low)}\nto {_joules(high)}"


def _joules(value: float | None) -> str:
    return ABSENT if value is None else plain(units.joules(value))


def _watts(value: float | None) -> str:
    return ABSENT if value is None else plain(units.watts(value))
