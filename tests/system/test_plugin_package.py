"""A package that adds a meter is installed beside edgeecg, and ``edgeecg bench`` uses it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

PROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "edgeecg-clamp"
version = "1.0"

[project.entry-points."edgeecg.meters"]
clamp = "edgeecg_clamp"

[tool.hatch.build.targets.wheel]
packages = ["edgeecg_clamp"]
"""

METER = '''\
"""A clamp meter that always shows two watts."""

import time


class Clamp:
    name = "clamp"
    zones = ("supply",)
    sample_rate_hz = 1000.0
    replayed = True

    def __init__(self):
        self._opened = time.monotonic()

    def joules(self):
        return 2.0 * (time.monotonic() - self._opened)

    def close(self):
        pass


def open():
    return Clamp()
'''


def test_a_meter_of_an_installed_package_measures(story: Path, tmp_path: Path) -> None:
    assert len((PROJECT + METER).splitlines()) <= 40
    source, installed = tmp_path / "clamp", tmp_path / "installed"
    (source / "edgeecg_clamp").mkdir(parents=True)
    (source / "pyproject.toml").write_text(PROJECT)
    (source / "edgeecg_clamp/__init__.py").write_text(METER)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--target", str(installed), str(source)], check=True)

    def edgeecg(*words: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "edgeecg", *words],
            env={**os.environ, "PYTHONPATH": str(installed)},
            cwd=tmp_path,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    (listed,) = [m for m in json.loads(edgeecg("meters", "--json", "-")) if m["name"] == "clamp"]
    assert listed["available"] is True
    file = next((story / "runs/small/artifacts").glob("*-compressed-tflite.tflite"))
    report = json.loads(
        edgeecg("bench", str(file), "--suite", "quick", "--meter", "clamp", "--json", "-")
    )
    energy = report["results"][0]["energy"]
    assert energy["meter"] == "clamp"
    # The meter shows the same power whether the model runs or not.
    assert abs(energy["idle_w"] - 2.0) < 0.1
