"""How well the proxy predicted what was measured, for the results of one report.

A ratio is that of a file to its reference: the file that the user named as the baseline, or else
the dense float32 file of the same format that it was compressed from, measured in the same call.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgeecg.schema import BenchReport, BenchResult


@dataclass(frozen=True)
class Prediction:
    """Measured ratios of one file to its reference, and the proxy beside them.

    Attributes:
        latency_ratio: Median latency over that of the reference; None without a reference.
        energy_ratio: Net energy over that of the reference; None unless both are measured with the
            same meter.
        proxy: The executed proxy, or None.
        calibrated_latency: What the calibration of the device predicts in place of the latency
            ratio; None without a calibration or a reference.
        calibrated_energy: What it predicts in place of the energy ratio, or None.
        is_reference: Whether it is its own reference, so that every ratio is 1.
    """

    latency_ratio: float | None
    energy_ratio: float | None
    proxy: float | None
    calibrated_latency: float | None = None
    calibrated_energy: float | None = None
    is_reference: bool = False

    @property
    def latency_over_proxy(self) -> float | None:
        """The measured latency ratio over the proxy: 1 where the proxy predicted it exactly."""
        return _quotient(self.latency_ratio, self.proxy)

    @property
    def energy_over_proxy(self) -> float | None:
        """The measured energy ratio over the proxy."""
        return _quotient(self.energy_ratio, self.proxy)


def predictions(report: BenchReport) -> list[Prediction]:
    """Return the ratios of every result of a report, in its order."""
    return [_prediction(result, _reference(result, report)) for result in report.results]


def _prediction(result: BenchResult, reference: BenchResult | None) -> Prediction:
    if reference is None:
        return Prediction(None, None, result.proxy.executed)
    return against(result, reference)


def against(result: BenchResult, reference: BenchResult) -> Prediction:
    """Return the ratios of a result to its reference.

    Args:
        result: The measurement.
        reference: The measurement of its dense float32 file in the same setup.
    """
    predicted, base = result.calibrated, reference.calibrated
    return Prediction(
        latency_ratio=_quotient(result.latency.p50_s, reference.latency.p50_s),
        energy_ratio=_energy_ratio(result, reference),
        proxy=result.proxy.executed,
        calibrated_latency=predicted and base and _quotient(predicted.seconds, base.seconds),
        calibrated_energy=predicted and base and _quotient(predicted.net_j, base.net_j),
        is_reference=result is reference,
    )


def _energy_ratio(result: BenchResult, reference: BenchResult) -> float | None:
    energy, base = result.energy, reference.energy
    if energy.tier != "measured" or base.tier != "measured":
        return None
    if (energy.meter, energy.zones, energy.replayed) != (base.meter, base.zones, base.replayed):
        return None
    return _quotient(energy.net_j, base.net_j)


def _reference(result: BenchResult, report: BenchReport) -> BenchResult | None:
    """Return the measurement that a result is compared with, or None when there is none."""
    beside = [
        each
        for each in report.results
        if (each.host, each.device.name, each.latency.threads)
        == (result.host, result.device.name, result.latency.threads)
    ]
    if report.baseline is not None:
        named = Path(report.baseline)
        found = [each for each in beside if Path(each.artifact.file).absolute() == named.absolute()]
        # A relative path means the folder of the measurement, and the report may be read elsewhere.
        found = found or [each for each in beside if Path(each.artifact.file).name == named.name]
        return found[0] if len(found) == 1 else None
    manifest = result.artifact.manifest
    if manifest is None:
        return None
    for each in beside:
        other = each.artifact.manifest
        if other is not None and other.is_dense_file_of(manifest):
            return each
    return None


def _quotient(value: float | None, by: float | None) -> float | None:
    return None if value is None or not by else value / by
