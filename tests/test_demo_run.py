"""The run that is shipped for machines that cannot convert a model is whole, and can be shown."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgeecg import cli
from edgeecg.benchmark import parity
from edgeecg.runs import RunFolder
from edgeecg.runtimes import litert
from edgeecg.schema import Artifact

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "benchmarks" / "demo_run"


def test_its_files_are_those_of_their_manifests_and_agree_with_pytorch() -> None:
    files = RunFolder(DEMO).artifact_files()
    assert len(files) == 2
    assert sum(path.stat().st_size for path in DEMO.rglob("*") if path.is_file()) < 1e6
    for path in files:
        manifest = Artifact.from_json(path.with_suffix(".json").read_bytes(), str(path))
        assert manifest.data == "synthetic"
        found = parity.check(path, litert.load(path), manifest.task)
        assert found.n == 64
        assert found.label_agreement is not None
        assert found.label_agreement >= 0.98


@pytest.mark.system
def test_make_demo_measures_and_shows_it_where_nothing_can_be_converted(tmp_path: Path) -> None:
    # A bin folder in which Python has neither PyTorch nor litert-torch.
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import importlib.util as util\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name, *rest: "
        "None if name in ('torch', 'litert_torch') else find(name, *rest)\n"
    )
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("python", "edgeecg"):
        script = f'#!/bin/sh\nexec "{Path(sys.executable).parent / name}" "$@"\n'
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    done = subprocess.run(
        ["sh", str(ROOT / "benchmarks" / "demo.sh")],
        cwd=tmp_path,
        env={**os.environ, "BIN": str(folder), "PYTHONPATH": str(hidden)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "is shipped" in done.stdout
    assert "tflite-int8" in done.stdout
    (page,) = tmp_path.glob("runs/demo-*/report.html")
    assert page.stat().st_size > 10_000


def test_a_report_can_be_made_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(DEMO, tmp_path / "runs" / "shipped")
    monkeypatch.chdir(tmp_path)
    assert cli.run(["report", "--run", "shipped"]) == 0
