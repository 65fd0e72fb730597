"""Which machine this is, and the state it is in."""

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


def detect(root: Path = ROOT, machine: str | None = None) -> DeviceProfile:
    """Return the profile of this machine: the one with the most specific rule that holds.

    Args:
        root: Root of the file system.
        machine: ``platform.machine()`` when None.

    Raises:
        UsageError: No profile fits; lists the known ones.
    """
    kind, model = machine or platform.machine(), board_model(root)
    profiles = [resources.load_device(name) for name in resources.device_names()]
    fitting = [profile for profile in profiles if _fits(profile, kind, model)]
    if not fitting:
        known = ", ".join(profile.name for profile in profiles if profile.detect is not None)
        raise UsageError(
            "This machine is not one of the known devices.",
            f"It is a '{kind}'{f' ({model})' if model else ''}; known are: {known}.",
            "Name the nearest with --device, or add one file to devices/.",
        )
    return max(fitting, key=_specificity)


def _fits(profile: DeviceProfile, machine: str, model: str | None) -> bool:
    rule = profile.detect
    if rule is None or machine not in rule.machine:
        return False
    return rule.model_contains is None or rule.model_contains in (model or "")


def _specificity(profile: DeviceProfile) -> int:
    rule = profile.detect
    return len(rule.model_contains or "") if rule is not None else -1


def board_model(root: Path = ROOT) -> str | None:
    """Return the board's name from the device tree or from ``Model`` in cpuinfo, or None."""
    text = _text(root / "proc/device-tree/model")
    return text.strip("\0 \n") if text else _cpuinfo(root, "Model")


def emulated(root: Path = ROOT, machine: str | None = None) -> bool:
    """Return whether this process runs under QEMU's user emulation.

    Two signs. An interpreter for our own machine is registered with binfmt_misc: a real machine of
    this kind runs its own programs without one. Or ``/proc/thread-self/exe`` is QEMU: the emulator
    hides behind ``/proc/self``, and not there.
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
        cpu: The measuring processor; None stands for the first.
        root: Root of the file system.
    """
    scaling = root / f"sys/devices/system/cpu/cpu{cpu or 0}/cpufreq"
    governor = _text(scaling / "scaling_governor")
    frequency = _number(scaling / "scaling_cur_freq")
    temperatures = [_number(path) for path in root.glob("sys/class/thermal/thermal_zone*/temp")]
    degrees = [value / 1000 for value in temperatures if value is not None]
    return DeviceState(
        governor=governor.strip() if governor else None,
        frequency_hz=frequency * 1000 if frequency is not None else _megahertz(root, cpu or 0),
        temperature_c=max(degrees) if degrees else None,
        throttled=_throttled(),
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    )


def describe(profile: DeviceProfile, before: DeviceState, after: DeviceState) -> DeviceInfo:
    """Return what a result says about this machine."""
    return DeviceInfo(
        name=profile.name,
        emulated=emulated(),
        machine=platform.machine(),
        cpu=_cpuinfo(ROOT, "model name") or board_model() or platform.processor() or None,
        cores=psutil.cpu_count(logical=True) or 1,
        memory_bytes=psutil.virtual_memory().total,
        system=platform.platform(),
        python=platform.python_version(),
        before=before,
        after=after,
    )


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


def _cpuinfo(root: Path, key: str, which: int = 0) -> str | None:
    found: list[str] = []
    for line in (_text(root / "proc/cpuinfo") or "").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            found.append(value.strip())
    return found[which] if which < len(found) else None


def _megahertz(root: Path, cpu: int) -> float | None:
    text = _cpuinfo(root, "cpu MHz", cpu)
    try:
        return float(text) * 1e6 if text else None
    except ValueError:
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
