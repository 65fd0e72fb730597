"""The table of many variants."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edgeecg.reporting import tables, units
from edgeecg.reporting.tables import Notes, Table
from edgeecg.reporting.variant_rows import VariantRow

HEAD = (
    *("variant", "model", "type", "where", "score", "change [95 % interval]", "size", "p50"),
    *("p50 ratio", "net energy", "energy tier", "proxy, executed", "proxy, ideal", "p50 ÷ proxy"),
)


def table(rows: Sequence[VariantRow], data: str) -> Table:
    """Return a row for each variant.

    Args:
        rows: The variants.
        data: The data that the scores are of.
    """
    notes = Notes()
    return Table(
        title="All variants",
        data=data,
        head=HEAD,
        rows=tuple(
            (
                f"{each.source}, {each.label}",
                each.model,
                each.dtype,
                each.place or "not measured",
                "not tested" if each.score is None else units.fraction(each.score),
                _change(each),
                _text(each.size_bytes, lambda v: units.size(round(v))),
                _text(each.p50_s, units.seconds, "not measured"),
                _text(each.latency_ratio, units.ratio),
                _text(each.net_j, units.joules, each.energy_tier),
                notes.mark(_tier(each), each.energy_reason),
                _text(each.proxy_executed, units.ratio),
                _text(each.proxy_ideal, units.ratio),
                _text(each.latency_over_proxy, units.significant),
            )
            for each in rows
        ),
        notes=(
            *notes.lines(),
            "Score: main score on the test records. Change: from the dense float32 file of the "
            "model; a tie lies within 0.01 of 0. Ratios and proxies are relative to that "
            "file; the proxy has no joules.",
            *dict.fromkeys(
                f"Those of {each.source} are relative to {each.relative_to}, which "
                "bench --baseline named."
                for each in rows
                if each.relative_to is not None
            ),
        ),
        text_columns=("model", "type", "where", "energy tier"),
    )


def numbers(row: VariantRow) -> tuple[float | None, ...]:
    """Return the number of each cell of a row, by which a table can be sorted.

    Args:
        row: The variant.
    """
    costs = (row.size_bytes, row.p50_s, row.latency_ratio, row.net_j)
    proxies = (row.proxy_executed, row.proxy_ideal, row.latency_over_proxy)
    return (None, None, None, None, row.score, row.change, *costs, None, *proxies)


def _tier(row: VariantRow) -> str:
    return f"{row.energy_tier} (replayed)" if row.energy_replayed else row.energy_tier


def _change(row: VariantRow) -> str:
    low, high = row.change_ci95_low, row.change_ci95_high
    return tables.change(row.change, None if low is None or high is None else (low, high))


def _text(value: float | None, shown: Callable[[float], str], otherwise: str = units.DASH) -> str:
    return otherwise if value is None else shown(value)
