"""The results of ``edgeecg bench``."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from edgeecg.schema.artifacts import Artifact, Parity
from edgeecg.schema.calibration import CalibratedEstimate
from edgeecg.schema.costs import Proxy
from edgeecg.schema.device_info import DeviceInfo
from edgeecg.schema.documents import Suite
from edgeecg.schema.energy import Energy, EnergyWindow
from edgeecg.schema.remote import HostClock, HostFailure
from edgeecg.schema.value import (
    ActivationDType,
    Count,
    DType,
    Format,
    Fraction,
    Positive,
    Seconds,
    Sha256,
    Value,
)


class DataFile(Value):
    """A file with weights beside a model file.

    Attributes:
        file: File name.
        sha256: Hash of the file.
        data_bytes: Size of the file.
    """

    file: str
    sha256: Sha256
    data_bytes: Count


class ArtifactRef(Value):
    """Which file was measured.

    Attributes:
        file: File name as given.
        sha256: Hash of the file.
        format: File format.
        dtype: Type of the weights, read from the file.
        activation_dtype: Type of the activations that are multiplied with them, read from the file.
            A file with int8 weights and float32 activations is quantised by its weights only
            (dynamic-range quantisation). None if unknown, as in results of earlier versions.
        size_bytes: Size of the file and its data files.
        data_files: Files beside it that hold its weights (ONNX external data).
        manifest: The manifest embedded in the file, or None for a foreign file.
    """

    file: str
    sha256: Sha256
    format: Format
    dtype: DType
    activation_dtype: ActivationDType | None = None
    size_bytes: Count
    data_files: tuple[DataFile, ...] = ()
    manifest: Artifact | None = None


LATENCY_ROUNDS = 5
"""All files of one measurement are timed in turn, in this many rounds."""


class Latency(Value):
    """Time of one run: the invoke call alone, with as many windows as the file takes at once.

    Attributes:
        n: Number of timed runs.
        threads: Number of threads of the runtime.
        p50_s: Median.
        p90_s: 90th percentile.
        p99_s: 99th percentile.
        max_s: Slowest run.
        mean_s: Mean.
        first_s: Time of the first inference after loading, which includes set-up.
        warmup_n: Number of warm-up runs before the timed ones.
        pinned_cpu: Processor that the thread was bound to, or None when it was not bound to one.
        rate_hz: Runs per second that were asked for, or None for runs without pauses.
        spin: Whether idle worker threads spin between runs; None when the runtime has no such
            option.
        cpu_s: Processor time of one period in the whole process, including spinning threads; None
            unless ``rate_hz`` is given.
        samples_s: Time of every timed run, in order: one round after the other.
    """

    n: Count
    threads: Annotated[int, Field(ge=1)]
    p50_s: Seconds
    p90_s: Seconds
    p99_s: Seconds
    max_s: Seconds
    mean_s: Seconds
    first_s: Seconds
    warmup_n: Count
    pinned_cpu: int | None
    rate_hz: Positive | None = None
    spin: bool | None = None
    cpu_s: Seconds | None = None
    samples_s: tuple[float, ...]


class Breakdown(Value):
    """Parts of the median latency: t = empty graph + roofline + rest.

    Attributes:
        empty_graph_s: Median of a graph without operations in the same runtime; None if unknown.
        peak_macs_per_s: Measured peak of the core, in the file's dtype and runtime; None if
            unknown.
        roofline_s: MACs / peak; None if either is unknown.
        rest_s: The median without the other parts, which may be negative within the noise; None if
            a part is unknown.
        reason: Why a part is None, or None.
    """

    empty_graph_s: Seconds | None
    peak_macs_per_s: Positive | None
    roofline_s: Seconds | None
    rest_s: float | None
    reason: str | None = None


class Memory(Value):
    """Memory of a separate process that loads and runs the file.

    Attributes:
        peak_rss_bytes: Peak resident memory, including interpreter and runtime; None if unknown.
        model_rss_bytes: The peak minus the resident memory before the model was loaded; or None.
        reason: Why there is no figure, or None.
    """

    peak_rss_bytes: Count | None
    model_rss_bytes: int | None = None
    reason: str | None = None


class LayerTime(Value):
    """Time of one operation, as the runtime runs it; a fused operation is one.

    Attributes:
        name: The runtime's name for it, which starts with the name of the file's node.
        op: The kind of operation, as the runtime calls it.
        seconds: Time of one run, scaled so that the sum over all operations is the median latency.
        share: Fraction of the sum.
    """

    name: str
    op: str
    seconds: Seconds
    share: Fraction


class BenchResult(Value):
    """One file measured once on one device with one runtime.

    Attributes:
        artifact: The file.
        device: The machine.
        runtime: Runtime name and version, e.g. ``"litert 2.3.0"``.
        input_shape: Shape of the first input, or None in results of earlier versions. All figures
            are of one run on an input of this shape.
        p50_per_window_s: Median latency divided by the batch, which is the length of the first axis
            of the input; None in results of earlier versions.
        latency: Time of one inference.
        duty_cycle: Latency at a fixed rate, with spinning on and off; empty unless asked for.
        duty_energy: Energy of one period, for each of ``duty_cycle``; its net energy is what the
            inference and spinning threads add to the idle power. Empty without a meter.
        duty_reason: Why the file was not timed at the rate that was asked for, or None.
        breakdown: Parts of the median latency.
        energy: Energy of one inference, or why there is none.
        energy_windows: The windows that the energy was measured in, or could be measured in with a
            meter beside the device.
        proxy: Costs counted from the file, relative to the baseline.
        calibrated: Time and energy as predicted by the calibration of the device profile; None for
            a profile without one.
        memory: Memory of the process that runs the file.
        parity: Agreement with the outputs of PyTorch.
        layers: Time of every operation, in the order of execution; empty if unknown.
        layers_profiled_s: Sum of the operations in the profile, before they were scaled to the
            median; None if unknown.
        layers_reason: Why the times of the operations are unknown, or None.
        layers_method: How the operations were timed, e.g. ``"LiteRT profiler"``; None if unknown.
        layers_unexplained: Fraction of the time of a whole run that no operation accounts for;
            negative where the operations took longer than the whole, which fuses some of them. None
            if unknown.
        host: The host that ``--on`` named, as ssh takes it, in a fleet with its port; None for a
            measurement without it.
        host_clock: Its clock against that of the machine with the meter; None where the meter is
            not beside the device.
    """

    artifact: ArtifactRef
    device: DeviceInfo
    runtime: str
    input_shape: tuple[int, ...] | None = None
    p50_per_window_s: Seconds | None = None
    latency: Latency
    duty_cycle: tuple[Latency, ...] = ()
    duty_energy: tuple[Energy, ...] = ()
    duty_reason: str | None = None
    breakdown: Breakdown
    energy: Energy
    energy_windows: tuple[EnergyWindow, ...] = ()
    proxy: Proxy
    calibrated: CalibratedEstimate | None = None
    memory: Memory
    parity: Parity
    layers: tuple[LayerTime, ...] = ()
    layers_profiled_s: Positive | None = None
    # Results of earlier versions do not have this key.
    layers_reason: str | None = "The layers were not measured; measure the file again."
    layers_method: str | None = None
    layers_unexplained: float | None = None
    host: str | None = None
    host_clock: HostClock | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if bool(self.layers) == bool(self.layers_reason):
            raise ValueError("layers need to be measured, or a reason why they were not")
        if bool(self.layers) != (self.layers_profiled_s is not None):
            raise ValueError("layers_profiled_s belongs to measured layers")
        return self


class FileFailure(Value):
    """A file of several that could not be measured.

    Attributes:
        file: File name as given.
        what: What failed.
        why: The cause.
        todo: What to do.
    """

    file: str
    what: str
    why: str
    todo: str


class BenchReport(Value):
    """What ``edgeecg bench`` writes.

    Attributes:
        results: One result per file.
        suite: Number and length of the measurements.
        created_utc: Time of writing, ISO 8601.
        command: The command line.
        edgeecg_version: Version of this package.
        baseline: The file that all proxies are relative to, when the user named one.
        warnings: What may have disturbed the measurement, a sentence each.
        failed_files: Those of several files that could not be measured.
        failed_hosts: Those of several hosts that could not be measured on.
    """

    version: ClassVar[str] = "edgeecg.bench/1"

    results: tuple[BenchResult, ...]
    suite: Suite
    created_utc: str
    command: str
    edgeecg_version: str
    baseline: str | None = None
    warnings: tuple[str, ...] = ()
    failed_files: tuple[FileFailure, ...] = ()
    failed_hosts: tuple[HostFailure, ...] = ()

    def same_call(self, other: BenchReport) -> bool:
        """Return whether both hold results of one call of ``edgeecg bench``.

        Results of several runs are kept with each run, in a report that is a part of the whole one.

        Args:
            other: Another report.
        """
        return (self.created_utc, self.command, self.suite) == (
            other.created_utc,
            other.command,
            other.suite,
        )
