"""What a Raspberry Pi installs: the wheel with ``[device]`` alone, small, without torch."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
WORKSTATION = ("torch", "pandas", "wfdb", "scipy", "sklearn", "onnx")


def installed(folder: Path, wheel: Path, extra: str, *options: str) -> Path:
    """Return the ``bin`` of a fresh environment with the wheel and one of its extras."""
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    subprocess.run(
        [
            *(str(folder / "venv/bin/pip"), "install", "-q", *options),
            *("-c", str(ROOT / "constraints.txt"), f"edgeecg[{extra}] @ {wheel.as_uri()}"),
        ],
        check=True,
    )
    return folder / "venv" / "bin"


def size_of(environment: Path) -> int:
    """Return the bytes of all files of an environment, bytecode included."""
    return sum(each.lstat().st_size for each in environment.rglob("*") if not each.is_dir())


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """The ``bin`` of a fresh environment with ``edgeecg[device]`` from a built wheel."""
    return installed(tmp_path_factory.mktemp("device"), wheel, "device")


def test_litert_alone_is_under_200_megabytes(story: Path, wheel: Path, tmp_path: Path) -> None:
    programs = installed(tmp_path, wheel, "litert", "--no-compile")
    shutil.copy(story / "runs/small/artifacts/cnn1d-compressed-tflite.tflite", tmp_path)
    command = [str(programs / "edgeecg"), "bench", "cnn1d-compressed-tflite.tflite"]
    # Python keeps the bytecode of what it imports, as it does by default.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(
        [*command, "--suite", "quick", "--meter", "none"],
        cwd=tmp_path,
        env=environment,
        check=True,
    )
    assert any(programs.parent.rglob("*.pyc"))
    assert size_of(programs.parent) < 200e6


def test_it_is_small_and_has_nothing_of_the_workstation_side(device: Path) -> None:
    assert size_of(device.parent) < 300e6
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


def test_commands_that_need_more_say_what_to_install(device: Path, tmp_path: Path) -> None:
    for command, extra in (("compress", "edgeecg[compress]"), ("models", "edgeecg[compress]")):
        done = subprocess.run(
            [str(device / "edgeecg"), command],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert extra in done.stderr
        assert "Traceback" not in done.stderr
        assert not list(tmp_path.iterdir())
