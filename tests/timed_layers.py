"""What ``edgeecg bench --json`` writes of a dense model's file, with seconds made to order."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edgeecg.costs import measured, proxy
from edgeecg.models import architecture, build, layer_costs
from edgeecg.schema import (
    Artifact,
    ArtifactRef,
    BenchReport,
    BenchResult,
    Breakdown,
    DeviceInfo,
    DeviceState,
    Energy,
    Latency,
    LayerCost,
    LayerTime,
    MeasuredCosts,
    Memory,
    Parity,
    Preprocessing,
    Proxy,
    Suite,
)

CALL_S = 1e-5
UNKNOWN = Parity(n=None, max_abs_diff=None, label_agreement=None, reason="Not looked at.")
STATE = DeviceState(governor=None, frequency_hz=None, temperature_c=None, throttled=None, load=None)
NO_ENERGY = Energy(
    tier="not measured", meter=None, reason="None.", gross_j=None, net_j=None, ci95_j=None
)
SUITE = Suite(
    name="quick",
    description="For tests.",
    warmup_runs=1,
    warmup_seconds=0,
    min_runs=10,
    min_seconds=0,
    energy_windows=3,
    energy_window_seconds=1,
    idle_window_seconds=1,
)


def dense_layers(model: str) -> tuple[LayerCost, ...]:
    """Return the layers of a dense model."""
    return layer_costs(build(model), architecture(model).INPUT_SHAPE)


def timed(*operations: tuple[str, float], **changes: Any) -> dict[str, Any]:
    """Return the fields of a result whose operations take these seconds, the call among them."""
    whole = sum(each for _, each in operations)
    return {
        "layers": tuple(
            LayerTime(name=name, op="Any", seconds=each, share=each / whole)
            for name, each in operations
        ),
        "layers_profiled_s": 1.2 * whole,
        "layers_reason": None,
        "p50_s": whole,
        **changes,
    }


def result(model: str = "cnn1d", file: str = "dense.onnx", **changes: Any) -> BenchResult:
    """Return a result: by default every layer of the dense model takes 100 µs, what follows 20."""
    layers = changes.pop("nodes", None) or dense_layers(model)
    if "layers" not in changes:
        each = [(layer.name, 1e-4) for layer in layers]
        after = [("ReLU", 2e-5) for _ in layers]
        pairs = [pair for both in zip(each, after, strict=True) for pair in both]
        changes = timed(*pairs) | changes
    p50_s, emulated = changes.pop("p50_s", 1e-3), changes.pop("emulated", False)
    dtype = changes.pop("dtype", "float32")
    described = {name: changes.pop(name) for name in ("role", "format") if name in changes}
    manifest = _manifest(model, file, layers, dtype=dtype, **described)
    artifact = ArtifactRef(
        file=file, sha256="2" * 64, format="onnx", dtype=dtype, size_bytes=1, manifest=manifest
    )
    fields: dict[str, Any] = {
        "artifact": artifact,
        "device": device(emulated),
        "runtime": "onnxruntime 1.0",
        "latency": _latency(p50_s),
        "breakdown": Breakdown(
            empty_graph_s=CALL_S, peak_macs_per_s=None, roofline_s=None, rest_s=None, reason="-"
        ),
        "energy": NO_ENERGY,
        "proxy": Proxy(ideal=None, executed=None, macs=None, weight_bytes=None, reason="-"),
        "memory": Memory(peak_rss_bytes=None, reason="-"),
        "parity": UNKNOWN,
    }
    return BenchResult(**{**fields, **changes})


def _manifest(model: str, file: str, layers: tuple[LayerCost, ...], **changes: Any) -> Artifact:
    fields: dict[str, Any] = {
        "name": file.partition(".")[0],
        "role": "baseline",
        "format": "onnx",
        "target": "onnx",
        "model": model,
        "run": "toy",
        "parameters": 1,
        "classes": ("N", "S", "V"),
        "input_shape": (1, 1, 256),
        "preprocessing": Preprocessing(),
        "data": "synthetic",
        "weights_sha256": "1" * 64,
        "layers": layers,
        "costs": proxy.totals(layers),
        "baseline": None,
        "verification": UNKNOWN,
        "test": None,
        "versions": {},
        "git_revision": None,
    }
    return Artifact(**{**fields, **changes})


def device(emulated: bool = False, cpu: str | None = None) -> DeviceInfo:
    """A Raspberry Pi 4."""
    return DeviceInfo(
        name="raspberry-pi-4",
        emulated=emulated,
        machine="aarch64",
        cpu=cpu,
        cores=4,
        memory_bytes=1,
        system="Linux",
        python="3.11",
        before=STATE,
        after=STATE,
    )


def _latency(p50_s: float) -> Latency:
    return Latency(
        n=10,
        threads=1,
        p50_s=p50_s,
        p90_s=p50_s,
        p99_s=p50_s,
        max_s=p50_s,
        mean_s=p50_s,
        first_s=p50_s,
        warmup_n=1,
        pinned_cpu=None,
        samples_s=(p50_s,) * 10,
    )


def written(folder: Path, results: Iterable[BenchResult], name: str = "pi.json") -> Path:
    """Write a report of these results and return its path."""
    report = BenchReport(
        results=tuple(results),
        suite=SUITE,
        created_utc="2026-01-02T03:04:05+00:00",
        command="edgeecg bench",
        edgeecg_version="0",
    )
    path = folder / name
    path.write_text(report.to_json(), encoding="utf-8")
    return path


def costs(folder: Path, model: str = "cnn1d", **changes: Any) -> MeasuredCosts:
    """Return costs read from such a report."""
    path = written(folder, [result(model, **changes)])
    return measured.read(path, model, dense_layers(model))
