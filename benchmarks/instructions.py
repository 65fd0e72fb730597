"""Instructions of an inference on emulated cores, beside latency here and beside the proxy.

Every model that the package has weights of is reduced by the search of ``--budget energy=0.3``
alone, without fine-tuning: how much a model executes does not depend on what it has learned. The
dense and the reduced model are exported in float32 and int8. The four files of a model are timed
in one call of ``edgeecg bench`` on this machine, and their instructions are counted twice on each
emulated core. Needs the records, for calibration, and the image::

    edgeecg emulator build
    EDGEECG_DATA=../shared/data python benchmarks/instructions.py [MODEL...]

writes ``results/instructions.jsonl``: a row for each file, and a row for each pair of quantities
with their rank correlation. With models on the command line, rows of the others are kept.
"""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from measured_costs import exported, macs, reduced
from numpy.typing import NDArray
from run_provenance import provenance
from scipy.stats import spearmanr
from torch import nn

from edgeecg import models
from edgeecg.benchmark import instructions
from edgeecg.benchmark.arguments import NO_METER
from edgeecg.benchmark.config import BenchConfig
from edgeecg.benchmark.run import measure
from edgeecg.data import DataRequest, Dataset, load_dataset
from edgeecg.devices.emulator.cores import CORES
from edgeecg.evaluation.inference import predict
from edgeecg.files import write_text
from edgeecg.models import parameters
from edgeecg.schema import BenchResult, InstructionReport, Role
from edgeecg.training.sampling import balanced_subset

RESULT = Path(__file__).resolve().parent / "results" / "instructions.jsonl"
BUDGET = "energy=0.3"
TARGETS = {"float32": "tflite", "int8": "tflite-int8"}
PACKAGES = ("torch", "torch-pruning", "litert-torch", "ai-edge-litert", "ai-edge-quantizer")
QUANTITIES = ("proxy_executed", "x86_ratio", *(f"{core.name}_ratio" for core in CORES))
CALIBRATION_WINDOWS, PROBE_WINDOWS = 128, 64


def main() -> None:
    """Compute the rows of every model, or of those on the command line."""
    chosen = sys.argv[1:] or models.names()
    for name in chosen:
        made = rows(name)
        kept = [row for row in stored() if row["kind"] == "file" and row["model"] != name]
        files = sorted([*kept, *made], key=_order)
        lines = [json.dumps(row) for row in (*files, *correlations(files))]
        write_text(RESULT, "\n".join(lines) + "\n")
        print(*made, sep="\n", flush=True)


def stored() -> list[dict[str, Any]]:
    """Return the rows that are there."""
    if not RESULT.is_file():
        return []
    return [json.loads(line) for line in RESULT.read_text(encoding="utf-8").splitlines()]


def _order(row: dict[str, Any]) -> tuple[int, str, str]:
    return models.names().index(row["model"]), row["role"], row["dtype"]


def rows(name: str) -> list[dict[str, Any]]:
    """Return a row for each of the four files of a model.

    Args:
        name: Architecture, with weights in the package.
    """
    shipped = models.shipped(name)
    assert shipped is not None
    shape, dense = models.architecture(name), models.load(*shipped)
    dataset = load_dataset(DataRequest(source=shape.DATASET, task=shape.TASK))
    both: dict[Role, nn.Module] = {
        "baseline": dense,
        "compressed": reduced(dense, name, None, BUDGET),
    }
    with tempfile.TemporaryDirectory() as folder:
        files: dict[tuple[Role, str], Path] = {
            (role, dtype): _written(model, name, role, dtype, dataset, Path(folder))
            for role, model in both.items()
            for dtype in TARGETS
        }
        paths = list(files.values())
        timed = measure(paths, BenchConfig(meter=NO_METER, baseline=paths[0])).results
        counted = {core.name: [_counted(paths, core.device) for _ in "12"] for core in CORES}
    common = provenance(PACKAGES)
    return [
        {
            "kind": "file",
            "model": name,
            "role": role,
            "dtype": dtype,
            "budget": None if role == "baseline" else BUDGET,
            "parameters": parameters(both[role]),
            "macs_ratio": macs(both[role], name) / macs(dense, name),
            **_timed(timed, place),
            **_emulated(counted, place),
            **common,
        }
        for place, (role, dtype) in enumerate(files)
    ]


def _written(
    model: nn.Module, name: str, role: Role, dtype: str, dataset: Dataset, folder: Path
) -> Path:
    """Write one file and its probe set, and return its path."""
    windows: NDArray[np.float32] = dataset.train.x[
        balanced_subset(dataset.train.y, CALIBRATION_WINDOWS)
    ]
    path = folder / f"{name}-{role}-{dtype}.tflite"
    exported(model, name, role, path, TARGETS[dtype], windows)
    x = np.ascontiguousarray(dataset.val.x[:PROBE_WINDOWS], np.float32)
    np.savez(path.with_name(f"{path.stem}.probe.npz"), x=x, logits=predict(model, x))
    return path


def _counted(paths: Sequence[Path], device: str) -> InstructionReport:
    return instructions.count(paths, device, baseline=paths[0], operations=False)


def _timed(results: Sequence[BenchResult], place: int) -> dict[str, Any]:
    """Return what one call of bench measured of a file on this machine."""
    result, dense = results[place], results[0]
    return {
        "macs": result.proxy.macs,
        "size_bytes": result.artifact.size_bytes,
        "proxy_ideal": result.proxy.ideal,
        "proxy_executed": result.proxy.executed,
        "same_labels": result.parity.label_agreement,
        "x86_p50_s": result.latency.p50_s,
        "x86_ratio": result.latency.p50_s / dense.latency.p50_s,
        "runtime": result.runtime,
    }


def _emulated(counted: dict[str, list[InstructionReport]], place: int) -> dict[str, Any]:
    """Return the counts of a file on every core, and how far two runs differ."""
    found: dict[str, Any] = {}
    for core, reports in counted.items():
        first, second = (each.results[place].instructions.per_inference for each in reports)
        dense = reports[0].results[0].instructions.per_inference
        found[f"{core}_instructions"] = first
        found[f"{core}_ratio"] = first / dense
        found[f"{core}_difference"] = abs(second - first) / first
    report = next(iter(counted.values()))[0]
    return found | {
        "emulated": True,
        "emulator": report.results[0].instructions.emulator,
        "kernel": report.image.kernel,
        "image": report.image.recipe,
    }


def correlations(files: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return Spearman's rank correlation of every pair of quantities.

    Each is relative to the dense float32 file of the same model, which is left out itself.
    """
    relative = [row for row in files if (row["role"], row["dtype"]) != ("baseline", "float32")]
    found: list[dict[str, Any]] = []
    for one, other in itertools.combinations(QUANTITIES, 2):
        for dtype in (None, *TARGETS):
            used = [row for row in relative if dtype in (None, row["dtype"])]
            if len(used) < 3:
                continue
            result = cast(Any, spearmanr([r[one] for r in used], [r[other] for r in used]))
            found.append(
                {
                    "kind": "rank correlation",
                    "of": [one, other],
                    "dtype": dtype,
                    "n": len(used),
                    "spearman": float(result.statistic),
                    **provenance(("scipy",)),
                }
            )
    return found


if __name__ == "__main__":
    main()
