"""The values of a report; ``edgeecg report --json`` writes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from edgeecg.schema import (
    BudgetCheck,
    CalibratedEstimate,
    DType,
    Energy,
    Format,
    Role,
    Source,
    Task,
    Value,
)


@dataclass(frozen=True)
class Headline:
    """The main score, and its change.

    Attributes:
        name: ``"macro-F1"`` for beats, ``"macro AUROC"`` for records.
        value: Score on the test records, or None when not tested.
        change: ``value`` minus the baseline's score, or None.
        ci95: Paired bootstrap 95 % interval of ``change``, or None.
    """

    name: str
    value: float | None
    change: float | None
    ci95: tuple[float, float] | None


class ModelRow(Value):
    """One PyTorch model.

    Attributes:
        role: Dense baseline or compressed model.
        task: ``"beats"``: one class per heartbeat; ``"records"``: any number of classes per record.
        parameters: Number of parameters.
        nonzero_parameters: Number of parameters that are not exactly zero.
        macs: Multiply-accumulates per inference.
        val_accuracy: Accuracy on the validation records.
        val_macro_f1: Macro-F1 on the validation records.
        test_accuracy: Accuracy on the test records.
        test_accuracy_ci95: Bootstrap 95 % interval of ``test_accuracy`` over records, or None.
        test_macro_f1: Macro-F1 on the test records.
        test_macro_f1_ci95: Bootstrap 95 % interval of ``test_macro_f1`` over records, or None.
        recall: Sensitivity by class on the test records.
        precision: Positive predictivity by class on the test records.
        recall_without_record: Sensitivity without a class's dominant record, which holds more than
            half of the class's beats, e.g. ``{"S without record 101": 0.5}``.
        s_recall_without_232: That of class S when its dominant record is 232; kept for scripts.
        macro_f1_change: Test macro-F1 minus the baseline's, or None.
        macro_f1_change_ci95: Paired bootstrap 95 % interval of ``macro_f1_change`` over records, or
            None.
        val_macro_auroc: Macro AUROC on the validation records. This and all AUROC and AUPRC values
            below are None for beats.
        test_macro_auroc: Macro AUROC on the test records.
        test_macro_auroc_ci95: Bootstrap 95 % interval of ``test_macro_auroc`` over patients.
        test_macro_auprc: Macro average precision on the test records.
        test_macro_auprc_ci95: Bootstrap 95 % interval of ``test_macro_auprc`` over patients.
        auroc: AUROC by class on the test records; None for a class without one.
        macro_auroc_change: Test macro AUROC minus the baseline's.
        weights_sha256: Hash of the weights.
    """

    role: Role
    task: Task
    parameters: int
    nonzero_parameters: int
    macs: int
    val_accuracy: float
    val_macro_f1: float
    test_accuracy: float
    test_accuracy_ci95: tuple[float, float] | None
    test_macro_f1: float
    test_macro_f1_ci95: tuple[float, float] | None
    recall: dict[str, float]
    precision: dict[str, float]
    recall_without_record: dict[str, float]
    s_recall_without_232: float | None
    macro_f1_change: float | None
    macro_f1_change_ci95: tuple[float, float] | None
    val_macro_auroc: float | None
    test_macro_auroc: float | None
    test_macro_auroc_ci95: tuple[float, float] | None
    test_macro_auprc: float | None
    test_macro_auprc_ci95: tuple[float, float] | None
    auroc: dict[str, float | None]
    macro_auroc_change: float | None
    weights_sha256: str

    @property
    def headline(self) -> Headline:
        """The main test score."""
        if self.task == "records":
            return Headline("macro AUROC", self.test_macro_auroc, self.macro_auroc_change, None)
        change, ci95 = self.macro_f1_change, self.macro_f1_change_ci95
        return Headline("macro-F1", self.test_macro_f1, change, ci95)


class MeasuredRow(Value):
    """One measurement of an exported file, compared with its proxy.

    Attributes:
        place: Device, runtime and threads in words.
        device: Device profile.
        emulated: Whether the device was emulated.
        runtime: Runtime and version.
        threads: Number of threads of the runtime.
        created_utc: When it was measured.
        source: File name of the bench report.
        n: Number of timed runs.
        p50_s: Median latency.
        p90_s: 90th percentile.
        p99_s: 99th percentile.
        first_s: Time of the first inference.
        energy: The energy of one inference, or why there is none.
        proxy_ideal: Ideal proxy relative to the baseline, with this device's coefficients, or None.
        proxy_executed: Executed proxy relative to the baseline, or None.
        calibrated: What the calibration of the device profile predicts; None without one.
        latency_ratio: p50 relative to the baseline's float32 file in the same setup, or None.
        energy_ratio: Net energy relative to that file's, by the same meter, or None.
        latency_over_proxy: ``latency_ratio / proxy_executed``; 1 when the proxy predicted the
            latency exactly; or None.
        energy_over_proxy: ``energy_ratio / proxy_executed``, or None.
        latency_reason: Why there is no latency ratio, or None.
        energy_reason: Why there is no energy ratio, or None.
        same_call: Whether the baseline's file was measured in the same bench call, or None.
        peak_rss_bytes: Peak resident memory, or None.
        memory_reason: Why there is no memory figure, or None.
        probe_n: Number of probe windows compared on the device, or None.
        max_abs_diff: Largest difference of a logit from PyTorch's, or None.
        label_agreement: Fraction of the probe windows with the same label, or None.
        parity_reason: Why the outputs were not compared, or None.
    """

    place: str
    device: str
    emulated: bool
    runtime: str
    threads: int
    created_utc: str
    source: str
    n: int
    p50_s: float
    p90_s: float
    p99_s: float
    first_s: float
    energy: Energy
    proxy_ideal: float | None
    proxy_executed: float | None
    latency_ratio: float | None
    energy_ratio: float | None
    latency_over_proxy: float | None
    energy_over_proxy: float | None
    latency_reason: str | None
    energy_reason: str | None
    same_call: bool | None
    peak_rss_bytes: int | None
    memory_reason: str | None
    probe_n: int | None
    max_abs_diff: float | None
    label_agreement: float | None
    parity_reason: str | None
    calibrated: CalibratedEstimate | None = None


class FileRow(Value):
    """One exported file in one measuring setup, or not measured.

    Attributes:
        file: File name.
        label: Role and target.
        role: Dense baseline or compressed model.
        target: Export target.
        format: File format.
        dtype: Type the weights are stored and multiplied in.
        size_bytes: Size of the file.
        sha256: Hash of the file.
        data: Source of the records that the model was trained and tested on.
        task: ``"beats"``: one class per heartbeat; ``"records"``: any number of classes per record.
        accuracy: Accuracy of the file itself on the test records, or None.
        macro_f1: Macro-F1 of the file itself on the test records, or None.
        macro_f1_change: ``macro_f1`` minus that of the PyTorch baseline, or None.
        macro_f1_change_ci95: Paired bootstrap 95 % interval of ``macro_f1_change`` over records, or
            None.
        macro_auroc: Macro AUROC of the file itself on the test records; None for beats.
        macro_auroc_change: ``macro_auroc`` minus that of the PyTorch baseline, or None.
        proxy_ideal: Ideal proxy relative to the baseline, or None.
        proxy_executed: Executed proxy relative to the baseline, or None.
        proxy_reason: Why the proxies are None, or None.
        macs: MACs that the runtime executes.
        weight_bytes: Bytes of weights in the file.
        measured: The measurement, or None.
        reason: Why there is no measurement, or None.
    """

    file: str
    label: str
    role: Role
    target: str
    format: Format
    dtype: DType
    size_bytes: int
    sha256: str
    data: Source
    task: Task
    accuracy: float | None
    macro_f1: float | None
    macro_f1_change: float | None
    macro_f1_change_ci95: tuple[float, float] | None
    macro_auroc: float | None
    macro_auroc_change: float | None
    proxy_ideal: float | None
    proxy_executed: float | None
    proxy_reason: str | None
    macs: int
    weight_bytes: int
    measured: MeasuredRow | None
    reason: str | None

    @property
    def headline(self) -> Headline:
        """The main test score."""
        if self.task == "records":
            return Headline("macro AUROC", self.macro_auroc, self.macro_auroc_change, None)
        return Headline("macro-F1", self.macro_f1, self.macro_f1_change, self.macro_f1_change_ci95)


class AgreementRow(Value):
    """How well one prediction agreed with one measured quantity, over several files.

    Attributes:
        quantity: ``"latency"`` or ``"energy"``.
        prediction: ``"executed"`` or ``"ideal"`` proxy, or ``"calibrated"``.
        dtype: Type of the files, or ``"all"``.
        n: Number of files.
        models: Number of architectures.
        spearman: Rank correlation, or None where it is not defined.
        spearman_ci95: Bootstrap 95 % interval of it, or None.
        resampled: What was drawn for the interval: ``"groups"`` (models) or ``"points"`` (files).
        median_ratio: Median of measured over predicted.
        worst_ratio: The ratio furthest from 1.
        worst: Its file.
        factor: Of the line ``measured = factor * predicted ** exponent``, or None.
        exponent: Of the same line, or None.
    """

    quantity: Literal["latency", "energy"]
    prediction: Literal["executed", "ideal", "calibrated"]
    dtype: str
    n: int
    models: int
    spearman: float | None
    spearman_ci95: tuple[float, float] | None
    resampled: str | None
    median_ratio: float
    worst_ratio: float
    worst: str
    factor: float | None
    exponent: float | None


class Comparison(Value):
    """What ``edgeecg report --json`` writes.

    Attributes:
        run: Name of the run.
        model: Architecture.
        task: ``"beats"``: one class per heartbeat; ``"records"``: any number of classes per record.
        data: Source of the records that the model was trained and tested on.
        models: The PyTorch models, baseline first.
        files: The exported files, one row for each measuring setup.
        agreement: How well proxy and calibration predicted the measurements.
        budgets: Whether each compressed file keeps each budget of the run.
    """

    version: ClassVar[str] = "edgeecg.report/1"

    run: str
    model: str
    task: Task
    data: Source
    models: tuple[ModelRow, ...]
    files: tuple[FileRow, ...]
    agreement: tuple[AgreementRow, ...] = ()
    budgets: tuple[BudgetCheck, ...] = ()
