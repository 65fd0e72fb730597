"""The same model gives the same bytes in another process, and a damaged file is refused."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_run import build

from edgeecg import resources
from edgeecg.costs.inspection import inspect_file
from edgeecg.errors import EdgeECGError
from edgeecg.exporters import exporter, quiet

# The choice of the searched target depends on times.
TARGETS = [name for name in resources.target_names() if not resources.load_target(name).search]

PROGRAM = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from test_exporters_reproducible import TARGETS, content
for target in TARGETS:
    print(target, hashlib.sha256(content(target)).hexdigest())
"""


def content(target: str) -> bytes:
    """Export the tiny model to a target, calibrated on the same windows."""
    recipe = resources.load_target(target)
    windows = np.random.default_rng(0).normal(size=(16, 1, 256)).astype(np.float32)
    with quiet():
        return exporter(recipe.format).export(build("baseline"), recipe, windows, (1, 256))


@pytest.mark.system
def test_every_target_has_the_same_bytes_in_another_process() -> None:
    # Another seed of Python's hashes changes the order of sets.
    printed = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(Path(__file__).parent)],
        env={**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    elsewhere = dict(line.split() for line in printed.splitlines() if " " in line)
    for target in TARGETS:
        assert hashlib.sha256(content(target)).hexdigest() == elsewhere[target], target


def refused_of_damaged(whole: bytes, folder: Path, suffix: str, count: int) -> int:
    """Inspect a file with random bytes changed; return how often that is refused with a reason.

    Any other error is raised.
    """
    rng = np.random.default_rng(0)
    path = folder / f"mutated{suffix}"
    refused = 0
    for _ in range(count):
        changed = bytearray(whole)
        for place in rng.integers(0, len(whole), rng.integers(1, 16)):
            changed[place] = rng.integers(0, 256)
        if rng.random() < 0.1:
            changed = changed[: rng.integers(0, len(whole))]
        path.write_bytes(changed)
        try:
            inspect_file(path).to_json()
        except EdgeECGError:
            refused += 1
    return refused


def test_damaged_exported_files_are_inspected_or_refused(tmp_path: Path) -> None:
    # Most bytes are weights, whose change is not seen.
    assert 0 < refused_of_damaged(content("tflite-int8"), tmp_path, ".tflite", 100) < 100


@pytest.mark.system
@pytest.mark.parametrize("target", ["tflite-int8-io", "tflite-fp16"])
def test_thousands_of_damaged_files_are_inspected_or_refused(target: str, tmp_path: Path) -> None:
    assert 0 < refused_of_damaged(content(target), tmp_path, ".tflite", 2000) < 2000
