"""What a Raspberry Pi installs: the wheel with ``[device]`` alone, small, without torch."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from system_program import built_wheel

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
WORKSTATION = ("torch", "pandas", "wfdb", "scipy", "sklearn", "onnx")


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` of a fresh environment with ``edgeecg[device]`` from a built wheel."""
    folder = tmp_path_factory.mktemp("device")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    wheel = built_wheel(folder)
    subprocess.run(
        [
            *(str(folder / "venv/bin/pip"), "install", "-q"),
            *("-c", str(ROOT / "constraints.txt"), f"edgeecg[device] @ {wheel.as_uri()}"),
        ],
        check=True,
    )
    return folder / "venv" / "bin"


def test_it_is_small_and_has_nothing_of_the_workstation_side(device: Path) -> None:
    size = sum(f.lstat().st_size for f in device.parent.rglob("*") if not f.is_dir())
    assert size < 300e6
    code = f"import importlib.util as u, sys; sys.exit(any(map(u.find_spec, {WORKSTATION!r})))"
    subprocess.run([str(device / "python"), "-c", code], check=True)


def test_it_benches_an_exported_file(device: Path, story: Path, tmp_path: Path) -> None:
    for name in ("cnn1d-compressed-tflite-int8.tflite", "cnn1d-compressed-onnx.onnx"):
        shutil.copy(story / "runs/small/artifacts" / name, tmp_path)
        subprocess.run(
            [str(device / "edgeecg"), "bench", name, "--suite", "quick", "--json", "out.json"],
            cwd=tmp_path,
            check=True,
        )
        (result,) = json.loads((tmp_path / "out.json").read_text())["results"]
        assert result["latency"]["p50_s"] > 0
        assert 0 < result["proxy"]["executed"] < 0.6
        assert result["proxy"]["macs"] > 0


def test_verbs_that_need_more_say_what_to_install(device: Path, tmp_path: Path) -> None:
    for verb, extra in (("compress", "edgeecg[compress]"), ("models", "edgeecg[compress]")):
        done = subprocess.run(
            [str(device / "edgeecg"), verb],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert extra in done.stderr
        assert "Traceback" not in done.stderr
        assert not list(tmp_path.iterdir())
