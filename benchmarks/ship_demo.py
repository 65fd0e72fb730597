"""Make ``benchmarks/demo_run``, which ``make demo`` measures where no model can be converted.

It is a small model of synthetic records, dense in float32 and compressed in int8, with 64 of its
probe windows.

::

    python benchmarks/ship_demo.py
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path

import numpy as np

import edgeecg
from edgeecg.runs import RunFolder

DEMO = Path(__file__).resolve().parent / "demo_run"

_FILES = ("cnn1d-baseline-tflite", "cnn1d-compressed-tflite-int8")
_PROBES = 64


def main() -> None:
    """Compress, export, and copy what is shipped."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        edgeecg.compress(
            "cnn1d",
            data="synthetic",
            name="demo",
            epochs=3,
            epoch_windows=3000,
            steps=3,
            finetune_epochs=1,
        )
        edgeecg.export("demo", ["tflite", "tflite-int8"])
        copy(RunFolder(Path("runs/demo")), DEMO)


def copy(run: RunFolder, target: Path) -> None:
    """Copy the documents of a run and two of its exported files.

    Args:
        run: The run.
        target: A folder, which is replaced.
    """
    shutil.rmtree(target, ignore_errors=True)
    (target / "artifacts").mkdir(parents=True)
    for path in (run.model_card, run.baseline_card, run.compression_log, run.config):
        shutil.copy(path, target)
    for name in _FILES:
        for suffix in (".json", ".tflite"):
            shutil.copy(run.artifacts / f"{name}{suffix}", target / "artifacts")
        with np.load(run.artifacts / f"{name}.probe.npz") as probes:
            kept = {key: values[:_PROBES] for key, values in probes.items()}
        np.savez_compressed(target / "artifacts" / f"{name}.probe.npz", **kept)


if __name__ == "__main__":
    main()
