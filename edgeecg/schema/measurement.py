"""The results of ``edgeecg bench``."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from edgeecg.schema.artifacts import Artifact, Parity
from edgeecg.schema.costs import Proxy
from edgeecg.schema.documents import Suite
from edgeecg.schema.value import Count, DType, Format, Fraction, Positive, Seconds, Sha256, Value


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
    activation_dtype: DType | None = None
    size_bytes: Count
    data_files: tuple[DataFile, ...] = ()
    manifest: Artifact | None = None


class DeviceState(Value):
    """State of the machine that affects a measurement; None for what cannot be read.

    Attributes:
        governor: CPU frequency governor.
        frequency_hz: Current frequency of the core that measures.
        temperature_c: Temperature of the hottest sensor, degrees Celsius.
        throttled: Whether the firmware reports throttling (Raspberry Pi).
        load: One-minute load average.
    """

    governor: str | None
    frequency_hz: float | None
    temperature_c: float | None
    throttled: bool | None
    load: float | None


class DeviceInfo(Value):
    """The machine a figure was measured on.

    Attributes:
        name: Device profile, a file name of ``devices/``.
        emulated: Whether the machine is emulated. Such times are not those of the board.
        machine: ``platform.machine()``.
        cpu: Name of the processor, or None.
        cores: Number of logical processors.
        memory_bytes: Size of the physical memory.
        system: Operating system and kernel.
        python: Python version.
        before: State before the measurement.
        after: State after it.
    """

    name: str
    emulated: bool
    machine: str
    cpu: str | None
    cores: Count
    memory_bytes: Count
    system: str
    python: str
    before: DeviceState
    after: DeviceState


class Latency(Value):
    """Time of one inference with batch size 1: the invoke call alone.

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
        samples_s: Time of every timed run, in order.
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


class Energy(Value):
    """Energy of one inference, or why there is none.

    Attributes:
        tier: ``"measured"``, ``"not resolved"`` (below twice the detection limit), or
            ``"not measured"``.
        meter: Name of the meter, or None.
        reason: Why it is not measured or not resolved; None when measured.
        gross_j: Median energy per inference, including the idle power, or None.
        net_j: Median energy per inference, without the idle power, or None.
        ci95_j: Bootstrap 95 % interval of ``net_j``, or None.
        idle_w: Mean idle power, or None.
        detection_limit_j: Smallest net energy per inference that can be detected, or None.
        windows: Number of windows.
        inferences: Inferences in all windows.
        zones: What the meter covered, e.g. ``("package-0",)``.
        sample_rate_hz: Rate at which the meter delivers new values, or None.
        replayed: Whether the values of the meter were a recording or a simulation.
    """

    tier: Literal["measured", "not measured", "not resolved"]
    meter: str | None
    reason: str | None
    gross_j: float | None
    net_j: float | None
    ci95_j: tuple[float, float] | None
    idle_w: float | None = None
    detection_limit_j: float | None = None
    windows: Count = 0
    inferences: Count = 0
    zones: tuple[str, ...] = ()
    sample_rate_hz: float | None = None
    replayed: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.tier == "not measured" and (self.gross_j is not None or self.net_j is not None):
            raise ValueError("energy that was not measured cannot have joules")
        if self.tier == "measured" and (self.net_j is None or self.meter is None):
            raise ValueError("measured energy needs joules and a meter")
        if self.tier != "measured" and not self.reason:
            raise ValueError(f"energy that is {self.tier} needs a reason")
        return self


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
        breakdown: Parts of the median latency.
        energy: Energy of one inference, or why there is none.
        proxy: Costs counted from the file, relative to the baseline.
        memory: Memory of the process that runs the file.
        parity: Agreement with the outputs of PyTorch.
        layers: Time of every operation, in the order of execution; empty if unknown.
        layers_profiled_s: Sum of the operations in the profile, before they were scaled to the
            median; None if unknown.
        layers_reason: Why the times of the operations are unknown, or None.
    """

    artifact: ArtifactRef
    device: DeviceInfo
    runtime: str
    input_shape: tuple[int, ...] | None = None
    p50_per_window_s: Seconds | None = None
    latency: Latency
    duty_cycle: tuple[Latency, ...] = ()
    breakdown: Breakdown
    energy: Energy
    proxy: Proxy
    memory: Memory
    parity: Parity
    layers: tuple[LayerTime, ...] = ()
    layers_profiled_s: Positive | None = None
    # Results of earlier versions do not have this key.
    layers_reason: str | None = "The layers were not measured; measure the file again."

    @model_validator(mode="after")
    def _check(self) -> Self:
        if bool(self.layers) == bool(self.layers_reason):
            raise ValueError("layers need to be measured, or a reason why they were not")
        if bool(self.layers) != (self.layers_profiled_s is not None):
            raise ValueError("layers_profiled_s belongs to measured layers")
        return self


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
    """

    version: ClassVar[str] = "edgeecg.bench/1"

    results: tuple[BenchResult, ...]
    suite: Suite
    created_utc: str
    command: str
    edgeecg_version: str
    baseline: str | None = None
    warnings: tuple[str, ...] = ()
