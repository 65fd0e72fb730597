"""The table of ``edgeecg battery``."""

from __future__ import annotations

from collections.abc import Sequence

from edgeecg.reporting import units
from edgeecg.reporting.battery_rows import BatteryEstimate, BatteryLife, UnknownEnergy
from edgeecg.reporting.tables import Notes, Row, Table


def table(life: BatteryLife) -> Table:
    """Return the table with a row for each file, the longest days first.

    Args:
        life: What was computed.
    """
    notes = Notes()
    known = (life, *life.others)
    rows = [(name(each, life), *_figures(each)) for each in known]
    rows += [
        (notes.mark(name(each, life), each.reason), "not known", *[units.DASH] * 5)
        for each in life.unknown
    ]
    bases = dict.fromkeys(each.range_basis for each in known if each.range_basis)
    return Table(
        title="Days of battery",
        data=f"{1e3 * life.capacity_ah:g} mAh, {life.voltage_v:g} V, "
        f"{60 * life.beats_hz:g} {life.window}s per minute",
        head=("file", "days", "energy", "tier", "inference", "sleep", "radio"),
        rows=tuple(rows),
        notes=(
            *notes.lines(),
            *_remarks(known),
            *(f"Range of the days: from the {basis}." for basis in bases),
            f"Energy: net, of one {life.window}. Sleep: {1e6 * life.sleep_a:g} µA, "
            f"{units.watts(life.powers_w['sleep'])}. Radio: {units.watts(life.radio_w)}.",
            f"{life.formula[0].upper()}{life.formula[1:]}, in Ah, V, J, 1/s, A and W.",
            f"Left out: {'; '.join(life.left_out)}.",
        ),
    )


def _remarks(known: Sequence[BatteryEstimate]) -> list[str]:
    """Return how each energy was found and what to know of it, each text once."""
    files: dict[str, list[str]] = {}
    for each in known:
        source = each.inference_from
        for text in (f"{source[0].upper()}{source[1:]}, on {each.device}.", *each.notes):
            files.setdefault(text, []).append(each.label)
    return [
        text if len(labels) == len(known) else f"{', '.join(labels)}: {text}"
        for text, labels in files.items()
    ]


def name(each: BatteryEstimate | UnknownEnergy, life: BatteryLife) -> str:
    """Return what a file is called: with its source, where there are several.

    Args:
        each: The file.
        life: All files.
    """
    several = len({life.source, *(o.source for o in (*life.others, *life.unknown))}) > 1
    return f"{each.source}, {each.label}" if several else each.label


def _figures(each: BatteryEstimate) -> Row:
    days = units.significant(each.days)
    if each.days_range is not None:
        low, high = each.days_range
        days += f" [{units.significant(low)}, {units.significant(high)}]"
    shares = [units.percent(each.shares[part]) for part in ("inference", "sleep", "radio")]
    return days, units.joules(each.inference_j), each.tier, *shares
