"""The machine that something was measured on, and its state meanwhile."""

from __future__ import annotations

from typing import Literal

from edgeecg.schema.value import Count, Positive, Value


class DeviceState(Value):
    """State of the machine that affects a measurement; None for what cannot be read.

    Attributes:
        governor: CPU frequency governor.
        frequency_hz: Frequency of the core that measures, while it works.
        temperature_c: Temperature of the hottest sensor, degrees Celsius.
        throttled: Whether the firmware reports throttling now (Raspberry Pi).
        load: One-minute load average.
        throttle_now: What the firmware reports now (Raspberry Pi): ``"undervoltage"``,
            ``"frequency capped"``, ``"throttled"``, ``"soft temperature limit"``.
        throttle_since_boot: What of these it has reported at any time since boot.
        throttle_events: Number of times that the processor was slowed down by its temperature since
            boot (x86).
        swap_used_bytes: Swap in use.
        swapped_bytes: Bytes moved to and from swap since boot.
    """

    governor: str | None
    frequency_hz: float | None
    temperature_c: float | None
    throttled: bool | None
    load: float | None
    # Results of earlier versions do not have the keys below.
    throttle_now: tuple[str, ...] | None = None
    throttle_since_boot: tuple[str, ...] | None = None
    throttle_events: Count | None = None
    swap_used_bytes: Count | None = None
    swapped_bytes: Count | None = None


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
        board: Name of the board, or None.
        core: Name of its cores (ARM), e.g. ``"Cortex-A76"``, or None.
        cpu_features: Vector and matrix extensions of the processor, as ``/proc/cpuinfo`` names
            them; None if unknown.
        int8_dot_product: Whether it has instructions that add up products of int8 numbers, without
            which int8 files are hardly faster than float32 ones; None if unknown.
        max_frequency_hz: Highest frequency of the core that measures, or None.
        userland_bits: 32 or 64: the width of this Python, which may differ from the kernel's.
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
    # Results of earlier versions do not have the keys below.
    board: str | None = None
    core: str | None = None
    cpu_features: tuple[str, ...] | None = None
    int8_dot_product: bool | None = None
    max_frequency_hz: Positive | None = None
    userland_bits: Literal[32, 64] | None = None
