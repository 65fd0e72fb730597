"""Computing the figures of a report: compressed against baseline, measured against proxy."""

from __future__ import annotations

from edgeecg.costs import budgets, proxy
from edgeecg.reporting import proxy_agreement, units, variants
from edgeecg.reporting.documents import Exported, RunDocuments
from edgeecg.reporting.rows import Comparison, FileRow, MeasuredRow, ModelRow
from edgeecg.reporting.run_measurements import Measurement
from edgeecg.schema import ModelCard, ProxyCoefficients, Scores
from edgeecg.statistics import changes, confusion


def compare(documents: RunDocuments) -> Comparison:
    """Compute the figures of a run.

    Args:
        documents: The documents of the run.

    Returns:
        One row per PyTorch model, and one per exported file and measuring setup.
    """
    cards = [card for card in (documents.baseline, documents.model) if card is not None]
    files: list[FileRow] = []
    for exported in documents.exported:
        measured = [_measured(m, documents) for m in documents.of(exported)]
        files.extend(_file(exported, row, documents) for row in measured or [None])
    return Comparison(
        run=documents.name,
        model=documents.model.name,
        task=documents.model.test.task,
        data=documents.model.data.source,
        models=tuple(_model(card, documents.baseline) for card in cards),
        files=tuple(files),
        agreement=proxy_agreement.rows(
            proxy_agreement.points(variants.of_run(documents.name, documents))
        ),
        budgets=budgets.checks(documents.log, [each.manifest for each in documents.exported]),
    )


def headline(comparison: Comparison) -> FileRow | None:
    """Return the row that the summary shows, or None when no compressed file was exported.

    It is the smallest compressed file. Of its setups, a measured one is preferred to an unmeasured
    one, then a real device to an emulated one, a setup with a latency ratio to one without, and
    one thread to several.
    """

    def rank(row: FileRow) -> tuple[int, bool, bool, bool, int]:
        m = row.measured
        return (
            row.size_bytes,
            m is None,
            m is None or m.emulated,
            m is None or m.latency_ratio is None,
            m.threads if m else 0,
        )

    compressed = [row for row in comparison.files if row.role == "compressed"]
    return min(compressed, key=rank, default=None)


def _model(card: ModelCard, baseline: ModelCard | None) -> ModelRow:
    change = _change(card.test, baseline) if card.role == "compressed" else None
    curve = _curve_change(card.test, baseline) if card.role == "compressed" else None
    dominant = confusion.dominant_records(card.test)
    return ModelRow(
        role=card.role,
        task=card.test.task,
        parameters=card.parameters,
        nonzero_parameters=card.nonzero_parameters,
        macs=card.macs,
        val_accuracy=card.val.accuracy,
        val_macro_f1=card.val.macro_f1,
        test_accuracy=card.test.accuracy,
        test_accuracy_ci95=card.test.accuracy_ci95,
        test_macro_f1=card.test.macro_f1,
        test_macro_f1_ci95=card.test.macro_f1_ci95,
        recall={name: score.recall for name, score in card.test.per_class.items()},
        precision={name: score.precision for name, score in card.test.per_class.items()},
        recall_without_record={d.label: d.rest.recall for d in dominant},
        s_recall_without_232={d.key: d.rest.recall for d in dominant}.get("s_without_232"),
        macro_f1_change=change.value if change else None,
        macro_f1_change_ci95=change.ci95 if change else None,
        val_macro_auroc=card.val.macro_auroc,
        test_macro_auroc=card.test.macro_auroc,
        test_macro_auroc_ci95=card.test.macro_auroc_ci95,
        test_macro_auprc=card.test.macro_auprc,
        test_macro_auprc_ci95=card.test.macro_auprc_ci95,
        auroc={name: score.auroc for name, score in card.test.per_class.items()},
        macro_auroc_change=curve.value if curve else None,
        weights_sha256=card.weights_sha256,
    )


def _change(test: Scores, baseline: ModelCard | None) -> changes.Change | None:
    return None if baseline is None else changes.macro_f1_change(baseline.test, test)


def _curve_change(test: Scores, baseline: ModelCard | None) -> changes.Change | None:
    return None if baseline is None else changes.macro_auroc_change(baseline.test, test)


def _file(exported: Exported, measured: MeasuredRow | None, documents: RunDocuments) -> FileRow:
    manifest, baseline = exported.manifest, documents.baseline
    change = _change(manifest.test, baseline) if manifest.test else None
    curve = _curve_change(manifest.test, baseline) if manifest.test else None
    counted = proxy.relative(
        manifest.costs,
        None if manifest.baseline is None else manifest.baseline.costs,
        ProxyCoefficients(),
    )
    return FileRow(
        file=exported.file,
        label=exported.label,
        role=manifest.role,
        target=manifest.target,
        format=manifest.format,
        dtype=manifest.dtype,
        size_bytes=exported.size_bytes,
        sha256=exported.sha256,
        data=manifest.data,
        task=manifest.task,
        accuracy=manifest.test.accuracy if manifest.test else None,
        macro_f1=manifest.test.macro_f1 if manifest.test else None,
        macro_f1_change=change.value if change else None,
        macro_f1_change_ci95=change.ci95 if change else None,
        macro_auroc=manifest.test.macro_auroc if manifest.test else None,
        macro_auroc_change=curve.value if curve else None,
        proxy_ideal=counted.ideal,
        proxy_executed=counted.executed,
        proxy_reason=counted.reason,
        macs=sum(manifest.costs.macs.values()),
        weight_bytes=manifest.costs.weight_bytes,
        measured=measured,
        reason=None if measured else f"Not measured yet. Run: {documents.to_measure}",
    )


def _measured(measurement: Measurement, documents: RunDocuments) -> MeasuredRow:
    result = measurement.result
    reference = documents.reference_of(measurement)
    latency_ratio, latency_reason = _latency_ratio(measurement, reference)
    energy_ratio, energy_reason = _energy_ratio(measurement, reference)
    executed = result.proxy.executed
    return MeasuredRow(
        place=measurement.place,
        device=result.device.name,
        emulated=result.device.emulated,
        runtime=result.runtime,
        threads=result.latency.threads,
        created_utc=measurement.report.created_utc,
        source=measurement.source,
        n=result.latency.n,
        p50_s=result.latency.p50_s,
        p90_s=result.latency.p90_s,
        p99_s=result.latency.p99_s,
        first_s=result.latency.first_s,
        energy=result.energy,
        proxy_ideal=result.proxy.ideal,
        proxy_executed=executed,
        latency_ratio=latency_ratio,
        energy_ratio=energy_ratio,
        latency_over_proxy=_quotient(latency_ratio, executed),
        energy_over_proxy=_quotient(energy_ratio, executed),
        latency_reason=latency_reason,
        energy_reason=energy_reason,
        same_call=None if reference is None else reference.report.same_call(measurement.report),
        peak_rss_bytes=result.memory.peak_rss_bytes,
        memory_reason=result.memory.reason,
        probe_n=result.parity.n,
        max_abs_diff=result.parity.max_abs_diff,
        label_agreement=result.parity.label_agreement,
        parity_reason=result.parity.reason,
        calibrated=result.calibrated,
    )


def _latency_ratio(
    measurement: Measurement, reference: Measurement | None
) -> tuple[float | None, str | None]:
    if reference is None:
        return None, _no_reference(measurement)
    p50 = reference.result.latency.p50_s
    if p50 == 0:
        return None, "The baseline's median time is zero; the resolution of the clock is too low."
    return measurement.result.latency.p50_s / p50, None


def _energy_ratio(
    measurement: Measurement, reference: Measurement | None
) -> tuple[float | None, str | None]:
    energy = measurement.result.energy
    if energy.tier != "measured" or energy.net_j is None:
        return None, f"Energy {energy.tier}: {energy.reason or units.MISSING}"
    if reference is None:
        return None, _no_reference(measurement)
    base = reference.result.energy
    if base.tier != "measured" or base.net_j is None:
        return None, f"The baseline's energy is {base.tier}: {base.reason or units.MISSING}"
    if (energy.meter, energy.zones, energy.replayed) != (base.meter, base.zones, base.replayed):
        return None, "The baseline was measured with another meter or other zones."
    if base.net_j <= 0:
        return None, "The baseline's net energy is not above zero."
    return energy.net_j / base.net_j, None


def _no_reference(measurement: Measurement) -> str:
    return (
        f"The baseline's float32 .{measurement.result.artifact.format} file was not measured on "
        f"{measurement.place}."
    )


def _quotient(value: float | None, by: float | None) -> float | None:
    return None if value is None or not by else value / by
