"""What was measured, on what, and how."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from edgeecg.schema.artifacts import Artifact, Parity
from edgeecg.schema.costs import Proxy
from edgeecg.schema.documents import Suite
from edgeecg.schema.value import Count, DType, Format, Fraction, Positive, Seconds, Sha256, Value


class ArtifactRef(Value):
    """Which file was measured.

    Attributes:
        file: File name as given.
        sha256: Hash of the file.
        format: File format.
        dtype: Type of the weights, read from the file.
        size_bytes: Size of the file.
        manifest: The manifest embedded in the file, or None for a foreign file.
    """

    file: str
    sha256: Sha256
    format: Format
    dtype: DType
    size_bytes: Count
    manifest: Artifact | None = None


class DeviceState(Value):
    """What could make two measurements differ, read before and after; None where unreadable.

    Attributes:
        governor: CPU frequency governor.
        frequency_hz: Current frequency of the measuring core.
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
        emulated: True under an emulator: its times are never published as the board's.
        machine: ``platform.machine()``.
        cpu: Processor name as the system gives it, or None.
        cores: Logical processors.
        memory_bytes: Physical memory.
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
    """Time of one inference, batch 1, around the bare invoke.

    Attributes:
        n: Timed runs.
        threads: Threads the runtime was given.
        p50_s: Median.
        p90_s: 90th percentile.
        p99_s: 99th percentile.
        max_s: Slowest run.
        mean_s: Mean.
        first_s: The very first inference, which also pays for set-up.
        warmup_n: Runs before the timed ones.
        pinned_cpu: Processor the process was bound to, or None where the system does not let it.
        rate_hz: Runs per second that were asked for, or None for back to back.
        spin: Whether idle worker threads spin between runs; None where the runtime has no switch.
        cpu_s: Processor time of one period in the whole process, spinning included; None unless
            ``rate_hz`` is given.
        samples_s: Every timed run, in order.
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
    """Where the median goes: t = empty graph + roofline + the rest.

    Attributes:
        empty_graph_s: Median of a graph that does nothing, in the same runtime; None if unknown.
        peak_macs_per_s: The core's measured peak in the file's dtype and runtime; None if unknown.
        roofline_s: MACs / peak; None if either is unknown.
        rest_s: What is left (may be negative within the noise); None if a part is unknown.
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
        meter: Meter that was read, or None.
        reason: Why it is not measured or not resolved; None when measured.
        gross_j: Median joules per inference with idle included, or None.
        net_j: Median joules per inference with idle subtracted, or None.
        ci95_j: Bootstrap 95 % interval of ``net_j``, or None.
        idle_w: Mean idle power, or None.
        detection_limit_j: Smallest net energy per inference that could be seen, or None.
        windows: Number of windows.
        inferences: Inferences in all windows.
        zones: What the meter covered, e.g. ``("package-0",)``.
        sample_rate_hz: Rate at which the meter delivers new values, or None.
        replayed: True when the stream was a recording or a simulation.
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
    """Memory of a fresh process that loads and runs the file.

    Attributes:
        peak_rss_bytes: Peak resident set, interpreter and runtime included; None if unreadable.
        model_rss_bytes: The part above the same process before the model was loaded; or None.
        reason: Why there is no figure, or None.
    """

    peak_rss_bytes: Count | None
    model_rss_bytes: int | None = None
    reason: str | None = None


class LayerTime(Value):
    """What one operation of a file takes, as the runtime runs it: fused ones are one.

    Attributes:
        name: The runtime's name for it, which starts with that of the file's node.
        op: The operation, in the runtime's words.
        seconds: Of one run, scaled so that all operations take the median latency together.
        share: Part of the whole.
    """

    name: str
    op: str
    seconds: Seconds
    share: Fraction


class BenchResult(Value):
    """One file measured once on one device with one runtime.

    Attributes:
        artifact: Which file.
        device: Where.
        runtime: Runtime name and version, e.g. ``"litert 2.3.0"``.
        latency: How long.
        duty_cycle: Latency at a slow rate with spinning on and off; empty unless asked for.
        breakdown: Where the time goes.
        energy: How many joules, or why not.
        proxy: What the count had promised.
        memory: How much memory.
        parity: Whether it still answers as PyTorch did.
        layers: Seconds of every operation, in the order of execution; empty if they are unknown.
        layers_profiled_s: What the operations took together while the runtime watched itself,
            before they were scaled to the median; None if they are unknown.
        layers_reason: Why the operations' seconds are unknown, or None.
    """

    artifact: ArtifactRef
    device: DeviceInfo
    runtime: str
    latency: Latency
    duty_cycle: tuple[Latency, ...] = ()
    breakdown: Breakdown
    energy: Energy
    proxy: Proxy
    memory: Memory
    parity: Parity
    layers: tuple[LayerTime, ...] = ()
    layers_profiled_s: Positive | None = None
    # Results of earlier versions do not have the key.
    layers_reason: str | None = "Layers were not looked at; bench the file again."

    @model_validator(mode="after")
    def _check(self) -> Self:
        if bool(self.layers) == bool(self.layers_reason):
            raise ValueError("layers are either measured or missing for a reason")
        if bool(self.layers) != (self.layers_profiled_s is not None):
            raise ValueError("measured layers, and no others, have a sum")
        return self


class BenchReport(Value):
    """What ``edgeecg bench`` writes.

    Attributes:
        results: One result per file.
        suite: The protocol that was followed.
        created_utc: Time of writing, ISO 8601.
        command: The command line.
        edgeecg_version: Version of this package.
    """

    version: ClassVar[str] = "edgeecg.benchmark/1"

    results: tuple[BenchResult, ...]
    suite: Suite
    created_utc: str
    command: str
    edgeecg_version: str
