"""A folder as large as PTB-XL: how long it takes to prepare, and how much memory training takes.

Generates synthetic records in the official layout, then measures in fresh processes: the first
load, with the record files out of the page cache; the next load, from edgeecg's cache; and a pass
over all training windows in random batches, the first few with a whole training step of
``resnet1d_se_attn``. Writes ``benchmarks/results/prepare_ptbxl.json``. Needs 2 GB of disk::

    python benchmarks/prepare_ptbxl.py
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from run_provenance import versions

from edgeecg.devices import detection
from edgeecg.files import write_text
from edgeecg.runs import git_revision

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "prepare_ptbxl.json"
RECORDS = 21_799
PACKAGES = ("numpy", "pandas", "torch")
BATCH = 128
STEPS = 4


def load() -> dict[str, Any]:
    """Load all splits and return the seconds and the number of records."""
    from edgeecg.data import DataRequest, load_dataset

    started = time.monotonic()
    made = load_dataset(DataRequest(source="ptbxl", task="records"))
    seconds = time.monotonic() - started
    records = {name: len(made.split(name).y) for name in ("train", "val", "test")}
    return {"seconds": seconds, "records": records}


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


STAGES: dict[str, Callable[[], dict[str, Any]]] = {"load": load, "epoch": epoch}


def stage(name: str, folder: Path) -> dict[str, Any]:
    """Run one stage in a process of its own and return what it measured."""
    here = {"EDGEECG_DATA": str(folder), "EDGEECG_CACHE": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, __file__, "--stage", name],
        env={**os.environ, **here},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    print(name, found, flush=True)
    return found


def forget(folder: Path) -> None:
    """Ask the system to drop the files' content from memory, so that it is read from the disk."""
    os.sync()
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as opened, contextlib.suppress(OSError):
                os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def measure(records: int, folder: Path) -> dict[str, Any]:
    """Generate a folder of records and return every stage's figures."""
    from edgeecg.data.sources import _synthetic_ptbxl

    place = folder / "ptbxl"
    place.mkdir()
    started = time.monotonic()
    _synthetic_ptbxl.generate(place, records)
    seconds = time.monotonic() - started
    forget(place)
    return {
        "generate": {"seconds": seconds, "records": records},
        "from_records": stage("load", folder),
        "from_cache": stage("load", folder),
        "epoch": stage("epoch", folder),
    }


def main() -> None:
    """Measure, or run the one stage that a parent process asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--result", type=Path, default=RESULT)
    parser.add_argument("--stage", choices=list(STAGES), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.stage is not None:
        found = STAGES[asked.stage]()
        # Linux counts in KiB; what is mapped and has been touched counts too.
        peak_bytes = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps({**found, "peak_resident_bytes": peak_bytes}))
        return
    with tempfile.TemporaryDirectory() as name:
        stages = measure(asked.records, Path(name))
    profile = detection.detect()
    before = detection.state(None)
    document = {
        "title": "Preparing a folder as large as PTB-XL",
        "data": "synthetic records in the official layout, 12 leads, 10 s, 100 Hz",
        "stages": stages,
        "git_revision": git_revision(),
        "machine": f"{platform.machine()}, {detection.describe(profile, before, before).cpu}",
        "cores": os.cpu_count(),
        "versions": versions(PACKAGES),
    }
    write_text(asked.result, json.dumps(document, indent=1) + "\n")
    print(asked.result)


if __name__ == "__main__":
    main()
