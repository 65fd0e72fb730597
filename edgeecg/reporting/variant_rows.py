"""The values of a report on many results; ``--json`` and ``--table`` write them."""

from __future__ import annotations

from typing import ClassVar

from edgeecg.reporting.rows import AgreementRow
from edgeecg.reporting.variants import Variant
from edgeecg.schema import Value
from edgeecg.statistics.changes import Change


class VariantRow(Value):
    """One file in one measuring setup, or one that was not measured.

    Attributes:
        source: The run or document, as the user named it.
        label: Which of its results.
        model: Architecture, or the file's name.
        dtype: Type of weights and activations.
        place: Device, runtime and threads in words; empty without a measurement.
        score_name: Name of the main score, or None.
        score: Its value on the test records, or None.
        score_ci95_low: Lower end of its 95 % interval, or None.
        score_ci95_high: Upper end.
        change: The score minus that of the dense float32 file, or None.
        change_ci95_low: Lower end of its paired 95 % interval, or None.
        change_ci95_high: Upper end.
        size_bytes: Size of the file.
        parameters: Number of parameters.
        macs: Multiply-accumulates of an inference.
        p50_s: Median latency.
        p99_s: 99th percentile.
        latency_ratio: p50 relative to the dense float32 file.
        net_j: Measured net energy of an inference; None where it was not measured.
        energy_tier: ``"measured"``, ``"not resolved"`` or ``"not measured"``.
        energy_reason: Why there is no energy, or None.
        energy_replayed: Whether the values of the meter were a recording or a simulation.
        energy_ratio: Net energy relative to the dense float32 file.
        relative_to: The file that ``bench --baseline`` named, which ratios and proxies are relative
            to in its place; None where none was named.
        calibrated_s: Time as predicted by the calibration of the device.
        calibrated_j: Net energy as predicted by it.
        proxy_executed: Executed proxy relative to the dense float32 file.
        proxy_ideal: Ideal proxy relative to it.
        latency_over_proxy: ``latency_ratio / proxy_executed``.
    """

    source: str
    label: str
    model: str
    dtype: str
    place: str
    score_name: str | None = None
    score: float | None = None
    score_ci95_low: float | None = None
    score_ci95_high: float | None = None
    change: float | None = None
    change_ci95_low: float | None = None
    change_ci95_high: float | None = None
    size_bytes: int | None = None
    parameters: int | None = None
    macs: int | None = None
    p50_s: float | None = None
    p99_s: float | None = None
    latency_ratio: float | None = None
    net_j: float | None = None
    energy_tier: str = "not measured"
    energy_reason: str | None = None
    energy_replayed: bool = False
    energy_ratio: float | None = None
    relative_to: str | None = None
    calibrated_s: float | None = None
    calibrated_j: float | None = None
    proxy_executed: float | None = None
    proxy_ideal: float | None = None
    latency_over_proxy: float | None = None


class ResultsReport(Value):
    """What ``edgeecg report RESULT... --json`` writes.

    Attributes:
        variants: The files.
        agreement: How well proxy and calibration predicted the measurements.
        left_out: What could not be read, and why.
    """

    version: ClassVar[str] = "edgeecg.report-results/1"

    variants: tuple[VariantRow, ...]
    agreement: tuple[AgreementRow, ...] = ()
    left_out: tuple[str, ...] = ()


def row(variant: Variant, change: Change | None) -> VariantRow:
    """Return the numbers of a variant.

    Args:
        variant: The variant.
        change: How much its score differs from its dense file's, or None.
    """
    subject, result, found = variant.subject, variant.subject.result, variant.prediction
    values: dict[str, object] = {"energy_reason": subject.unmeasured}
    if (scores := subject.scores) is not None:
        low, high = scores.headline_ci95 or (None, None)
        name, value = scores.headline
        values |= {"score_name": name, "score": value}
        values |= {"score_ci95_low": low, "score_ci95_high": high}
    if change is not None:
        low, high = change.ci95 or (None, None)
        values |= {"change": change.value, "change_ci95_low": low, "change_ci95_high": high}
    if result is not None:
        energy, predicted = result.energy, result.calibrated
        values |= {
            "p50_s": result.latency.p50_s,
            "p99_s": result.latency.p99_s,
            "net_j": energy.net_j if energy.tier == "measured" else None,
            "energy_tier": energy.tier,
            "energy_reason": energy.reason,
            "energy_replayed": energy.replayed,
            "calibrated_s": predicted and predicted.seconds,
            "calibrated_j": predicted and predicted.net_j,
        }
    if found is not None:
        values |= {
            "latency_ratio": found.latency_ratio,
            "energy_ratio": found.energy_ratio,
            "latency_over_proxy": found.latency_over_proxy,
        }
    if subject.report is not None:
        values |= {"relative_to": subject.report.baseline}
    if subject.proxy is not None:
        values |= {"proxy_executed": subject.proxy.executed, "proxy_ideal": subject.proxy.ideal}
    return VariantRow.model_validate(
        {
            "source": subject.source,
            "label": subject.label,
            "model": variant.model,
            "dtype": variant.dtype,
            "place": variant.place,
            "size_bytes": subject.size_bytes,
            "parameters": subject.parameters,
            "macs": subject.macs,
            **values,
        }
    )
