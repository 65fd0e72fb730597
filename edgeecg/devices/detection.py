"""Recognising the machine, and reading the state it is in."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

import psutil

from edgeecg import resources
from edgeecg.errors import UsageError
from edgeecg.schema import DeviceInfo, DeviceProfile, DeviceState

ROOT = Path("/")
_CPUFREQ = "sys/devices/system/cpu/cpu{cpu}/cpufreq"


def detect(root: Path = ROOT, machine: str | None = None) -> DeviceProfile:
    """Return the profile of this machine: the one with the most specific rule that matches.

    Args:
        root: Root of the file system.
        machine: ``platform.machine()`` when None.

    Raises:
        UsageError: No profile matches; the message lists the known ones.
    """
    kind, model = machine or platform.machine(), board_model(root)
    profiles = resources.usable_devices()
    matching = [profile for profile in profiles if _matches(profile, kind, model)]
    if not matching:
        known = ", ".join(profile.name for profile in profiles if profile.detect is not None)
        raise UsageError(
            "This machine is not one of the known devices.",
            f"It is a '{kind}'{f' ({model})' if model else ''}; the known devices are: {known}.",
            "Name the most similar one with --device, or add one file to devices/.",
        )
    return max(matching, key=_specificity)


def _matches(profile: DeviceProfile, machine: str, model: str | None) -> bool:
    rule = profile.detect
    if rule is None or machine not in rule.machine:
        return False
    return rule.model_contains is None or rule.model_contains in (model or "")


def _specificity(profile: DeviceProfile) -> int:
    rule = profile.detect
    return len(rule.model_contains or "") if rule is not None else -1


def board_model(root: Path = ROOT) -> str | None:
    """Return the board's name, or None on a machine that is not a board.

    psutil does not read it: the kernel gives it in the device tree, or as ``Model`` in cpuinfo.

    Args:
        root: Root of the file system.
    """
    text = _text(root / "proc/device-tree/model")
    return text.strip("\0 \n") if text else _cpuinfo(root, "Model")


def emulated(root: Path = ROOT, machine: str | None = None) -> bool:
    """Return whether this process runs under QEMU's user emulation.

    Either of two signs is enough. An interpreter for this kind of machine is registered with
    binfmt_misc: a real machine runs its native programs without one. Or ``/proc/thread-self/exe``
    is QEMU: the emulator replaces ``/proc/self/exe`` by the emulated program, but not this link.

    Args:
        root: Root of the file system.
        machine: ``platform.machine()`` when None.
    """
    kind = machine or platform.machine()
    # Names as qemu-user-static registers them: a 32-bit ARM machine reports armv7l.
    registered = "arm" if kind.startswith("armv") else kind
    if (root / f"proc/sys/fs/binfmt_misc/qemu-{registered}").exists():
        return True
    try:
        return "qemu" in os.readlink(root / "proc/thread-self/exe")
    except OSError:
        return False


def state(cpu: int | None, root: Path = ROOT) -> DeviceState:
    """Read what could make two measurements differ.

    Args:
        cpu: The processor that measures; None means the first.
        root: Root of the file system, for what psutil does not read.
    """
    # psutil does not read the governor.
    governor = _text(root / _CPUFREQ.format(cpu=cpu or 0) / "scaling_governor")
    return DeviceState(
        governor=governor.strip() if governor else None,
        frequency_hz=_frequency_hz(cpu or 0, root),
        temperature_c=_temperature_c(),
        throttled=_throttled(),
        load=psutil.getloadavg()[0],
    )


def describe(profile: DeviceProfile, before: DeviceState, after: DeviceState) -> DeviceInfo:
    """Return the description of this machine that a result carries.

    Args:
        profile: The device profile of this machine.
        before: Its state before the measurement.
        after: Its state after the measurement.
    """
    return DeviceInfo(
        name=profile.name,
        emulated=emulated(),
        machine=platform.machine(),
        # psutil has no name of the processor, and platform.processor() is empty on most Linux.
        cpu=_cpuinfo(ROOT, "model name") or board_model() or platform.processor() or None,
        cores=psutil.cpu_count(logical=True) or 1,
        memory_bytes=psutil.virtual_memory().total,
        system=platform.platform(),
        python=platform.python_version(),
        before=before,
        after=after,
    )


def _frequency_hz(cpu: int, root: Path) -> float | None:
    """Return the current frequency of one core, or None."""
    # psutil lists frequency policies, and several cores may share one: it cannot tell the frequency
    # of a given core where its list is shorter than the list of cores.
    kilohertz = _number(root / _CPUFREQ.format(cpu=cpu) / "scaling_cur_freq")
    if kilohertz is not None:
        return kilohertz * 1e3
    try:
        cores = psutil.cpu_freq(percpu=True)
    except (OSError, NotImplementedError):
        return None
    megahertz = cores[cpu].current if cpu < len(cores) else 0.0
    return megahertz * 1e6 or None


def _temperature_c() -> float | None:
    """Return the temperature of the hottest sensor, or None."""
    # psutil has the function only on systems that have sensors.
    read = getattr(psutil, "sensors_temperatures", dict)
    found = [sensor.current for sensors in read().values() for sensor in sensors]
    return max(found, default=None)


def _throttled() -> bool | None:
    """Ask a Raspberry Pi's firmware whether it throttles now (bits 0 to 3 of get_throttled)."""
    command = shutil.which("vcgencmd")
    if command is None:
        return None
    try:
        done = subprocess.run(
            [command, "get_throttled"], capture_output=True, text=True, timeout=5, check=True
        )
        return bool(int(done.stdout.strip().partition("=")[2], 16) & 0xF)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def _cpuinfo(root: Path, key: str) -> str | None:
    for line in (_text(root / "proc/cpuinfo") or "").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _number(path: Path) -> float | None:
    text = _text(path)
    try:
        return float(text) if text else None
    except ValueError:
        return None
