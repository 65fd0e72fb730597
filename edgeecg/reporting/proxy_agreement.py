"""How well proxy and calibration predicted what was measured, over many files."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from edgeecg.reporting import units
from edgeecg.reporting.rows import AgreementRow
from edgeecg.reporting.tables import Notes, Row, Table
from edgeecg.reporting.variants import Variant
from edgeecg.schema import Artifact, BenchResult
from edgeecg.statistics import agreement

Kind = Literal["executed", "ideal", "calibrated"]
Quantity = Literal["latency", "energy"]

KINDS: dict[Kind, str] = {
    "executed": "executed proxy",
    "ideal": "ideal proxy",
    "calibrated": "calibrated",
}
QUANTITIES: dict[Quantity, str] = {"latency": "p50", "energy": "net energy"}

OUTLIER = 1.5
"""A measured ratio is explained where it is this factor away from the prediction."""

_MOST_OUTLIERS = 8
_LARGE_SHARE = 0.2
_CHEAPER_INT8 = (
    "int8: the proxy takes an int8 multiplication as 15 times cheaper than a float32 one, but a "
    "processor does at most about four times as many at once"
)


@dataclass(frozen=True)
class Point:
    """One file: predicted and measured ratios to its dense float32 file.

    Attributes:
        name: What it is called.
        model: Its architecture; files of one model share a reference.
        dtype: Type of weights and activations.
        quantity: What was measured.
        measured: The measured ratio.
        predicted: The predicted ratios, of those that there are.
        reasons: What explains a difference, if anything does.
        key: Number of the variant, to select it; None for none.
        real: Whether a device was measured: not an emulator, and no replayed values of a meter.
    """

    name: str
    model: str
    dtype: str
    quantity: Quantity
    measured: float
    predicted: dict[Kind, float]
    reasons: tuple[str, ...] = ()
    key: int | None = None
    real: bool = True


def points(variants: Sequence[Variant]) -> list[Point]:
    """Return the points of all measured variants but the references, whose ratios are 1.

    Replayed and emulated values are left out where others of the quantity were measured.

    Args:
        variants: The variants.
    """
    found: list[Point] = []
    for key, variant in enumerate(variants):
        result, predicted = variant.subject.result, variant.prediction
        if result is None or predicted is None or predicted.is_reference:
            continue
        sides: tuple[tuple[Quantity, float | None, float | None], ...] = (
            ("latency", predicted.latency_ratio, predicted.calibrated_latency),
            ("energy", predicted.energy_ratio, predicted.calibrated_energy),
        )
        for quantity, measured, calibrated in sides:
            kinds = _positive(
                executed=result.proxy.executed, ideal=result.proxy.ideal, calibrated=calibrated
            )
            if measured is None or measured <= 0 or not kinds:
                continue
            found.append(
                Point(
                    variant.subject.name, variant.model, variant.dtype, quantity, measured, kinds,
                    reasons(result), key, _is_real(result, quantity),
                )
            )  # fmt: skip
    with_real = {each.quantity for each in found if each.real}
    return [each for each in found if each.real or each.quantity not in with_real]


def _is_real(result: BenchResult, quantity: Quantity) -> bool:
    return not (result.device.emulated or (quantity == "energy" and result.energy.replayed))


def _positive(**values: float | None) -> dict[Kind, float]:
    # The axes are logarithmic.
    return {kind: value for kind in KINDS if (value := values[kind]) is not None and value > 0}


def rows(found: Sequence[Point]) -> tuple[AgreementRow, ...]:
    """Return the agreement by quantity, prediction and type; that of all types first.

    Args:
        found: The points.
    """
    made: list[AgreementRow] = []
    for quantity in QUANTITIES:
        here = [each for each in found if each.quantity == quantity]
        dtypes = list(dict.fromkeys(each.dtype for each in here))
        for kind in KINDS:
            groups = [("all", here), *((d, [p for p in here if p.dtype == d]) for d in dtypes)]
            for dtype, members in groups if len(dtypes) > 1 else groups[:1]:
                row = _row(quantity, kind, dtype, members)
                made += [] if row is None else [row]
    return tuple(made)


def _row(
    quantity: Quantity, kind: Kind, dtype: str, members: Iterable[Point]
) -> AgreementRow | None:
    known = [each for each in members if kind in each.predicted]
    result = agreement.agreement(
        [each.predicted[kind] for each in known],
        [each.measured for each in known],
        [each.model for each in known],
    )
    if result is None:
        return None
    line = result.line
    return AgreementRow(
        quantity=quantity,
        prediction=kind,
        dtype=dtype,
        n=result.n,
        models=len({each.model for each in known}),
        spearman=result.spearman,
        spearman_ci95=result.ci95,
        resampled=result.resampled,
        median_ratio=result.median_ratio,
        worst_ratio=result.worst_ratio,
        worst=known[result.worst].name,
        factor=None if line is None else line.factor,
        exponent=None if line is None else line.exponent,
    )


def table(found: Sequence[AgreementRow], data: str = "") -> Table | None:
    """Return the table of agreement; None without a row.

    Args:
        found: Its rows.
        data: The data that the figures are about.
    """
    if not found:
        return None
    notes = Notes()
    made: list[Row] = []
    for each in found:
        few = "Too few files for an interval." if each.spearman_ci95 is None else None
        if each.spearman is None:
            few = "All predictions or all measurements are equal, or there is one file."
        rho = units.MISSING if each.spearman is None else units.signed(each.spearman)
        spread = units.interval(each.spearman_ci95)
        made.append(
            (
                f"{KINDS[each.prediction]}, {QUANTITIES[each.quantity]}",
                each.dtype,
                units.count(each.n),
                units.count(each.models),
                notes.mark(f"{rho} {spread}".strip(), few),
                units.ratio(each.median_ratio),
                units.ratio(each.worst_ratio),
                each.worst,
            )
        )
    drawn = {each.resampled for each in found}
    return Table(
        title="Prediction against measurement, relative to the dense float32 file",
        data=data,
        head=("prediction, measured", "type", "files", "models", "Spearman's ρ",
              "median ratio", "worst ratio", "worst file"),
        rows=tuple(made),
        notes=(
            *notes.lines(),
            "Ratio: measured over predicted; 1 means that the prediction was exact. The worst one "
            "is furthest from 1 as a factor. Dense float32 files are left out: their ratio is 1.",
            "ρ: rank correlation; in brackets its 95 % interval.",
            *(("Interval of ρ: bootstrap, whole models drawn.",) if "groups" in drawn else ()),
            *(
                (
                    "Interval of ρ over fewer than five models: bootstrap over single files, too "
                    "narrow for another model.",
                )
                if "points" in drawn
                else ()
            ),
        ),
        text_columns=("type", "worst file"),
    )  # fmt: skip


def sentences(found: Sequence[Point]) -> tuple[str, ...]:
    """Return the files that the executed proxy predicted worst, each with what explains it.

    Args:
        found: The points.
    """
    far: list[tuple[float, Point]] = []
    for each in found:
        if "executed" in each.predicted:
            ratio = each.measured / each.predicted["executed"]
            far += [(ratio, each)] if abs(math.log(ratio)) >= math.log(OUTLIER) else []
    if not found:
        return ()
    if not far:
        return (f"No file is {OUTLIER:g} times off or more from the executed proxy.",)
    far.sort(key=lambda pair: -abs(math.log(pair[0])))
    lines = [f"{len(far)} of {len(found)} measured ratios are {OUTLIER:g} times off or more:"]
    alike: dict[tuple[str, tuple[str, ...]], list[tuple[float, Point]]] = {}
    for pair in far:
        alike.setdefault((pair[1].quantity, pair[1].reasons), []).append(pair)
    for group in list(alike.values())[:_MOST_OUTLIERS]:
        lines.append(_outlier(*group[0], len(group) - 1))
    return tuple(lines)


def _outlier(ratio: float, point: Point, more: int) -> str:
    """Return the file that is furthest off of those with the same reasons, in words."""
    why = "; ".join(point.reasons) or "nothing that was measured explains it"
    size = f"{units.significant(ratio if ratio > 1 else 1 / ratio)} times"
    side = "above" if ratio > 1 else "below"
    others = f" (and {more} more, less far off)" if more else ""
    return f"{point.name}: {QUANTITIES[point.quantity]} {size} {side} the proxy{others}: {why}."


def reasons(result: BenchResult) -> tuple[str, ...]:
    """Return what explains that a file is not as fast as its proxy.

    Args:
        result: The measurement.
    """
    artifact, device, p50_s = result.artifact, result.device, result.latency.p50_s
    found: list[str] = []
    if artifact.dtype == "int8" and device.int8_dot_product is False:
        found.append(
            "int8 on a processor without instructions that add up int8 products (VNNI, dotprod), "
            "which is hardly faster than float32"
        )
    if artifact.dtype == "int8" and artifact.activation_dtype == "float32":
        found.append("int8 weights with float32 activations, converted while it runs")
    empty_s = result.breakdown.empty_graph_s
    if empty_s and p50_s and empty_s / p50_s >= _LARGE_SHARE:
        found.append(
            f"{units.percent(empty_s / p50_s)} of the time is that of a graph without operations, "
            "which no compression lowers"
        )
    if result.latency.threads > 1:
        spin = " and idle threads spin" if any(each.spin for each in result.duty_cycle) else ""
        found.append(f"{result.latency.threads} threads share the work{spin}")
    found += _slow_operation(result)
    if (rest := result.layers_unexplained) is not None and rest >= _LARGE_SHARE:
        found.append(f"{units.percent(rest)} of the time is in no operation")
    if not found and artifact.dtype == "int8":
        found.append(_CHEAPER_INT8)
    return tuple(found)


def _slow_operation(result: BenchResult) -> list[str]:
    """Return the kind of operation that takes most time beyond its share of the MACs."""
    manifest = result.artifact.manifest
    macs = sum(layer.macs for layer in manifest.layers) if manifest is not None else 0
    if manifest is None or not macs:
        return []
    seconds = node_seconds(result, manifest)
    whole_s = sum(layer.seconds for layer in result.layers)
    # Times that belong to no layer of the file say nothing about the kinds.
    if not whole_s or sum(seconds.values()) < (1 - _LARGE_SHARE) * whole_s:
        return []
    shares: dict[str, tuple[float, float]] = {}
    for cost in manifest.layers:
        time, count = shares.get(cost.op, (0.0, 0.0))
        time += seconds.get(cost.name, 0.0) / whole_s
        shares[cost.op] = time, count + cost.macs / macs
    op, (time, count) = max(shares.items(), key=lambda item: item[1][0] - item[1][1])
    if time - count < _LARGE_SHARE:
        return []
    shown = units.percent(time), units.percent(count)
    return [f"{op} takes {shown[0]} of the time and has {shown[1]} of the MACs"]


def node_seconds(result: BenchResult, manifest: Artifact) -> dict[str, float]:
    """Return the measured seconds of each layer of a file.

    The runtime's name of an operation starts with that of the file's layer.

    Args:
        result: The measurement.
        manifest: The manifest of the file.
    """
    names = sorted((each.name for each in manifest.layers if each.name), key=len, reverse=True)
    found: dict[str, float] = {}
    for operation in result.layers:
        name = next((each for each in names if operation.name.startswith(each)), None)
        if name is not None:
            found[name] = found.get(name, 0.0) + operation.seconds
    return found
