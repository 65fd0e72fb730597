"""The tables of simulated meters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..results import Results
from .provenance import made_by

Rows = Sequence[dict[str, Any]]

_OF_A_PI = ("joulescope", "ppk2", "hwmon", "pi5_pmic")


def scenarios(results: Results) -> str:
    """Return how often the interval holds the true energy, for every simulated fault."""
    rows = results.newest("scenario")
    lines = [
        "| simulated meter and fault | interval holds | bootstrap holds | interval, relative "
        "| measured / not resolved / not measured | with a warning |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        tiers = row["tiers"]
        counts = " / ".join(str(tiers[t]) for t in ("measured", "not resolved", "not measured"))
        width = row["width_over_truth"]
        lines.append(
            f"| {row['scenario']} | {_percent(row['interval_holds'])} "
            f"| {_percent(row['bootstrap_holds'])} | {'-' if width is None else f'{width:.3f}'} "
            f"| {counts} | {row['with_warning']} |"
        )
    runs = sorted({row["runs"] for row in rows})
    return "\n".join(
        [
            *lines,
            "",
            "SIMULATED. Share of the runs whose 95 % interval holds the true net energy; runs that "
            "are not measured have no interval. Bootstrap: the percentile interval of the median, "
            "for comparison. Interval: median width over the true energy. "
            f"{' or '.join(str(each) for each in runs)} runs of each, five windows of 10 s between "
            "idle windows of 10 s; 2.5 W at rest.",
            "",
            made_by(rows, cpu=True),
        ]
    )


def limits(results: Results) -> str:
    """Return the detection limit of every kind of meter, with the sources of its figures."""
    rows = results.newest("instrument", "fluctuation_w")
    lines = [
        "| instrument | `--meter` | samples/s | step | quiet device: limit | measured from "
        "| usual device: limit | measured from |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for quiet, usual in _pairs(rows):
        figures = " | ".join(
            _milliwatts(row[name])
            for row in (quiet, usual)
            for name in ("detection_limit_w", "measured_from_w")
        )
        step = _milliwatts(quiet["step_w"]) if quiet["step_w"] else "-"
        if quiet["step_j"]:
            step = f"{quiet['step_j'] * 1e6:.0f} µJ"
        lines.append(
            f"| {quiet['instrument']} | `{quiet['meter']}` | {quiet['rate_hz']:g} | {step} "
            f"| {figures} |"
        )
    sources = [f"{quiet['instrument']}: {quiet['source']}." for quiet, _ in _pairs(rows)]
    return "\n".join([*lines, "", _what(rows), "", " ".join(sources), "", made_by(rows, cpu=True)])


def limits_in_short(results: Results) -> str:
    """Return from which net power on the meters of a Raspberry Pi measure, for the README."""
    rows = results.newest("instrument", "fluctuation_w")
    low, high = sorted({row["fluctuation_w"] for row in rows})
    heads = f"{low * 1e3:g} mW | {high * 1e3:g} mW"
    lines = [f"| instrument | `--meter` | {heads} |", "|---|---|--:|--:|"]
    for quiet, usual in _pairs([row for row in rows if row["meter"] in _OF_A_PI]):
        figures = " | ".join(_milliwatts(row["measured_from_w"]) for row in (quiet, usual))
        lines.append(f"| {quiet['instrument']} | `{quiet['meter']}` | {figures} |")
    return "\n".join(
        [
            *lines,
            "",
            "SIMULATED from data sheets; at 1,000 inferences a second, 1 mW is 1 µJ per inference. "
            "[All meters and assumptions](docs/meters.md#what-each-can-resolve).",
        ]
    )


def _what(rows: Rows) -> str:
    low, high = sorted({row["fluctuation_w"] for row in rows})
    missing = any(row["measured_from_w"] is None for row in rows)
    return (
        "SIMULATED from data sheets, no instrument was tried. Net power in mW, which at "
        f"{rows[0]['inferences_per_s']:,.0f} inferences a second is the energy of one in µJ. "
        "Limit: "
        "median detection limit. Measured from: the smallest net power at which nine of ten "
        "runs are tier `measured`. Quiet device: its power at rest fluctuates slowly by "
        f"{low * 1e3:g} mW; "
        f"usual device: by {high * 1e3:g} mW, both assumed. Suite `default`, "
        f"{rows[0]['runs']} runs of each. {'-: at no power that was tried. ' if missing else ''}"
        "The gain error of a meter scales all its figures and is not in the table."
    )


def _pairs(rows: Rows) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return the rows of each instrument, the quieter device first."""
    names = dict.fromkeys(row["instrument"] for row in rows)
    pairs: list[tuple[dict[str, Any], dict[str, Any]]] = []
    for name in names:
        quiet, usual = sorted(
            (row for row in rows if row["instrument"] == name),
            key=lambda row: row["fluctuation_w"],
        )
        pairs.append((quiet, usual))
    return pairs


def _milliwatts(watts: float | None) -> str:
    if watts is None:
        return "-"
    return f"{watts * 1e3:.0f} mW" if watts >= 0.00995 else f"{watts * 1e3:.1f} mW"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"
