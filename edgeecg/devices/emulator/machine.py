"""Starting an emulated machine, in which one Python module runs."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from edgeecg.devices.emulator import archive
from edgeecg.devices.emulator.cores import Core
from edgeecg.devices.emulator.image import Image
from edgeecg.devices.emulator.packages import require
from edgeecg.errors import EdgeECGError

PROGRAM = "qemu-system-aarch64"
MEMORY_BYTES = 2 << 30
JOB = "job"
"""Folder in the machine with the files of :func:`run` and the code of edgeecg."""

# One instruction takes 1 ns (2**0), and the clock does not wait for real time.
_COUNTING = ("-icount", "shift=0,sleep=off")
_KERNEL_OPTIONS = (
    "console=ttyAMA0 quiet panic=-1 nokaslr rdinit=/init PYTHONHASHSEED=0 OMP_NUM_THREADS=1"
)
_SEED = "1"
_CODE_LEFT_OUT = frozenset({"__pycache__", "_bundled", "weights"})
_LAST_LINES = 3


def emulator() -> str:
    """Return name and version of the emulator, e.g. ``"qemu 7.2.22"``.

    Raises:
        EdgeECGError: It is not installed, or does not start.
    """
    require(PROGRAM, "qemu-system-arm", "it emulates the core")
    done = subprocess.run(
        [PROGRAM, "--version"], capture_output=True, text=True, check=False, timeout=60
    )
    found = re.search(r"version (\d+(?:\.\d+)+)", done.stdout)
    if found is None:
        raise EdgeECGError(
            f"The program '{PROGRAM}' does not work.",
            f"'{PROGRAM} --version' prints: {(done.stdout or done.stderr).strip()[:200]!r}.",
            "Install it again: sudo apt-get install --reinstall qemu-system-arm",
        )
    return f"qemu {found[1]}"


def run(
    image: Image,
    core: Core,
    module: str,
    job: Iterable[archive.Entry],
    on_line: Callable[[str], None],
    timeout_s: float,
) -> str:
    """Start a machine, run a module of edgeecg in it, and wait until it switches itself off.

    Args:
        image: What it boots.
        core: The emulated core.
        module: The module, which is run as a program.
        job: Files that it finds in ``/job``.
        on_line: Called with every line that the machine prints.
        timeout_s: The machine is stopped after this time.

    Returns:
        The last lines that the machine printed, for messages about what went wrong.

    Raises:
        EdgeECGError: The emulator is missing, cannot be started, or took too long.
    """
    require(PROGRAM, "qemu-system-arm", "it emulates the core")
    with tempfile.TemporaryDirectory(prefix="edgeecg-emulator-") as folder:
        initrd = Path(folder) / "initrd.cpio"
        with initrd.open("wb") as stream:
            with image.root.open("rb") as root:
                shutil.copyfileobj(root, stream)
            archive.write(stream, [*_code(), *job])
        options = [
            *("-M", "virt", "-cpu", core.name, "-smp", "1", "-m", f"{MEMORY_BYTES >> 20}M"),
            *("-kernel", str(image.kernel), "-initrd", str(initrd)),
            *("-append", f"{_KERNEL_OPTIONS} -- {module}", "-seed", _SEED, *_COUNTING),
            *("-nographic", "-monitor", "none", "-serial", "stdio", "-nic", "none", "-no-reboot"),
        ]
        return _lines_of([PROGRAM, *options], on_line, timeout_s)


def _code() -> list[archive.Entry]:
    """Return the first program, and the package that is running here."""
    here = Path(__file__).parents[2]
    first = Path(__file__).with_name("_init.py")
    package = f"{JOB}/edgeecg"
    code = [
        archive.Entry(f"{package}/{entry.name}", entry.mode, entry.content)
        for entry in archive.tree(here, _CODE_LEFT_OUT)
    ]
    start = archive.file("init", first, executable=True)
    return [start, archive.folder(JOB), archive.folder(package), *code]


def _lines_of(command: list[str], on_line: Callable[[str], None], timeout_s: float) -> str:
    last: list[str] = []
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    late = threading.Event()

    def stop() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(timeout_s, stop)
    timer.start()
    assert process.stdout is not None
    try:
        for raw in process.stdout:
            line = raw.decode("utf-8", errors="replace").rstrip("\r\n")
            last = [*last, line][-_LAST_LINES:] if line.strip() else last
            on_line(line)
    finally:
        timer.cancel()
        process.kill()
        process.stdout.close()
        status = process.wait()
    said = " / ".join(last)
    if late.is_set():
        raise EdgeECGError(
            "The emulated machine was stopped.",
            f"It was not finished after {timeout_s:.0f} s; it printed last: {said or 'nothing'}.",
            "Count fewer or smaller files at a time, or close other programs.",
        )
    if status and status != -signal.SIGKILL:
        raise EdgeECGError(
            "The emulated machine could not be started.",
            f"{PROGRAM} ended with status {status}: {said or 'it printed nothing'}.",
            "Check that this version of QEMU has the core: "
            f"{PROGRAM} -M virt -cpu help; version 7.2 has.",
        )
    return said
