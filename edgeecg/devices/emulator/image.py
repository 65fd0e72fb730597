"""The image that an emulated machine boots: built once, kept in the user's cache."""

from __future__ import annotations

import compileall
import json
import os
import py_compile
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from edgeecg import files
from edgeecg.devices.emulator import archive
from edgeecg.devices.emulator.packages import Apt, Package, install_wheels, require, unpack
from edgeecg.errors import EdgeECGError, SchemaError
from edgeecg.progress import ProgressCallback
from edgeecg.schema import EmulatorImage

ARCHITECTURE, MACHINE = "arm64", "aarch64"
PACKAGES = ("python3", "libstdc++6")
KERNEL = "linux-image-cloud-arm64"
WHEELS = (
    "ai-edge-litert==2.3.0",
    "annotated-types==0.8.0",
    "flatbuffers==25.12.19",
    "numpy==2.4.6",
    "protobuf==7.36.2",
    "psutil==7.2.2",
    "pydantic==2.11.10",
    "pydantic_core==2.33.2",
    "typing-inspection==0.4.2",
    "typing_extensions==4.12.2",
)
"""Python packages of the image, with what they depend on; the versions of constraints.txt."""

SITE = "packages"
"""Folder of the Python packages in the image."""

_KERNEL_NAME = r"linux-image-[0-9][0-9.-]*-cloud-arm64"
_LEFT_OUT = frozenset(
    {"usr/share", "var", "boot", "usr/include", "tests", "test", "include", "idlelib", "ensurepip"}
)
_PYTHONS = ((3, 11), (3, 13))
_STEPS = 5


@dataclass(frozen=True)
class Image:
    """An image on disk.

    Attributes:
        folder: Where it is.
        manifest: What it is made of.
    """

    folder: Path
    manifest: EmulatorImage

    @property
    def kernel(self) -> Path:
        """The kernel."""
        return self.folder / "vmlinuz"

    @property
    def root(self) -> Path:
        """The archive of the file system."""
        return self.folder / "root.cpio"


def recipe() -> str:
    """Return a hash that changes when the contents of the image change."""
    # The number changes when the same list is put together in another way.
    parts = [1, ARCHITECTURE, PACKAGES, KERNEL, WHEELS, sorted(_LEFT_OUT)]
    return sha256(json.dumps(parts).encode()).hexdigest()[:12]


def cache() -> Path:
    """Return the folder of all images: ``$XDG_CACHE_HOME/edgeecg/emulator``."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "edgeecg" / "emulator"


def find() -> Image | None:
    """Return the image if it was built with today's recipe and is whole, or None."""
    folder = cache() / f"{ARCHITECTURE}-{recipe()}"
    try:
        manifest = EmulatorImage.from_json((folder / "manifest.json").read_bytes(), str(folder))
    except (OSError, SchemaError):
        return None
    found = Image(folder, manifest)
    return found if found.kernel.is_file() and found.root.is_file() else None


def installed() -> Image:
    """Return the image.

    Raises:
        EdgeECGError: It was not built yet.
    """
    found = find()
    if found is None:
        raise EdgeECGError(
            "The image of the emulated machine is missing.",
            f"There is no image of this version of edgeecg in '{cache()}'.",
            "Build it once, which takes about a minute: edgeecg emulator build",
        )
    return found


def build(on_step: ProgressCallback, rebuild: bool = False) -> Image:
    """Build the image, unless it is there.

    The image is put together in a temporary folder and renamed at the end, so that a build that is
    interrupted leaves nothing behind that could be taken for an image.

    Args:
        on_step: Called at the start of each step.
        rebuild: Whether to build it again, for newer Debian packages.

    Raises:
        EdgeECGError: A program is missing, a package cannot be downloaded, or the disk is full.
    """
    found = find()
    if found is not None and not rebuild:
        return found
    require("qemu-system-aarch64", "qemu-system-arm", "it emulates the machine")
    target = cache() / f"{ARCHITECTURE}-{recipe()}"
    try:
        cache().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".build-", dir=cache()) as folder:
            made = Path(folder) / "image"
            _put_together(Path(folder), made, on_step)
            _publish(made, target)
    except OSError as error:
        raise EdgeECGError(
            "The image of the emulated machine could not be written.",
            f"The operating system reports: {error.strerror or error}.",
            "Free 1 GB, or set XDG_CACHE_HOME to a folder on another disk.",
        ) from error
    return installed()


def _put_together(work: Path, made: Path, on_step: ProgressCallback) -> None:
    root = work / "root"
    root.mkdir()
    made.mkdir()
    apt = Apt(work / "apt", ARCHITECTURE)
    on_step("lists of Debian packages", 0, _STEPS)
    apt.update()
    on_step("Debian packages", 1, _STEPS)
    packages = apt.download(PACKAGES)
    unpack(packages, root)
    python = _python(root)
    on_step("Linux", 2, _STEPS)
    kernel = apt.download_dependency(KERNEL, _KERNEL_NAME)
    _take_kernel(kernel, work / "kernel", made / "vmlinuz")
    on_step("Python packages", 3, _STEPS)
    install_wheels(WHEELS, root / SITE, MACHINE, python)
    _compile(root, python)
    on_step("archive", 4, _STEPS)
    with (made / "root.cpio").open("wb") as stream:
        archive.write(stream, _entries(root))
    manifest = EmulatorImage(
        recipe=recipe(),
        architecture=ARCHITECTURE,
        python=f"{python[0]}.{python[1]}",
        kernel=f"{kernel.name} {kernel.version}",
        packages={package.name: package.version for package in packages},
        wheels={name: version for name, _, version in (pin.partition("==") for pin in WHEELS)},
        kernel_sha256=files.sha256(made / "vmlinuz"),
        root_sha256=files.sha256(made / "root.cpio"),
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    files.write_text(made / "manifest.json", manifest.to_json())


def _python(root: Path) -> tuple[int, int]:
    """Return the version of Python in the unpacked packages.

    Raises:
        EdgeECGError: There are no wheels for it.
    """
    found = [
        (3, int(path.name.removeprefix("python3.")))
        for path in (root / "usr/bin").glob("python3.*")
        if path.name.removeprefix("python3.").isdecimal()
    ]
    if len(found) != 1 or not _PYTHONS[0] <= found[0] <= _PYTHONS[1]:
        versions = ", ".join(f"{major}.{minor}" for major, minor in found) or "none"
        raise EdgeECGError(
            "The image cannot be built from these Debian packages.",
            f"Their Python is {versions}; the image needs one of 3.11 to 3.13.",
            "Use the sources of Debian 12 or 13 in /etc/apt.",
        )
    return found[0]


def _take_kernel(package: Package, work: Path, target: Path) -> None:
    unpack([package], work)
    (found,) = (work / "boot").glob("vmlinuz-*")
    shutil.move(found, target)


def _compile(root: Path, python: tuple[int, int]) -> None:
    """Compile the Python files if this Python writes the format of that one; it halves the start.

    Debian's packages would do it in their scripts, which are not run.
    """
    if sys.version_info[:2] != python:
        return
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    for folder in (root / SITE, root / f"usr/lib/python{python[0]}.{python[1]}"):
        compileall.compile_dir(folder, quiet=2, workers=0, invalidation_mode=mode)


def _entries(root: Path) -> Iterator[archive.Entry]:
    yield from archive.tree(root, _LEFT_OUT)
    for name in ("dev", "proc", "sys", "tmp"):
        yield archive.folder(name)
    yield archive.character_device("dev/console", 5, 1)
    yield archive.character_device("dev/null", 1, 3)
    yield archive.character_device("dev/urandom", 1, 9)


def _publish(made: Path, target: Path) -> None:
    """Move a whole image to its place; one that is there is replaced."""
    old = made.with_name("old")
    if target.exists():
        target.rename(old)
    try:
        made.rename(target)
    except OSError:
        # Another process has built the same image in the meantime.
        if not (target / "manifest.json").is_file():
            raise
