"""Recognising the machine, and reading the state it is in."""

from __future__ import annotations

import os
import platform
import re
import struct
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from edgeecg import resources
from edgeecg.devices import _kernel_files, cpu as processor, throttling
from edgeecg.errors import UsageError
from edgeecg.schema import DetectRule, DeviceInfo, DeviceProfile, DeviceState

ROOT = Path("/")
_CPUFREQ = "sys/devices/system/cpu/cpu{cpu}/cpufreq"
_BUSY_S = 0.05


def detect(
    root: Path = ROOT, machine: str | None = None, system: str | None = None
) -> DeviceProfile:
    """Return the profile of this machine: the one with the most specific rule that matches.

    Args:
        root: Root of the file system.
        machine: ``platform.machine()`` when None.
        system: ``platform.system()`` when None.

    Raises:
        UsageError: No profile matches; the message lists the known ones.
    """
    here = _this_machine(root, machine, system)
    kind, model = here.machine, here.model
    profiles = resources.usable_devices()
    found = [(rank, each) for each in profiles if (rank := _rank(each.detect, here)) is not None]
    if not found:
        known = ", ".join(profile.name for profile in profiles if profile.detect is not None)
        raise UsageError(
            "This machine is not one of the known devices.",
            f"It is a '{kind}'{f' ({model})' if model else ''}; the known devices are: {known}.",
            "Describe it in a file, and name that: --device MY-BOARD.toml (see devices/README.md).",
        )
    return max(found, key=lambda ranked: ranked[0])[1]


def chosen(
    name: str | None,
    root: Path = ROOT,
    machine: str | None = None,
    system: str | None = None,
) -> tuple[DeviceProfile, str | None]:
    """Return the profile to measure with, and what is doubtful about it.

    Figures of one machine must not get the name of another: a profile of another kind of machine is
    refused. A board that is not recognised, as in a container that hides its name, can be named.

    Args:
        name: What ``--device`` gives, or None for the profile that is detected.
        root: Root of the file system.
        machine: ``platform.machine()`` when None.
        system: ``platform.system()`` when None.

    Returns:
        The profile, and a warning where this machine was not recognised as it, or None.

    Raises:
        UsageError: No profile matches, or the one that is named is of another kind of machine.
        UnknownNameError: There is no such profile.
        SchemaError: The file is not a profile.
    """
    if name is None:
        return detect(root, machine, system), None
    profile, here = resources.load_device(name), _this_machine(root, machine, system)
    rule = profile.detect
    if rule is None:
        # A file of one's own need not say how its board is recognised.
        if name.endswith(".toml"):
            return profile, None
        raise UsageError(
            f"Nothing can be measured here as '{name}'.",
            f"'{profile.title}' runs no Python, and this machine is a '{here.machine}'.",
            "Leave --device out. For such a board, record its current: see 'edgeecg trace --help'.",
        )
    if here.machine not in rule.machine or rule.system not in (None, here.system):
        raise UsageError(
            f"This machine is no '{profile.title}'.",
            f"Its kind is {here.machine} ({here.system}), and that of '{name}' is "
            f"{', '.join(rule.machine)}{f' ({rule.system})' if rule.system else ''}.",
            "Leave --device out, or measure on the board: --on HOST",
        )
    if _rank(rule, here) is not None:
        return profile, None
    found = f" (it says that it is a '{here.model}')" if here.model else ""
    return profile, (
        f"This machine was not recognised as a '{profile.title}'{found}: the figures have this "
        f"name because of --device {name}."
    )


def _this_machine(root: Path, machine: str | None, system: str | None) -> _Machine:
    return _Machine(
        machine or platform.machine(),
        board_model(root),
        processor.extensions(root) or (),
        system or platform.system(),
    )


@dataclass(frozen=True)
class _Machine:
    """What the rules of the profiles look at."""

    machine: str
    model: str | None
    cpu_features: tuple[str, ...]
    system: str


def _rank(rule: DetectRule | None, here: _Machine) -> tuple[int, int, int] | None:
    """Return how specific a rule is that matches this machine, or None if it does not match."""
    if rule is None or here.machine not in rule.machine:
        return None
    texts = [text for text in rule.model_contains if _has_words(here.model or "", text)]
    features = set(rule.cpu_features) & set(here.cpu_features)
    if (rule.model_contains and not texts) or (rule.cpu_features and not features):
        return None
    if rule.system not in (None, here.system):
        return None
    return max(map(len, texts), default=0), len(features), rule.system is not None


def _has_words(model: str, text: str) -> bool:
    """Return whether a text is in a model's name and neither end of it is within a word."""
    return re.search(rf"(?<!\w){re.escape(text)}(?!\w)", model) is not None


def board_model(root: Path = ROOT) -> str | None:
    """Return the board's name, or None on a machine that is not a board.

    psutil does not read it: the kernel gives it in the device tree, or as ``Model`` in cpuinfo.

    Args:
        root: Root of the file system.
    """
    tree = _kernel_files.text(root / "proc/device-tree/model")
    return tree or _kernel_files.cpuinfo(root).get("Model")


def userland_bits() -> Literal[32, 64]:
    """Return the width of this Python: a 64-bit kernel also runs a 32-bit one."""
    return 64 if struct.calcsize("P") == 8 else 32


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


def state(cpu: int | None, root: Path = ROOT, busy_s: float = _BUSY_S) -> DeviceState:
    """Read what could make two measurements differ.

    Args:
        cpu: The processor that measures, to which the calling thread is bound; None means the
            first.
        root: Root of the file system, for what psutil does not read.
        busy_s: Seconds that the processor works before its frequency is read, because an idle one
            lowers it.
    """
    # psutil does not read the governor.
    governor = _kernel_files.text(root / _CPUFREQ.format(cpu=cpu or 0) / "scaling_governor")
    if cpu is not None:
        _work(busy_s)
    frequency = _frequency_hz(cpu or 0, root)
    firmware = throttling.read()
    swap_used, swapped = _swap()
    return DeviceState(
        governor=governor or None,
        frequency_hz=frequency,
        temperature_c=_temperature_c(),
        throttled=None if firmware is None else bool(firmware.now),
        load=psutil.getloadavg()[0],
        throttle_now=None if firmware is None else firmware.now,
        throttle_since_boot=None if firmware is None else firmware.since_boot,
        throttle_events=throttling.events(root),
        swap_used_bytes=swap_used,
        swapped_bytes=swapped,
    )


def describe(
    profile: DeviceProfile,
    before: DeviceState,
    after: DeviceState,
    cpu: int | None = None,
    root: Path = ROOT,
) -> DeviceInfo:
    """Return the description of this machine that a result carries.

    Args:
        profile: The device profile of this machine.
        before: Its state before the measurement.
        after: Its state after the measurement.
        cpu: The processor that measured; None means the first.
        root: Root of the file system, for what psutil does not read.
    """
    board, features = board_model(root), processor.extensions(root)
    maximum = _kernel_files.number(root / _CPUFREQ.format(cpu=cpu or 0) / "cpuinfo_max_freq")
    return DeviceInfo(
        name=profile.name,
        emulated=emulated(root),
        machine=platform.machine(),
        cpu=processor.name(root) or board or platform.processor() or None,
        cores=psutil.cpu_count(logical=True) or 1,
        memory_bytes=psutil.virtual_memory().total,
        system=platform.platform(),
        python=platform.python_version(),
        before=before,
        after=after,
        board=board,
        core=processor.core(root),
        cpu_features=features,
        int8_dot_product=processor.has_int8_dot_product(features),
        max_frequency_hz=maximum * 1e3 if maximum else None,
        userland_bits=userland_bits(),
    )


def _work(seconds: float) -> None:
    """Keep the processor busy."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def _frequency_hz(cpu: int, root: Path) -> float | None:
    """Return the current frequency of one core, or None."""
    # psutil lists frequency policies, and several cores may share one: it cannot tell the frequency
    # of a given core where its list is shorter than the list of cores.
    kilohertz = _kernel_files.number(root / _CPUFREQ.format(cpu=cpu) / "scaling_cur_freq")
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


def _swap() -> tuple[int | None, int | None]:
    """Return the swap in use and what was moved to and from it since boot, in bytes."""
    try:
        with warnings.catch_warnings():
            # psutil warns where /proc/vmstat may not be read, as in some containers.
            warnings.simplefilter("ignore", RuntimeWarning)
            swap = psutil.swap_memory()
    except (OSError, RuntimeError, ValueError):
        return None, None
    return swap.used, swap.sin + swap.sout
