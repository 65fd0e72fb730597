"""The TOML files that extend the program: export targets, devices and suites."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from edgeecg.schema.costs import ProxyCoefficients
from edgeecg.schema.value import Count, DType, Format, Fraction, Positive, Seconds, Value


class ExportRecipe(Value):
    """One export target: ``export/NAME.toml``.

    Attributes:
        name: The file's stem; what ``--target`` takes.
        format: File format; the name of the module of ``edgeecg/exporters`` that writes it.
        dtype: Type the weights are stored and multiplied in.
        description: One line for ``--help`` and error messages.
        calibration_windows: Training windows to calibrate static quantisation on; 0 for float.
        float_ops: Operations kept in float32 by a quantised target.
        float_modules: Classes of modules inside which a quantised target keeps all but convolutions
            and linear layers in float32.
        float_layers: Convolutions and linear layers kept in float32 by a quantised target. A run
            sets them, not a target: it chooses the layers whose quantisation lowers its score most.
        max_abs_diff: Largest difference from PyTorch's logits that the check after export accepts.
        min_label_agreement: Smallest fraction of equal labels that the check accepts.
    """

    name: str
    format: Format
    dtype: DType
    description: str
    calibration_windows: Count = 0
    float_ops: tuple[str, ...] = ()
    float_modules: tuple[str, ...] = ()
    float_layers: tuple[str, ...] = ()
    max_abs_diff: Positive
    min_label_agreement: Fraction


class DetectRule(Value):
    """How a board is recognised: all given conditions must hold.

    Attributes:
        machine: Accepted values of ``platform.machine()``.
        model_contains: Text in ``/proc/device-tree/model``, or in ``Model`` of ``/proc/cpuinfo``.
    """

    machine: tuple[str, ...]
    model_contains: str | None = None


class DeviceProfile(Value):
    """One board: ``devices/NAME.toml``.

    Attributes:
        name: The file's stem; what ``--device`` takes.
        title: Full name of the board.
        detect: How the board is recognised; None for a board that does not run Python.
        meters: Energy meters to try, in this order; names of ``edgeecg/meters``.
        no_meter: Message for the user when none of them works.
        coefficients: Coefficients of the proxy.
        notes: What to know before measuring on the board.
    """

    name: str
    title: str
    detect: DetectRule | None = None
    meters: tuple[str, ...] = ()
    no_meter: str
    coefficients: ProxyCoefficients = ProxyCoefficients()
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
        energy_windows: Number of energy windows.
        energy_window_seconds: Length of one energy window.
        idle_window_seconds: Length of the idle windows before, between and after them.
    """

    name: str
    description: str
    warmup_runs: Annotated[int, Field(ge=1)]
    warmup_seconds: Seconds
    min_runs: Annotated[int, Field(ge=10)]
    min_seconds: Seconds
    energy_windows: Annotated[int, Field(ge=1)]
    energy_window_seconds: Positive
    idle_window_seconds: Positive
