"""The same model gives the same bytes in another process and on another day."""

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
from edgeecg.exporters import exporter, quiet

# The choice of the searched target depends on times.
TARGETS = [name for name in resources.target_names() if not resources.load_target(name).search]

PROGRAM = """
import hashlib, sys, time
today = time.time
time.time = lambda: today() + 400 * 86400
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
    # Another seed of Python's hashes changes the order of sets; the clock there is a year ahead.
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
