"""Plausible measurements: devices, latencies, energies, layer costs, bench reports."""

from __future__ import annotations

from typing import Any

from edgeecg.schema import (
    BenchReport,
    BenchResult,
    DeviceInfo,
    DeviceState,
    DType,
    Energy,
    Latency,
    LayerCost,
    Role,
    Suite,
)


def costs(role: Role, dtype: DType) -> tuple[LayerCost, ...]:
    share, width = (1.0 if role == "baseline" else 0.28), (4 if dtype == "float32" else 1)
    return tuple(
        LayerCost(
            name=f"conv{n}",
            op="CONV_2D",
            dtype=dtype,
            macs=round(7_000_000 * share),
            nonzero_fraction=1.0,
            weight_bytes=round(130_000 * share) * width,
            activation_bytes=round(20_000 * share) * width,
        )
        for n in range(3)
    )


def device(**changes: Any) -> DeviceInfo:
    state = DeviceState(
        governor="performance",
        frequency_hz=2.4e9,
        temperature_c=48.5,
        throttled=None,
        load=0.21,
    )
    fields: dict[str, Any] = {
        "name": "x86-64",
        "emulated": False,
        "machine": "x86_64",
        "cpu": "Example CPU",
        "cores": 2,
        "memory_bytes": 24 * 2**30,
        "system": "Linux 6.1",
        "python": "3.11.2",
        "before": state,
        "after": state,
    }
    return DeviceInfo(**{**fields, **changes})


def latency(p50_s: float, **changes: Any) -> Latency:
    samples = tuple(p50_s * (0.97 + 0.0006 * n) for n in range(101))
    fields: dict[str, Any] = {
        "n": 101,
        "threads": 1,
        "p50_s": p50_s,
        "p90_s": p50_s * 1.02,
        "p99_s": p50_s * 1.03,
        "max_s": p50_s * 1.03,
        "mean_s": p50_s,
        "first_s": p50_s * 4,
        "warmup_n": 50,
        "pinned_cpu": 1,
        "samples_s": samples,
    }
    return Latency(**{**fields, **changes})


def no_energy() -> Energy:
    return Energy(
        tier="not measured",
        meter=None,
        reason="This machine has no energy counter: /sys/class/powercap is absent.",
        gross_j=None,
        net_j=None,
        ci95_j=None,
    )


def joules(net_j: float, **changes: Any) -> Energy:
    fields: dict[str, Any] = {
        "tier": "measured",
        "meter": "rapl",
        "reason": None,
        "gross_j": net_j * 1.4,
        "net_j": net_j,
        "ci95_j": (net_j * 0.97, net_j * 1.03),
        "idle_w": 4.2,
        "detection_limit_j": net_j / 50,
        "windows": 5,
        "inferences": 50000,
        "zones": ("package-0",),
    }
    return Energy(**{**fields, **changes})


def bench(*results: BenchResult, created: str = "2026-01-02T03:04:05+00:00") -> BenchReport:
    return BenchReport(
        results=results,
        suite=Suite(
            name="quick",
            description="A short look.",
            warmup_runs=20,
            warmup_seconds=0.5,
            min_runs=100,
            min_seconds=2,
            energy_windows=5,
            energy_window_seconds=10,
            idle_window_seconds=5,
        ),
        created_utc=created,
        command="edgeecg bench",
        edgeecg_version="0.1.0",
    )
