"""The TOML files that extend the program: export targets, devices and suites."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from edgeecg.schema.calibration import Calibration
from edgeecg.schema.costs import ProxyCoefficients
from edgeecg.schema.value import (
    ActivationDType,
    Count,
    DType,
    Format,
    Fraction,
    Positive,
    Seconds,
    Value,
)


class ExportRecipe(Value):
    """One export target: ``export/NAME.toml``.

    Attributes:
        name: The file's stem; what ``--target`` takes.
        format: File format; the name of the module of ``edgeecg/exporters`` that writes it.
        dtype: Type the weights are stored in. They are multiplied in it, too, except for float16:
            the runtime converts these weights to float32 once, when it loads the file.
        activation_dtype: Type of the activations in the file; None for that of the weights. With
            float32 activations and int8 weights, the kernels of the runtime quantise the
            activations of each run themselves (dynamic-range quantisation).
        io_dtype: Type of the input and the output of the file.
        description: One line for ``--help`` and error messages.
        calibration_windows: Training windows to calibrate static quantisation on; 0 for float.
        float_ops: Operations kept in float32 by a quantised target.
        float_modules: Classes of modules inside which a quantised target keeps all but convolutions
            and linear layers in float32.
        float_layers: Convolutions and linear layers kept in float32 by a quantised target. A run
            sets them, not a target: it chooses the layers whose quantisation lowers its score most.
        search: Whether the operations and layers that stay float32 are searched for, so that the
            file is fastest within the limits below.
        max_abs_diff: Largest difference from PyTorch's logits that the check after export accepts;
            None for no limit.
        min_label_agreement: Smallest fraction of equal labels that the check accepts.
        max_score_drop: By how much the score on the validation split may be lower than PyTorch's
            (macro-F1; macro AUROC for records); None for no limit.
        max_time_ratio: Largest time relative to the float32 file of the same model, on the machine
            that exports; None for no limit.
    """

    name: str
    format: Format
    dtype: DType
    activation_dtype: ActivationDType | None = None
    io_dtype: Literal["float32", "int8"] = "float32"
    description: str
    calibration_windows: Count = 0
    float_ops: tuple[str, ...] = ()
    float_modules: tuple[str, ...] = ()
    float_layers: tuple[str, ...] = ()
    search: bool = False
    max_abs_diff: Positive | None = None
    min_label_agreement: Fraction
    max_score_drop: Fraction | None = None
    max_time_ratio: Positive | None = None


class DetectRule(Value):
    """How a board is recognised: all given conditions must hold.

    Attributes:
        machine: Accepted values of ``platform.machine()``. A 32-bit userland on a 64-bit kernel has
            the kernel's: list both.
        model_contains: Texts of which one is in ``/proc/device-tree/model``, or in ``Model`` of
            ``/proc/cpuinfo``, as whole words: ``Raspberry Pi 4`` is not in ``Raspberry Pi 400``.
        cpu_features: Processor features of which the machine has at least one; names as in
            ``/proc/cpuinfo``.
        system: ``platform.system()``, e.g. ``"Darwin"``; None for every system.
    """

    machine: tuple[str, ...]
    model_contains: tuple[str, ...] = ()
    cpu_features: tuple[str, ...] = ()
    system: str | None = None

    @field_validator("model_contains", mode="before")
    @classmethod
    def _one_or_more(cls, value: object) -> object:
        if value is None:
            return ()
        return (value,) if isinstance(value, str) else value


class Processor(Value):
    """The processor of a board, from documents; None for what differs or is not published.

    Attributes:
        core: Name of its cores, e.g. ``"Cortex-A76"``.
        count: Number of cores.
        clock_hz: Highest clock of a core.
        macs_per_cycle: Most multiply-accumulates that one core can do in a cycle, by dtype. What a
            runtime reaches is less.
        source: Where ``macs_per_cycle`` comes from, or None.
        reason: Why something is unknown, or None.
    """

    core: str
    count: Annotated[int, Field(ge=1)] | None = None
    clock_hz: Positive | None = None
    macs_per_cycle: dict[DType, Positive] = Field(default_factory=dict)
    source: str | None = None
    reason: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.macs_per_cycle and not self.source:
            raise ValueError("macs_per_cycle needs a source")
        known = self.count and self.clock_hz and set(self.macs_per_cycle) >= {"float32", "int8"}
        if not known and not self.reason:
            raise ValueError("what is unknown of a processor needs a reason")
        return self


class DeviceProfile(Value):
    """One board: ``devices/NAME.toml``.

    Attributes:
        name: The file's stem; what ``--device`` takes.
        title: Full name of the board.
        detect: How the board is recognised; None for a board that does not run Python.
        processor: What is published about its processor, or None.
        memory_bytes: The memory sizes it is sold with; empty where they differ too much to list.
        flash_bytes: Memory for programs and weights of a microcontroller, or None.
        sources: Documents that the figures are from, by name: ``count`` and ``clock_hz`` of the
            processor, ``memory_bytes``, ``flash_bytes``.
        meters: Energy meters to try, in this order; names of ``edgeecg/meters``.
        rails: Labels of the channels of a power sensor on the board that together are the board or
            module, without overlaps. The meter hwmon adds these; empty when there is no choice.
        external_meters: Meters that can measure in the board's supply, best first; names of
            ``edgeecg/meters``.
        no_meter: Message for the user when none of ``meters`` works.
        to_buy: What to buy to measure the energy of this board, or why nothing need be bought.
        coefficients: Coefficients of the proxy.
        calibration: Costs that ``edgeecg calibrate`` fitted to measurements on this device, or
            None.
        notes: What to know before measuring on the board.
    """

    name: str
    title: str
    detect: DetectRule | None = None
    processor: Processor | None = None
    memory_bytes: tuple[Count, ...] = ()
    flash_bytes: Count | None = None
    sources: dict[Literal["count", "clock_hz", "memory_bytes", "flash_bytes"], str] = Field(
        default_factory=dict
    )
    meters: tuple[str, ...] = ()
    rails: tuple[str, ...] = ()
    external_meters: tuple[str, ...] = ()
    no_meter: str
    to_buy: str = ""
    coefficients: ProxyCoefficients = ProxyCoefficients()
    calibration: Calibration | None = None
    notes: str = ""


class Suite(Value):
    """How to measure: ``benchmarks/suites/NAME.toml``.

    Attributes:
        name: The file's stem; what ``--suite`` takes.
        description: One line.
        warmup_runs: Smallest number of warm-up runs.
        warmup_seconds: Shortest warm-up.
        min_runs: Smallest number of timed runs.
        min_seconds: Shortest timed period.
        energy_windows: Number of energy windows; fewer than 3 have no interval.
        energy_window_seconds: Length of one energy window.
        idle_window_seconds: Length of the idle windows before, between and after them.
    """

    name: str
    description: str
    warmup_runs: Annotated[int, Field(ge=1)]
    warmup_seconds: Seconds
    min_runs: Annotated[int, Field(ge=10)]
    min_seconds: Seconds
    energy_windows: Annotated[int, Field(ge=3)]
    energy_window_seconds: Positive
    idle_window_seconds: Positive
