"""What a page shows of a selected variant."""

from __future__ import annotations

from collections.abc import Sequence

from edgeecg.reporting import proxy_agreement, tables, units
from edgeecg.reporting.html import layers
from edgeecg.reporting.html.document import Panel
from edgeecg.reporting.html.figure import Figure
from edgeecg.reporting.variants import Variant
from edgeecg.schema import BenchResult, Energy, Scores
from edgeecg.statistics.changes import Change


def panels(
    variants: Sequence[Variant], differences: Sequence[Change | None], data: str
) -> tuple[Panel, ...]:
    """Return a panel for each variant.

    Args:
        variants: The variants.
        differences: How much the score of each differs from its dense file's, or None.
        data: The data that the figures are about.
    """
    several = len({each.place for each in variants}) > 1
    return tuple(
        Panel(
            key,
            _title(variant, several),
            _rows(variant, change),
            _figures(variant, data),
        )
        for key, (variant, change) in enumerate(zip(variants, differences, strict=True))
    )


def _title(variant: Variant, several: bool) -> str:
    """Return the name of a variant, with its setup where there are several setups."""
    where = variant.place or "not measured"
    return f"{variant.subject.name} ({where})" if several else variant.subject.name


def _figures(variant: Variant, data: str) -> tuple[Figure, ...]:
    return () if variant.dense is None else layers.figures(variant.dense, variant, data)[:1]


def _rows(variant: Variant, change: Change | None) -> tuple[tuple[str, str], ...]:
    subject = variant.subject
    found: list[tuple[str, str]] = [
        ("type", variant.dtype),
        *_scores(subject.scores, change),
        ("size", units.size(subject.size_bytes)),
        ("parameters, MACs", f"{units.count(subject.parameters)}, {units.macs(subject.macs)}"),
    ]
    if subject.proxy is not None:
        reason = f" ({subject.proxy.reason})" if subject.proxy.reason else ""
        found.append(
            (
                "proxy, executed and ideal",
                f"{units.ratio(subject.proxy.executed)}, {units.ratio(subject.proxy.ideal)}"
                f"{reason}",
            )
        )
    if subject.result is None:
        return (*found, ("latency, energy", subject.unmeasured))
    return (*found, *_measured(variant, subject.result))


def _scores(scores: Scores | None, change: Change | None) -> list[tuple[str, str]]:
    """Return the scores on the test records, and the change against the dense file."""
    if scores is None:
        return [("score", "not tested")]
    name, value = scores.headline
    spread = units.interval(scores.headline_ci95)
    kind = "AUROC" if scores.task == "records" else "recall"
    by_class = ", ".join(
        f"{n} {units.fraction(c.auroc if kind == 'AUROC' else c.recall)}"
        for n, c in scores.per_class.items()
    )
    compared = "not compared" if change is None else tables.change(change.value, change.ci95)
    return [
        (f"test {name}", f"{units.fraction(value)} {spread}".strip()),
        ("against the dense file", compared),
        (f"{kind} by class", by_class),
    ]


def _measured(variant: Variant, result: BenchResult) -> list[tuple[str, str]]:
    """Return latency and energy, and what is known of them."""
    emulated = " (emulated)" if result.device.emulated else ""
    found = [
        ("where", variant.place),
        (
            "latency p50, p99",
            f"{units.seconds(result.latency.p50_s)}, {units.seconds(result.latency.p99_s)}"
            f"{emulated}",
        ),
        ("net energy", energy_text(result.energy)),
        *_relative(variant),
    ]
    if result.calibrated is not None and result.calibrated.seconds is not None:
        found.append(
            (
                "calibrated",
                f"{units.seconds(result.calibrated.seconds)}, "
                f"{units.joules(result.calibrated.net_j)}",
            )
        )
    why = proxy_agreement.reasons(result)
    found += [("what the proxy does not see", "; ".join(why))] if why else []
    return [*found, ("sha256", result.artifact.sha256)]


def _relative(variant: Variant) -> list[tuple[str, str]]:
    """Return the measured ratios to the dense file, or why there are none."""
    found = variant.prediction
    if found is None or found.is_reference:
        return []
    text = "not known: the dense file was not measured in the same setup"
    if found.latency_ratio is not None:
        text = f"p50 {units.ratio(found.latency_ratio)}"
        text += f", energy {units.ratio(found.energy_ratio)}" if found.energy_ratio else ""
    return [("relative to the dense float32 file", text)]


def energy_text(energy: Energy) -> str:
    """Return a net energy with its tier, or why there is none.

    Args:
        energy: The energy.
    """
    if energy.tier != "measured":
        return f"{energy.tier}: {energy.reason or units.MISSING}"
    spread = energy.ci95_j
    limits = "" if spread is None else f" [{units.joules(spread[0])}, {units.joules(spread[1])}]"
    tag = ", replayed" if energy.replayed else ""
    return f"{units.joules(energy.net_j)}{limits} (measured by {energy.meter}{tag})"
