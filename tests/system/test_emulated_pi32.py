"""edgeecg on an emulated 32-bit Raspberry Pi OS: Debian's numpy and psutil, and tflite-runtime."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from emulated_pi import (
    ARMHF,
    PI_4_32_BIT,
    EmulatedPi,
    downloaded_wheels,
    skip_unless_possible,
)

pytestmark = pytest.mark.system

ENVIRONMENT = "/root/edgeecg"
EDGEECG = f"{ENVIRONMENT}/bin/edgeecg"
PLATFORMS = tuple(f"manylinux_2_{minor}_armv7l" for minor in (36, 34, 31, 17))
# tflite-runtime wants a numpy that has no wheel for this machine; Debian's is installed.
REQUIREMENTS = {"pydantic": True, "rich": True, "typer": True, "tflite-runtime": False}
FILES = ("cnn1d-compressed-tflite", "cnn1d-compressed-tflite-int8")


@pytest.fixture(scope="module")
def pi(tmp_path_factory: pytest.TempPathFactory, story: Path, wheel: Path) -> EmulatedPi:
    """A Pi with edgeecg in an environment that sees Debian's Python packages."""
    skip_unless_possible()
    folder = tmp_path_factory.mktemp("pi32")
    made = EmulatedPi(folder, ARMHF, PI_4_32_BIT)
    wheels = downloaded_wheels("wheels-armhf", PLATFORMS, REQUIREMENTS)
    shutil.copytree(wheels, made.root / "wheels")
    shutil.copy(wheel, made.root / "wheels")
    made.run("python3", "-m", "venv", "--system-site-packages", ENVIRONMENT)
    install = ("install", "-q", "--no-compile", "--no-index", "--find-links", "/wheels")
    made.run(f"{ENVIRONMENT}/bin/pip", *install, "edgeecg[device32]")
    for name in FILES:
        for suffix in (".tflite", ".probe.npz"):
            shutil.copy(story / f"runs/small/artifacts/{name}{suffix}", made.root / "root")
    return made


def test_it_uses_the_packages_of_debian(pi: EmulatedPi) -> None:
    code = (
        "import numpy, psutil, struct; "
        "print(numpy.__version__, psutil.__version__, 8 * struct.calcsize('P'))"
    )
    printed = pi.run(f"{ENVIRONMENT}/bin/python", "-c", code).stdout
    assert printed.split() == ["1.24.2", "5.9.4", "32"]


def test_both_files_give_the_labels_of_pytorch(pi: EmulatedPi) -> None:
    files = [f"/root/{name}.tflite" for name in FILES]
    options = ("--suite", "quick", "--meter", "none", "--json", "/root/out.json")
    pi.run(EDGEECG, "bench", *files, *options)
    float32, int8 = json.loads((pi.root / "root/out.json").read_text())["results"]
    for result in (float32, int8):
        assert result["runtime"].startswith("tflite-runtime 2.14")
        assert result["device"]["name"] == "raspberry-pi-4"
        assert result["device"]["emulated"] is True
        assert result["latency"]["p50_s"] > 0
    assert float32["parity"]["label_agreement"] == 1.0
    assert int8["parity"]["label_agreement"] >= 0.95


def test_doctor_says_that_it_is_32_bit(pi: EmulatedPi) -> None:
    checks = json.loads(pi.run(EDGEECG, "doctor", "--json", "-").stdout)
    found = {each["check"]: each for each in checks}
    assert "32" in found["userland"]["found"]
