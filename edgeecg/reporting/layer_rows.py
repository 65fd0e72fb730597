"""What each layer costs before and after compression: MACs, bytes, seconds, share of the proxy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from edgeecg.costs import proxy
from edgeecg.reporting import proxy_agreement, units
from edgeecg.reporting.tables import Row, Table
from edgeecg.reporting.variants import Variant
from edgeecg.schema import LayerCost, ProxyCoefficients


@dataclass(frozen=True)
class LayerRow:
    """One layer of the dense file and of a compressed one.

    Attributes:
        name: Its name.
        before: Its costs in the dense file, or None where that does not have it.
        after: Its costs in the compressed file, or None where it was removed.
        before_s: Its measured seconds in the dense file, or None.
        after_s: Its measured seconds in the compressed file, or None.
        before_share: Its executed proxy, as a fraction of that of the whole dense file.
        after_share: Its executed proxy in the compressed file, as a fraction of the same.
    """

    name: str
    before: LayerCost | None
    after: LayerCost | None
    before_s: float | None
    after_s: float | None
    before_share: float
    after_share: float


def rows(before: Variant, after: Variant) -> list[LayerRow]:
    """Return the layers of both files, in the order of the dense one; new ones last.

    Args:
        before: The dense file.
        after: The compressed file.
    """
    if before.manifest is None or after.manifest is None:
        return []
    dense, kept = before.manifest.layers, after.manifest.layers
    partner = _partners(dense, kept)
    seconds = _seconds(before), _seconds(after)
    whole = sum(_proxy(each) for each in dense) or 1.0
    found: list[LayerRow] = []
    for layer in dense:
        other = partner.get(layer.name)
        found.append(
            LayerRow(
                layer.name, layer, other, seconds[0].get(layer.name),
                None if other is None else seconds[1].get(other.name),
                _proxy(layer) / whole, 0.0 if other is None else _proxy(other) / whole,
            )
        )  # fmt: skip
    used = {each.name for each in partner.values()}
    found += [
        LayerRow(each.name, None, each, None, seconds[1].get(each.name), 0.0, _proxy(each) / whole)
        for each in kept
        if each.name not in used
    ]
    return found


def _partners(dense: Sequence[LayerCost], kept: Sequence[LayerCost]) -> dict[str, LayerCost]:
    """Return the compressed layer of each dense one: of the same name, or else in the same place.

    Converters may name the layers of an int8 file, or those after a removed block, otherwise; their
    order is the same.
    """
    by_name = {(each.name, each.op): place for place, each in enumerate(kept)}
    alike: list[tuple[int, int]] = [(-1, -1)]
    for place, each in enumerate(dense):
        other = by_name.get((each.name, each.op), -1)
        if other > alike[-1][1]:
            alike.append((place, other))
    if 2 * (len(alike) - 1) < min(len(dense), len(kept)):
        if [each.op for each in dense] != [each.op for each in kept]:
            return {}
        return {one.name: other for one, other in zip(dense, kept, strict=True)}
    found = {dense[place].name: kept[other] for place, other in alike[1:]}
    for (place, other), (end, other_end) in pairwise([*alike, (len(dense), len(kept))]):
        between = dense[place + 1 : end], kept[other + 1 : other_end]
        found |= _in_order(*between)
    return found


def _in_order(dense: Sequence[LayerCost], kept: Sequence[LayerCost]) -> dict[str, LayerCost]:
    """Return the layers of the same operation, in their order."""
    found: dict[str, LayerCost] = {}
    rest = list(kept)
    for layer in dense:
        place = next((n for n, each in enumerate(rest) if each.op == layer.op), None)
        if place is not None:
            found[layer.name] = rest[place]
            del rest[: place + 1]
    return found


def _proxy(layer: LayerCost) -> float:
    return proxy.executed(proxy.totals([layer]), ProxyCoefficients())


def _seconds(variant: Variant) -> dict[str, float]:
    result = variant.subject.result
    if result is None or variant.manifest is None:
        return {}
    return proxy_agreement.node_seconds(result, variant.manifest)


def table(before: Variant, after: Variant, data: str) -> Table | None:
    """Return the table of the layers before and after; None where the files have no layers.

    Args:
        before: The dense file.
        after: The compressed file.
        data: The data that the figures are about.
    """
    found = rows(before, after)
    if not found:
        return None
    timed = any(each.before_s is not None or each.after_s is not None for each in found)
    why = None if after.subject.result is None else after.subject.result.layers_reason
    made: list[Row] = []
    for each in found:
        b, a = each.before, each.after
        times: Row = ()
        if timed:
            times = _seconds_text(each.before_s), _seconds_text(each.after_s)
        made.append(
            (
                each.name,
                _operation(b, a),
                units.macs(b.macs) if b else units.DASH,
                units.macs(a.macs) if a else "removed",
                units.size(b.weight_bytes) if b else units.DASH,
                units.size(a.weight_bytes) if a else units.DASH,
                *times,
                units.percent(each.before_share),
                units.percent(each.after_share),
            )
        )
    return Table(
        title=f"Layers of {before.subject.label} and {after.subject.label}",
        data=data,
        head=("layer", "operation", "MACs before", "after", "weights before", "after",
              *(("time before", "after") if timed else ()), "share of proxy before", "after"),
        rows=tuple(made),
        notes=(
            "Share of proxy: of the dense file's executed proxy. The energy of a layer is not "
            "measured.",
            *((f"Times of the layers: not measured: {why}",) if not timed and why else ()),
            *(("Times: measured; a layer without one was fused into another.",) if timed else ()),
        ),
        text_columns=("operation",),
    )  # fmt: skip


def _seconds_text(value: float | None) -> str:
    return units.DASH if value is None else units.seconds(value)


def _operation(*layers: LayerCost | None) -> str:
    return next((each.op for each in layers if each is not None), units.DASH)
