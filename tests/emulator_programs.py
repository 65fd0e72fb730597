"""Programs on PATH that act as apt-get, dpkg-deb and QEMU, and an image made with them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from edgeecg.devices.emulator import image
from edgeecg.devices.emulator.image import Image
from edgeecg.progress import ignore

APT_GET = """
import os, pathlib, sys
arguments = sys.argv[1:]
options = dict(a.split("=", 1) for a in arguments if "=" in a)
with open(os.environ["PROGRAM_LOG"], "a") as log:
    print("apt-get", *[a for a in arguments if "=" not in a], file=log)
if "--print-uris" in arguments:
    print("'http://x/k.deb' linux-image-6.1.0-9-cloud-arm64_6.1.9-1_arm64.deb 9 SHA256:0")
elif "--download-only" in arguments:
    archives = pathlib.Path(options["Dir::Cache"], "archives")
    (archives / "python3_3.11.2-1_arm64.deb").touch()
    (archives / "zlib1g_1%3a1.2_arm64.deb").touch()
elif "download" in arguments:
    pathlib.Path(arguments[-1] + "_6.1.9-1_arm64.deb").touch()
"""

DPKG_DEB = """
import os, pathlib, sys
_, package, root = sys.argv[1:]
if os.environ.get("DPKG_FAILS"):
    sys.exit("dpkg-deb: error: not a Debian format archive")
made = pathlib.Path(root, "boot/vmlinuz-6.1" if "linux" in package else "usr/bin/python3.11")
made.parent.mkdir(parents=True, exist_ok=True)
made.write_bytes(b"content of " + made.name.encode())
"""

QEMU = """
import json, os, sys, time
if sys.argv[1:] == ["--version"]:
    sys.exit(print(os.environ.get("QEMU_VERSION", "QEMU emulator version 7.2.22 (Debian)")))
initrd = open(sys.argv[sys.argv.index("-initrd") + 1], "rb").read()
with open(os.environ["PROGRAM_LOG"], "a") as log:
    print(json.dumps({"arguments": sys.argv[1:], "initrd": initrd.hex()}), file=log)
for line in json.loads(os.environ["QEMU_PRINTS"]):
    print(line, end="\\r\\n", flush=True)
time.sleep(float(os.environ.get("QEMU_SLEEPS", "0")))
sys.exit(int(os.environ.get("QEMU_STATUS", "0")))
"""


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, **programs: str) -> Path:
    """Put programs on PATH, nothing else, and the cache into a folder; return the programs' log."""
    place = folder / "bin"
    place.mkdir(exist_ok=True)
    for name, source in programs.items():
        program = place / name.replace("_", "-")
        program.write_text(f"#!{sys.executable}\n{source}")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(place))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setenv("PROGRAM_LOG", str(folder / "log"))
    return folder / "log"


def all_programs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put all programs on PATH, and replace the download of wheels; return the log."""

    def install_wheels(pins: Any, target: Path, machine: str, python: tuple[int, int]) -> None:
        assert (machine, python) == ("aarch64", (3, 11))
        (target / "numpy").mkdir(parents=True)
        (target / "numpy" / "__init__.py").write_text("# numpy\n")

    monkeypatch.setattr(image, "install_wheels", install_wheels)
    return install(
        folder, monkeypatch, apt_get=APT_GET, dpkg_deb=DPKG_DEB, qemu_system_aarch64=QEMU
    )


def built(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Image:
    """Return an image that was built with these programs."""
    all_programs(folder, monkeypatch)
    return image.build(ignore)


def starts(log: Path) -> list[dict[str, Any]]:
    """Return how QEMU was started, once for each machine."""
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
