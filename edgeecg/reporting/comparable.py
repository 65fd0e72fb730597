"""Why a quantity of two results may not be compared, e.g. because the devices differ."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeecg import resources
from edgeecg.errors import EdgeECGError
from edgeecg.reporting.subjects import Subject
from edgeecg.schema import BenchResult, DeviceInfo, ProxyCoefficients, Scores, Suite
from edgeecg.statistics import confusion

_Fact = tuple[str, object, object]


def scores(before: Subject, after: Subject) -> str | None:
    """Return why two results' scores may not be compared, or None."""
    first, second = before.scores, after.scores
    if first is None or second is None:
        return None
    found = _others(
        [
            ("data", first.data, second.data),
            ("tasks", first.task, second.task),
            ("splits", first.split, second.split),
            ("classes", ", ".join(first.per_class), ", ".join(second.per_class)),
            *_both("class maps", before.labelling[0], after.labelling[0]),
            *_both("likelihoods", before.labelling[1], after.labelling[1]),
            ("test sets", f"{first.n:,} samples", f"{second.n:,} samples"),
        ]
    )
    if found is not None or not (first.records and second.records):
        return found
    if first.records.keys() != second.records.keys():
        return "Other test records."
    return None if _same_classes(first, second) else "Other labels of the test records."


def _same_classes(first: Scores, second: Scores) -> bool:
    """Return whether every record has the same number of beats of each class."""
    counts = [confusion.stacked(each).sum(axis=-1) for each in (first, second)]
    return np.array_equal(*counts)


def latency(before: Subject, after: Subject) -> str | None:
    """Return why two results' latencies may not be compared, or None."""
    first, second = before.result, after.result
    if first is None or second is None:
        return None
    return _others(
        [
            *_devices(first.device, second.device),
            *_runs(first, second),
            ("suites", _timing(_suite(before)), _timing(_suite(after))),
        ]
    )


def energy(before: Subject, after: Subject) -> str | None:
    """Return why two results' energies may not be compared, or None."""
    first, second = before.result, after.result
    if first is None or second is None:
        return None
    return _others(
        [
            *_devices(first.device, second.device),
            *_runs(first, second),
            ("meters", _meter(first), _meter(second)),
            ("suites", _windows(_suite(before)), _windows(_suite(after))),
        ]
    )


def instructions(before: Subject, after: Subject) -> str | None:
    """Return why two counts of instructions may not be compared, or None."""
    first, second = before.counted, after.counted
    if first is None or second is None:
        return None
    return _others(
        [
            ("emulated cores", first.instructions.core, second.instructions.core),
            ("runtimes", first.runtime, second.runtime),
            ("batches", first.input_shape[:1], second.input_shape[:1]),
        ]
    )


def proxies(before: Subject, after: Subject) -> str | None:
    """Return why two results' proxies may not be compared, or None."""
    if before.proxy is None or after.proxy is None:
        return None
    if before.baseline != after.baseline:
        return "Other baselines that the proxies are relative to."
    return _others([("proxy coefficients", _coefficients(before), _coefficients(after))])


def _coefficients(subject: Subject) -> str:
    """Return which coefficients a proxy was computed with."""
    if subject.result is None:
        # Without a device, and on emulated cores, the default is used.
        return "the default"
    name = subject.result.device.name
    try:
        found = resources.load_device(name).coefficients
    except EdgeECGError:
        return f"unknown ones of {name}"
    return "the default" if found == ProxyCoefficients() else f"those of {name}"


def _devices(first: DeviceInfo, second: DeviceInfo) -> list[_Fact]:
    return [
        ("devices", _device(first), _device(second)),
        *_both("processors", first.cpu, second.cpu),
    ]


def _device(device: DeviceInfo) -> str:
    return f"{device.name} (emulated)" if device.emulated else device.name


def _runs(first: BenchResult, second: BenchResult) -> list[_Fact]:
    return [
        ("runtimes", first.runtime, second.runtime),
        ("threads", first.latency.threads, second.latency.threads),
        *_both("batches", _batch(first), _batch(second)),
    ]


def _batch(result: BenchResult) -> int | None:
    return result.input_shape[0] if result.input_shape else None


def _suite(subject: Subject) -> Suite | None:
    return None if subject.report is None else subject.report.suite


def _timing(suite: Suite | None) -> str:
    if suite is None:
        return "unknown"
    return (
        f"{suite.name} with {suite.warmup_runs} warm-up runs or {suite.warmup_seconds:g} s, and "
        f"{suite.min_runs} runs or {suite.min_seconds:g} s"
    )


def _windows(suite: Suite | None) -> str:
    if suite is None:
        return "unknown"
    return (
        f"{suite.name} with {suite.energy_windows} windows of {suite.energy_window_seconds:g} s "
        f"and rests of {suite.idle_window_seconds:g} s"
    )


def _meter(result: BenchResult) -> str:
    found = result.energy
    zones = f" ({', '.join(found.zones)})" if found.zones else ""
    return f"{found.meter}{zones}{', replayed' if found.replayed else ''}"


def _both(what: str, first: object, second: object) -> list[_Fact]:
    """Return a fact that is compared only where both results have it."""
    return [] if first is None or second is None else [(what, first, second)]


def _others(facts: Sequence[_Fact]) -> str | None:
    """Return a sentence with the facts that differ, or None where none does."""
    found = [f"other {what} ({one} and {two})" for what, one, two in facts if one != two]
    if not found:
        return None
    text = ", ".join(found)
    return f"{text[0].upper()}{text[1:]}."
