"""Measures how long records take from their files to windows, and how much memory training takes.

Each stage runs in a fresh process: the first load, with the record files out of the page cache;
the next load, from edgeecg's cache; and, of 12-lead records, a pass over all training windows in
random batches, the first few with a whole training step. The machine should do nothing else.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from ..experiment import BENCHMARKS, Context, Experiment
from ..tasks import Task

PACKAGES = ("numpy", "pandas", "scipy", "wfdb", "torch")
BATCH = 128
STEPS = 4


def tasks(experiment: Experiment, context: Context) -> Iterable[Task]:
    """Return a task for each database."""
    for source in experiment.settings["sources"]:
        made = partial(_row, source, experiment.settings["synthetic_records"])
        yield Task({"source": source}, made)


def _row(source: str, records: int) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        if source == "ptbxl":
            return [{"stages": measure(records, Path(folder))}]
        here = {"EDGEECG_CACHE": folder}
        stages = {
            "from_records": _stage("load", source, here),
            "from_cache": _stage("load", source, here),
        }
        return [{"stages": stages}]


def measure(records: int, folder: Path) -> dict[str, Any]:
    """Generate synthetic records in the layout of PTB-XL and return every stage's figures.

    Args:
        records: How many.
        folder: An empty folder; 21,799 records need 2 GB.
    """
    from edgeecg.data.sources import _synthetic_ptbxl

    place = folder / "ptbxl"
    place.mkdir()
    started = time.monotonic()
    _synthetic_ptbxl.generate(place, records)
    seconds = time.monotonic() - started
    _forget(place)
    here = {"EDGEECG_DATA": str(folder), "EDGEECG_CACHE": str(folder / "cache")}
    return {
        "generate": {"seconds": seconds, "records": records},
        "from_records": _stage("load", "ptbxl", here),
        "from_cache": _stage("load", "ptbxl", here),
        "epoch": _stage("epoch", "ptbxl", here),
    }


def _stage(name: str, source: str, environment: dict[str, str]) -> dict[str, Any]:
    """Run one stage in a process of its own and return what it measured."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, name, source],
        env={**os.environ, **environment, "PYTHONPATH": str(BENCHMARKS)},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    print(name, found, flush=True)
    return found


def _forget(folder: Path) -> None:
    """Ask the system to drop the files' content from memory, so that it is read from the disk."""
    os.sync()
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as opened, contextlib.suppress(OSError):
                os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def load(source: str) -> dict[str, Any]:
    """Load all splits and return the seconds and the number of windows of each."""
    from edgeecg.data import DataRequest, load_dataset

    task = "records" if source == "ptbxl" else "beats"
    started = time.monotonic()
    made = load_dataset(DataRequest(source=source, task=task))
    seconds = time.monotonic() - started
    windows = {name: len(made.split(name).y) for name in ("train", "val", "test")}
    return {"seconds": seconds, "windows": windows}


def epoch() -> dict[str, Any]:
    """Read every training window once, in random batches, and train on the first few."""
    import numpy as np
    import torch

    from edgeecg.data import DataRequest, load_dataset
    from edgeecg.models import build

    train = load_dataset(DataRequest(source="ptbxl", task="records")).train
    model = build("resnet1d_se_attn")
    optimizer = torch.optim.AdamW(model.parameters())
    started = time.monotonic()
    order = np.random.default_rng(0).permutation(len(train.y))
    for number, start in enumerate(range(0, len(order), BATCH)):
        chosen = order[start : start + BATCH]
        x, y = torch.from_numpy(train.x[chosen]), torch.from_numpy(train.y[chosen])
        if number < STEPS:
            loss = torch.nn.functional.binary_cross_entropy_with_logits(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return {
        "seconds": time.monotonic() - started,
        "windows": len(order),
        "windows_bytes": train.x.nbytes,
        "batch_size": BATCH,
        "training_steps": min(STEPS, -(-len(order) // BATCH)),
    }


def main() -> None:
    """Run the one stage that a parent process asks for, and print what it measured."""
    parser = argparse.ArgumentParser()
    parser.add_argument("stage", choices=("load", "epoch"))
    parser.add_argument("source")
    asked = parser.parse_args()
    found = load(asked.source) if asked.stage == "load" else epoch()
    # Linux counts in KiB; what is mapped and has been touched counts too.
    peak_bytes = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({**found, "peak_resident_bytes": peak_bytes}))


if __name__ == "__main__":
    main()
