"""Debian packages and Python wheels for another kind of processor, unpacked without root.

``apt-get`` reads the user's own sources and keys, and keeps lists and packages of the other
architecture in a private folder: what is installed on this machine is not touched.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeecg.errors import EdgeECGError

_GLIBC = (17, 24, 26, 27, 28)
"""Minor versions of glibc 2 that wheels for Debian 12 and newer are built for."""
_LONGEST = 400


@dataclass(frozen=True)
class Package:
    """A downloaded Debian package.

    Attributes:
        name: Its name.
        version: Its version.
        path: The ``.deb`` file.
    """

    name: str
    version: str
    path: Path


class Apt:
    """A private state of ``apt-get`` for one architecture."""

    def __init__(self, folder: Path, architecture: str) -> None:
        """Create the folders of the state.

        Args:
            folder: Where lists and packages are kept.
            architecture: Debian's name of the architecture, e.g. ``"arm64"``.

        Raises:
            EdgeECGError: A program is missing.
        """
        for program, package in (("apt-get", "apt"), ("dpkg-deb", "dpkg")):
            require(program, package, "the Debian packages of the image are fetched with it")
        self._folder = folder.resolve()
        self._architecture = architecture
        for name in ("state/lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()

    def update(self) -> None:
        """Download the lists of packages.

        A source that lacks this architecture is no error: :meth:`download` fails when a package is
        found nowhere.
        """
        self._run("update", check=False)

    def download(self, names: Sequence[str]) -> list[Package]:
        """Download packages and all that they depend on.

        Args:
            names: Their names.

        Returns:
            Everything that was downloaded into this state so far, in alphabetical order.

        Raises:
            EdgeECGError: ``apt-get`` failed; its message is repeated.
        """
        self._run("install", "--download-only", *names)
        return [_described(path) for path in sorted(self._archives.glob("*.deb"))]

    def download_dependency(self, name: str, pattern: str) -> Package:
        """Download the one package that matters of those that another package depends on.

        Args:
            name: The other package, e.g. ``"linux-image-arm64"``, which is empty.
            pattern: Regular expression of the name, e.g. ``r"linux-image-[0-9.-]+-arm64"``.

        Raises:
            EdgeECGError: ``apt-get`` failed, or no dependency has such a name.
        """
        found = re.search(rf"\b({pattern})_\S+\.deb", self._run("install", "--print-uris", name))
        if found is None:
            raise EdgeECGError(
                f"The package '{name}' cannot be used.",
                f"It depends on no package whose name matches '{pattern}'.",
                "Use a Debian archive of version 12 or newer.",
            )
        folder = self._folder / "single"
        folder.mkdir(exist_ok=True)
        self._run("download", found[1], cwd=folder)
        (path,) = folder.glob(f"{found[1]}_*.deb")
        return _described(path)

    @property
    def _archives(self) -> Path:
        return self._folder / "cache" / "archives"

    def _run(
        self, command: str, *arguments: str, cwd: Path | None = None, check: bool = True
    ) -> str:
        options = {
            "APT::Architecture": self._architecture,
            "APT::Architectures": self._architecture,
            "APT::Install-Recommends": "0",
            "APT::Get::Assume-Yes": "1",
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
            "Debug::NoLocking": "1",
            "Dir::State": str(self._folder / "state"),
            "Dir::State::status": str(self._folder / "status"),
            "Dir::Cache": str(self._folder / "cache"),
        }
        pairs = [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
        done = _run(["apt-get", "-q", *pairs, command, *arguments], cwd)
        if check and done.returncode:
            raise EdgeECGError(
                f"Packages for {self._architecture} could not be downloaded.",
                f"'apt-get {command}' reports: {_last(done)}.",
                "Check the network, and that /etc/apt names a source with packages for "
                f"{self._architecture}, as Debian's archive is; Ubuntu's is ports.ubuntu.com.",
            )
        return done.stdout


def unpack(packages: Iterable[Package], root: Path) -> None:
    """Unpack Debian packages into a folder, without running their scripts.

    Args:
        packages: The packages.
        root: The folder.

    Raises:
        EdgeECGError: A package is damaged, or the disk is full.
    """
    for package in packages:
        done = _run(["dpkg-deb", "-x", str(package.path), str(root)], None)
        if done.returncode:
            raise EdgeECGError(
                f"The package '{package.name}' could not be unpacked.",
                f"'dpkg-deb' reports: {_last(done)}.",
                "Free some space if the disk is full, and run the command again.",
            )


def install_wheels(
    pins: Sequence[str], folder: Path, machine: str, python: tuple[int, int]
) -> None:
    """Unpack wheels for another machine into a folder.

    Args:
        pins: Requirements with exact versions; what they depend on is not installed.
        folder: Where to.
        machine: Machine in the names of wheels, e.g. ``"aarch64"``.
        python: Version of Python on that machine.

    Raises:
        EdgeECGError: pip is missing, or failed; its message is repeated.
    """
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in _GLIBC]
    platforms += [f"manylinux2014_{machine}", "any"]
    named = [part for each in platforms for part in ("--platform", each)]
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--no-compile"),
        *("--disable-pip-version-check", "--no-deps", "--only-binary", ":all:", *named),
        *("--python-version", f"{python[0]}.{python[1]}", "--implementation", "cp"),
        *("--target", str(folder), *pins),
    ]
    done = _run(command, None)
    if done.returncode:
        raise EdgeECGError(
            f"The Python packages for {machine} could not be downloaded.",
            f"pip reports: {_last(done)}.",
            "Check the network. If pip is missing: python -m ensurepip",
        )


def require(program: str, package: str, purpose: str) -> None:
    """Check that a program is installed.

    Args:
        program: Its name.
        package: The Debian package that has it.
        purpose: What it is needed for, as a clause.

    Raises:
        EdgeECGError: It is not on the search path.
    """
    if shutil.which(program) is None:
        raise EdgeECGError(
            f"The program '{program}' was not found.",
            f"It is not installed or not on PATH; {purpose}.",
            f"On Debian, Ubuntu or Raspberry Pi OS: sudo apt-get install {package}",
        )


def _described(path: Path) -> Package:
    """Return a package by the name of its file: ``NAME_VERSION_ARCHITECTURE.deb``."""
    name, version, _ = path.stem.split("_", 2)
    return Package(name, version.replace("%3a", ":"), path)


def _run(command: list[str], cwd: Path | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def _last(done: subprocess.CompletedProcess[str]) -> str:
    """Return the end of what a program printed, in one line."""
    text = " ".join((done.stderr.strip() or done.stdout).split())
    return text[-_LONGEST:].rstrip(".") or f"exit status {done.returncode}"
