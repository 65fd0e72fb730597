"""A Raspberry Pi under QEMU's user emulation: Debian's arm64 or armhf packages in a folder.

The programs are real ones, the board is not: ``/proc/cpuinfo``, the device tree, ``/sys/class`` and
``vcgencmd`` are files of the test. Nothing of it is a Pi's time or a Pi's energy.

It needs root, for mounts in a namespace of its own. The folder with the packages is made once and
kept in the user's cache, under a name that changes with the list of packages.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from simulated_supply import SimulatedSupply

from edgeecg.devices.emulator.packages import Apt, unpack

RECIPE = 1
"""Change it when the folder is put together in another way."""

PACKAGES = (
    *("base-files", "bash", "ca-certificates", "coreutils", "dash", "findutils", "grep", "gzip"),
    *("hostname", "libc-bin", "libgomp1", "libstdc++6", "mawk", "procps", "python3"),
    *("python3-venv", "sed", "tar", "util-linux"),
)
BINFMT = Path("/proc/sys/fs/binfmt_misc")
_ELF = r"\x7fELF{bits}\x01\x01" + r"\x00" * 9 + r"\x02\x00{machine}\x00"
_MASK = r"\xff" * 7 + r"\x00" * 9 + r"\xfe\xff\xff\xff"


@dataclass(frozen=True)
class Architecture:
    """A kind of userland.

    Attributes:
        debian: Debian's name.
        qemu: QEMU's name.
        magic: Start of its programs, for binfmt_misc.
        more: Packages besides :data:`PACKAGES`.
    """

    debian: str
    qemu: str
    magic: str
    more: tuple[str, ...] = ()


ARM64 = Architecture("arm64", "aarch64", _ELF.format(bits=r"\x02", machine=r"\xb7"))
ARMHF = Architecture(
    "armhf",
    "arm",
    _ELF.format(bits=r"\x01", machine=r"\x28"),
    more=("python3-numpy", "python3-psutil", "python3-pip"),
)


@dataclass(frozen=True)
class Board:
    """What tells one Raspberry Pi from another.

    Attributes:
        model: Its name in the device tree.
        core: Its cores, as QEMU calls them.
        part: Their number in ``/proc/cpuinfo``.
        features: Their features there; QEMU's core has all of them.
    """

    model: str
    core: str
    part: str
    features: str

    def cpuinfo(self) -> str:
        """Return ``/proc/cpuinfo`` with four cores."""
        core = (
            f"BogoMIPS\t: 108.00\nFeatures\t: {self.features}\nCPU implementer\t: 0x41\n"
            f"CPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: {self.part}\nCPU revision\t: 3\n"
        )
        cores = "\n".join(f"processor\t: {number}\n{core}" for number in range(4))
        return f"{cores}\nHardware\t: BCM2835\nModel\t\t: {self.model}\n"


PI_4 = Board(
    "Raspberry Pi 4 Model B Rev 1.4", "cortex-a72", "0xd08", "fp asimd evtstrm crc32 cpuid"
)
PI_4_32_BIT = Board(
    "Raspberry Pi 4 Model B Rev 1.4",
    "cortex-a15",
    "0xd08",
    "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm crc32",
)
PI_5 = Board(
    "Raspberry Pi 5 Model B Rev 1.0",
    "cortex-a76",
    "0xd0b",
    "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop "
    "asimddp",
)

# procfs takes no new entries: a tmpfs of links to a procfs elsewhere, with files of the test. The
# numbers of processes start at 1 in the new namespace, so that links to them can be made ahead.
_ENTER = """
set -e
mkdir -p "$ROOT/.proc"
mount -t proc proc "$ROOT/.proc"
mount -t tmpfs tmpfs "$ROOT/proc"
for path in "$ROOT"/.proc/*; do
    name=${path##*/}
    case $name in [0-9]*) ;; *) ln -s "/.proc/$name" "$ROOT/proc/$name" ;; esac
done
(cd "$ROOT/proc" && seq 1 6000 | sed 's#^#/.proc/#' | xargs ln -s -t .)
rm "$ROOT/proc/cpuinfo"
cp "$BOARD/cpuinfo" "$ROOT/proc/cpuinfo"
mkdir "$ROOT/proc/device-tree"
printf '%s\\0' "$MODEL" > "$ROOT/proc/device-tree/model"
mount --rbind /dev "$ROOT/dev"
mount --rbind /sys "$ROOT/sys"
mount --bind "$BOARD/class" "$ROOT/sys/class"
mount -t tmpfs tmpfs "$ROOT/run"
mkdir "$ROOT/run/board"
mount --bind "$BOARD" "$ROOT/run/board"
eval "$FIRST"
exec "$@"
"""

VCGENCMD = """#!/bin/sh
while IFS= read -r line; do echo "$line"; done < "/run/board/$1"
"""


def missing() -> str | None:
    """Return why there can be no emulated Raspberry Pi here, or None."""
    if os.geteuid() != 0:
        return "an emulated Raspberry Pi needs root, for mounts"
    for program in ("qemu-aarch64-static", "qemu-arm-static", "unshare", "apt-get"):
        if shutil.which(program) is None:
            return f"{program} is not installed; .ci/run installs it"
    return None


def register(architecture: Architecture) -> None:
    """Let Linux start programs of an architecture with QEMU, in every folder (flag F)."""
    if not (BINFMT / "register").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(BINFMT)], check=True)
    name = f"qemu-{architecture.qemu}"
    if not (BINFMT / name).exists():
        program = shutil.which(f"{name}-static")
        rule = f":{name}:M::{architecture.magic}:{_MASK}:{program}:F"
        (BINFMT / "register").write_text(rule, encoding="ascii")


def packages_root(architecture: Architecture) -> Path:
    """Return the folder with the unpacked packages, which is made if it is not in the cache."""
    names = (*PACKAGES, *architecture.more)

    def make(work: Path) -> Path:
        root = work / "root"
        root.mkdir(mode=0o755)
        apt = Apt(work / "apt", architecture.debian)
        apt.update()
        unpack(apt.download(names), root)
        _configure(root)
        return root

    return kept(architecture.debian, [RECIPE, *names], make)


def kept(name: str, recipe: Sequence[object], make: Callable[[Path], Path]) -> Path:
    """Return a folder of the cache, which is made if it is not there.

    Args:
        name: Its name; older ones of this name are removed.
        recipe: What it depends on; another recipe gives another folder.
        make: Makes it in a temporary folder and returns where. It gets its name when it is whole,
            so that no part of one is ever taken for it.
    """
    key = hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:12]
    target = cache() / f"{name}-{key}"
    if target.is_dir():
        return target
    cache().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".build-", dir=cache()) as folder:
        made = make(Path(folder))
        for older in cache().glob(f"{name}-*"):
            shutil.rmtree(older)
        made.rename(target)
    return target


def downloaded_wheels(
    name: str, platforms: Sequence[str], requirements: Mapping[str, bool]
) -> Path:
    """Return a folder with wheels for another machine, which are downloaded once.

    Args:
        name: Name of the folder.
        platforms: Platforms in the names of the wheels, the preferred one first.
        requirements: What to download, and whether with what it depends on.
    """
    root = Path(__file__).parents[2]
    pins = [(root / each).read_text() for each in ("constraints.txt", "pyproject.toml")]

    def make(work: Path) -> Path:
        options = [part for each in platforms for part in ("--platform", each)]
        options += ["--only-binary", ":all:", "--python-version", "3.11"]
        options += ["-c", str(root / "constraints.txt"), "-d", str(work / "wheels")]
        for requirement, dependencies in requirements.items():
            more = [] if dependencies else ["--no-deps"]
            command = [sys.executable, "-m", "pip", "download", "-q", *options, *more, requirement]
            subprocess.run(command, check=True, timeout=900)
        for own in (work / "wheels").glob("edgeecg-*"):
            own.unlink()
        return work / "wheels"

    return kept(name, [*pins, *platforms, [Path(each).name for each in requirements]], make)


def cache() -> Path:
    """Return the folder of what is kept between test runs."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "edgeecg-tests" / "emulated-pi"


def _configure(root: Path) -> None:
    """Do what matters of what the packages' scripts would have done."""
    for name in ("proc", "sys", "dev", "run", "tmp", "root", "home/pi", "var/tmp", "etc"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    (root / "etc/passwd").write_text(
        "root:x:0:0:root:/root:/bin/bash\npi:x:1000:1000::/home/pi:/bin/bash\n"
    )
    (root / "etc/group").write_text("root:x:0:\npi:x:1000:\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost raspberrypi\n")
    for link, program in (("usr/bin/awk", "mawk"), ("usr/bin/which", "which.debianutils")):
        if not (root / link).exists():
            (root / link).symlink_to(program)
    # Of several libraries with one interface, a script of the packages chooses.
    for library in root.glob("usr/lib/*/*/*.so.3"):
        if library.parent.name in ("blas", "lapack"):
            library.parent.with_name(library.name).symlink_to(
                f"{library.parent.name}/{library.name}"
            )
    vcgencmd = root / "usr/bin/vcgencmd"
    vcgencmd.write_text(VCGENCMD)
    vcgencmd.chmod(0o755)


class EmulatedPi:
    """One Raspberry Pi with a file system of its own."""

    def __init__(
        self, folder: Path, architecture: Architecture = ARM64, board: Board = PI_4
    ) -> None:
        """Copy the packages into a folder.

        Args:
            folder: Where its file system is.
            architecture: Kind of userland.
            board: Which Pi it is; can be changed later.
        """
        register(architecture)
        self.root = folder / "root"
        self.board = board
        self.supply = SimulatedSupply(folder / "board")
        subprocess.run(
            ["cp", "-a", str(packages_root(architecture)), str(self.root)], check=True, timeout=600
        )

    def command(
        self, *arguments: str, first: str = "", environment: Mapping[str, str] | None = None
    ) -> tuple[list[str], dict[str, str]]:
        """Return the command line and the environment that run a program on the Pi.

        Args:
            arguments: The program and its arguments.
            first: Shell commands that are run outside the root before it.
            environment: More variables of the program.
        """
        (self.supply.folder / "cpuinfo").write_text(self.board.cpuinfo())
        inside = {
            "HOME": "/root",
            "LANG": "C.UTF-8",
            "PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "QEMU_CPU": self.board.core,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "COLUMNS": "120",
            **(environment or {}),
        }
        outside = {
            "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin",
            "ROOT": str(self.root),
            "BOARD": str(self.supply.folder),
            "MODEL": self.board.model,
            "FIRST": first,
        }
        enter = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation"]
        enter += ["private", "bash", "-c", textwrap.dedent(_ENTER), "enter"]
        chroot = ["chroot", str(self.root), "/usr/bin/env", "-i"]
        variables = [f"{name}={value}" for name, value in inside.items()]
        return [*enter, *chroot, *variables, *arguments], outside

    def run(
        self, *arguments: str, status: int = 0, timeout_s: float = 900
    ) -> subprocess.CompletedProcess[str]:
        """Run a program on the Pi and return what it prints.

        Args:
            arguments: The program and its arguments.
            status: The exit status that is expected.
            timeout_s: It is stopped after this time.
        """
        command, environment = self.command(*arguments)
        with (
            subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            ) as process,
            self.supply.follows(process.pid),
        ):
            try:
                output, errors = process.communicate(timeout=timeout_s)
            except BaseException:
                process.kill()
                raise
        assert process.returncode == status, f"{arguments}: {output}{errors}"
        return subprocess.CompletedProcess(command, process.returncode, output, errors)


def skip_unless_possible() -> None:
    """Skip the test where there can be no emulated Raspberry Pi."""
    reason = missing()
    if reason is None:
        return
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
