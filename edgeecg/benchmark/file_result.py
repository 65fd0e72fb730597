"""The result of one file, put together from all that was measured of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgeecg.benchmark import artifacts, breakdown, energy, layers
from edgeecg.benchmark.breakdown import ReferenceKernels
from edgeecg.benchmark.energy_measurement import MeasuredEnergy
from edgeecg.benchmark.file_steps import DutyCycle, LoadedFile, Setup
from edgeecg.costs import calibration
from edgeecg.runtimes import Profile
from edgeecg.schema import BenchResult, CalibratedEstimate, CostTotals, DeviceInfo

_TOO_SHORT = "Every operation is shorter than the resolution of the profiler's clock."


@dataclass(frozen=True)
class Common:
    """What the results of all files have in common.

    Attributes:
        device: The machine.
        cpu: The processor that the thread was bound to, or None.
        kernels: The reference kernels of every format.
        baseline: Costs of the baseline that the user named, or None.
    """

    device: DeviceInfo
    cpu: int | None
    kernels: Mapping[str, ReferenceKernels]
    baseline: CostTotals | None


@dataclass(frozen=True)
class Measured:
    """A file, and what was measured of it after its latency.

    Attributes:
        file: The file, with the times of its runs.
        profile: The times of its operations.
        duty_cycle: Its runs at a fixed rate.
        energy: The energy of one run.
    """

    file: LoadedFile
    profile: Profile
    duty_cycle: DutyCycle = field(default_factory=DutyCycle)
    energy: MeasuredEnergy = field(
        default_factory=lambda: MeasuredEnergy(energy.not_measured("No window was run."), ())
    )

    @property
    def path(self) -> Path:
        """The file's path."""
        return self.file.path


def result(measured: Measured, setup: Setup, common: Common) -> BenchResult:
    """Return the result of a file.

    Args:
        measured: What was measured of it.
        setup: How it was measured.
        common: What it has in common with the other files.
    """
    loaded = measured.file
    file, manifest, reference = loaded.file, loaded.manifest, loaded.reference
    timed = loaded.times.latency(setup.threads, common.cpu)
    operations, profiled_s = layers.normalised(measured.profile, timed.p50_s)
    costs = artifacts.costs(file, manifest)
    return BenchResult(
        artifact=reference,
        device=common.device,
        runtime=loaded.loaded.runtime,
        input_shape=loaded.loaded.input_shape,
        p50_per_window_s=timed.p50_s / file.batch,
        latency=timed,
        duty_cycle=measured.duty_cycle.latencies,
        duty_energy=measured.duty_cycle.energies,
        duty_reason=measured.duty_cycle.reason,
        breakdown=breakdown.split(
            timed.p50_s,
            costs.macs if costs else None,
            reference.dtype,
            common.kernels[reference.format],
        ),
        energy=measured.energy.energy,
        energy_windows=measured.energy.windows,
        proxy=artifacts.relative_proxy(file, manifest, setup.profile.coefficients, common.baseline),
        calibrated=_calibrated(loaded, setup, common.device),
        memory=loaded.loaded.memory,
        parity=loaded.parity,
        layers=operations,
        layers_profiled_s=profiled_s,
        layers_reason=None if operations else measured.profile.reason or _TOO_SHORT,
        layers_method=measured.profile.method if operations else None,
        layers_unexplained=layers.unexplained(measured.profile, timed.p50_s),
    )


def _calibrated(loaded: LoadedFile, setup: Setup, device: DeviceInfo) -> CalibratedEstimate | None:
    """Return what the calibration of the device predicts; None for a device without one."""
    found, file, manifest = setup.profile.calibration, loaded.file, loaded.manifest
    if found is None:
        return None
    layers = file.layers if file.layers is not None or manifest is None else manifest.layers
    return calibration.estimate(layers, loaded.loaded.runtime, setup.threads, found, device)
