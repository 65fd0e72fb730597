"""Warnings about conditions that disturb a measurement, or that make its figures mean less."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from edgeecg.devices.throttling import UNDERVOLTAGE
from edgeecg.schema import BenchResult, DeviceInfo

_FAR_ABOVE = 5.0
# The measurement itself is a load of one on the core that it uses.
_MARGIN = 0.5
_MAX_NAMES = 3
_CLOCK_CHANGE = 0.05
_BELOW_MAXIMUM = 0.9
_LABEL_AGREEMENT = 0.95

_Check = Callable[[DeviceInfo, Sequence[BenchResult]], list[str]]


def warnings(device: DeviceInfo, results: Sequence[BenchResult]) -> tuple[str, ...]:
    """Return what may have disturbed a measurement, a sentence each.

    Args:
        device: The machine, with its state before and after the measurement.
        results: The results of all files.
    """
    return tuple(text for check in _CHECKS for text in check(device, results))


def of_results(results: Sequence[BenchResult]) -> tuple[str, ...]:
    """Return what may have disturbed measurements that were made one after another.

    Args:
        results: The results, each with the state of the machine before and after its measurement.
    """
    devices = list(dict.fromkeys(each.device for each in results))
    found = [
        text
        for device in devices
        for text in warnings(device, [each for each in results if each.device == device])
    ]
    return tuple(dict.fromkeys(found))


def _emulation(device: DeviceInfo, results: Sequence[BenchResult]) -> list[str]:
    if not device.emulated:
        return []
    return ["The machine is emulated: its times and its energy are not those of the board."]


def _busy(device: DeviceInfo, results: Sequence[BenchResult]) -> list[str]:
    before, after, cores = device.before.load or 0.0, device.after.load or 0.0, device.cores
    if before <= cores and after <= cores + _MARGIN:
        return []
    return [
        f"The machine is busy: its load average is {max(before, after):.1f} on "
        f"{cores} core{'' if cores == 1 else 's'}. Stop other programs and measure again."
    ]


def _spread(device: DeviceInfo, results: Sequence[BenchResult]) -> list[str]:
    spread = [
        f"{_name(each)}: {each.latency.p99_s / each.latency.p50_s:.0f} times"
        for each in results
        if each.latency.p99_s > _FAR_ABOVE * each.latency.p50_s > 0.0
    ]
    if not spread:
        return []
    return [f"p99 is far above p50 ({_listed(spread)}): other programs disturbed the measurement."]


def _throttling(device: DeviceInfo, results: Sequence[BenchResult]) -> list[str]:
    """Tell what happened during the measurement from what was recorded before it."""
    before, after = device.before, device.after
    earlier = set(before.throttle_since_boot or ())
    now = {*(before.throttle_now or ()), *(after.throttle_now or ())}
    during = now | (set(after.throttle_since_boot or ()) - earlier)
    found: list[str] = []
    if during or before.throttled or after.throttled:
        names = f" ({', '.join(sorted(during))})" if during else ""
        found.append(
            f"The firmware reports throttling during the measurement{names}: check cooling and "
            "power supply, and measure again."
        )
    if UNDERVOLTAGE in during:
        found.append(
            "The supply voltage was too low during the measurement: use a stronger power supply "
            "and a shorter cable."
        )
    if earlier - during:
        found.append(
            f"The firmware has recorded {', '.join(sorted(earlier - during))} since boot, before "
            "the measurement; it may have happened again. Restart the board and measure again."
        )
    if (after.throttle_events or 0) > (before.throttle_events or 0):
        found.append(
            "The processor was slowed down by its temperature during the measurement: check "
            "cooling, and measure again."
        )
    return found


def _swap(device: DeviceInfo, results: Sequence[BenchResult]) -> list[str]:
    before, after = device.before.swapped_bytes, device.after.swapped_bytes
    if before is None or after is None or after <= before:
        return []
    return [
        f"{(after - before) / 2**20:.1f} MiB were moved to or from swap during the measurement: "
        "stop programs that need memory, and measure again."
    ]


def _clock(device: DeviceInfo, results: Sequence[BenchResult]) -> list[str]:
    """Warn of a clock that changed or stayed low, and of the governor that changes it.

    Without pauses the clock rises to its highest value during the warm-up, whatever the governor.
    With pauses it falls in between.
    """
    first, last, highest = (
        device.before.frequency_hz,
        device.after.frequency_hz,
        device.max_frequency_hz,
    )
    governor = device.after.governor
    advice = (
        "check cooling"
        if governor == "performance"
        else f"the governor is {governor or 'unknown'}; set it to performance"
    )
    if first and last and abs(last - first) > _CLOCK_CHANGE * first:
        return [
            f"The clock changed from {first / 1e6:.0f} to {last / 1e6:.0f} MHz during the "
            f"measurement: {advice}, and measure again."
        ]
    if last and highest and last < _BELOW_MAXIMUM * highest:
        return [
            f"The clock was at {last / 1e6:.0f} MHz, below its maximum of {highest / 1e6:.0f} MHz: "
            f"{advice}."
        ]
    if governor not in (None, "performance") and any(each.duty_cycle for each in results):
        return [
            f"The governor is {governor}: between inferences it lowers the clock, which the "
            "figures at a fixed rate include. Set it to performance to exclude that."
        ]
    return []


def _int8(device: DeviceInfo, results: Sequence[BenchResult]) -> list[str]:
    if device.int8_dot_product is not False:
        return []
    names = [
        _name(each)
        for each in results
        if each.artifact.dtype == "int8" and each.artifact.activation_dtype in (None, "int8")
    ]
    if not names:
        return []
    return [
        "This processor has no int8 dot-product instructions: int8 is not expected to be faster "
        f"here than float32 ({_listed(names)})."
    ]


def _parity(device: DeviceInfo, results: Sequence[BenchResult]) -> list[str]:
    names = [
        f"{_name(each)}: {100 * agreement:.3g} %"
        for each in results
        if (agreement := each.parity.label_agreement) is not None and agreement < _LABEL_AGREEMENT
    ]
    if not names:
        return []
    return [
        f"Fewer than {100 * _LABEL_AGREEMENT:.0f} % of the labels are those of the PyTorch model "
        f"({_listed(names)}): such a file classifies differently, and its time and energy are "
        "not those of the same model."
    ]


def _name(result: BenchResult) -> str:
    return Path(result.artifact.file).name


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MAX_NAMES
    return ", ".join(names[:_MAX_NAMES]) + (f", and {more} more files" if more > 0 else "")


_CHECKS: tuple[_Check, ...] = (
    _emulation,
    _busy,
    _spread,
    _throttling,
    _swap,
    _clock,
    _int8,
    _parity,
)
