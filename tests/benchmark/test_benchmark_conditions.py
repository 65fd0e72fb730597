"""Every condition that disturbs a measurement is a warning, and calm machines have none."""

from __future__ import annotations

from typing import Any

import pytest
import timed_layers

from edgeecg.benchmark import conditions
from edgeecg.schema import BenchResult, DeviceInfo, DeviceState, Parity

CALM = DeviceState(
    governor="performance",
    frequency_hz=1.8e9,
    temperature_c=50.0,
    throttled=False,
    load=0.5,
    throttle_now=(),
    throttle_since_boot=(),
    throttle_events=7,
    swap_used_bytes=0,
    swapped_bytes=4096,
)


def device(before: DeviceState = CALM, after: DeviceState = CALM, **changes: Any) -> DeviceInfo:
    fields = {"max_frequency_hz": 1.8e9, "cpu_features": ("asimd",), "int8_dot_product": False}
    made = timed_layers.result().device
    return made.model_copy(update={**fields, **changes, "before": before, "after": after})


def state(**changes: Any) -> DeviceState:
    return CALM.model_copy(update=changes)


def warned(found: DeviceInfo, *results: BenchResult) -> tuple[str, ...]:
    return conditions.warnings(found, results or (timed_layers.result(),))


def test_a_calm_machine_has_no_warning() -> None:
    assert warned(device()) == ()


def test_what_an_earlier_version_did_not_record_is_no_warning() -> None:
    unknown = timed_layers.STATE
    assert warned(device(unknown, unknown, int8_dot_product=None)) == ()


def test_emulation() -> None:
    (found,) = warned(device(emulated=True))
    assert "emulated" in found


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({}, {"throttle_now": ("throttled",)}, ("during the measurement (throttled)",)),
        # It came and went while nobody looked: only the record since boot is new.
        (
            {},
            {"throttle_since_boot": ("undervoltage", "throttled")},
            ("(throttled, undervoltage)", "supply voltage was too low"),
        ),
        (
            {"throttle_since_boot": ("undervoltage",)},
            {"throttle_since_boot": ("undervoltage",)},
            ("undervoltage since boot, before the measurement",),
        ),
        # A record of before does not hide what is new.
        (
            {"throttle_since_boot": ("undervoltage",)},
            {"throttle_since_boot": ("undervoltage", "throttled")},
            ("during the measurement (throttled)", "undervoltage since boot"),
        ),
        ({}, {"throttled": True}, ("reports throttling",)),
        ({}, {"throttle_events": 8}, ("slowed down by its temperature",)),
    ],
)
def test_throttling_and_undervoltage(
    before: dict[str, Any], after: dict[str, Any], words: tuple[str, ...]
) -> None:
    found = warned(device(state(**before), state(**after)))
    assert len(found) == len(words)
    for text, expected in zip(found, words, strict=True):
        assert expected in text


def test_swapping_during_the_measurement() -> None:
    (found,) = warned(device(CALM, state(swapped_bytes=4096 + 3 * 2**20)))
    assert "3.0 MiB" in found
    # Swap that lies there and is not used does no harm.
    idle = state(swap_used_bytes=2**30)
    assert warned(device(idle, idle)) == ()


@pytest.mark.parametrize(
    ("governor", "first", "last", "words"),
    [
        ("ondemand", 0.6e9, 1.8e9, ("from 600 to 1800 MHz", "ondemand", "to performance")),
        ("performance", 1.8e9, 1.5e9, ("from 1800 to 1500 MHz", "cooling")),
        # It stayed where it was, but far below what the core can do.
        ("powersave", 0.6e9, 0.6e9, ("at 600 MHz", "1800 MHz", "powersave")),
        ("ondemand", 1.8e9, 1.77e9, ()),
        (None, None, None, ()),
    ],
)
def test_the_clock_and_the_governor_that_changes_it(
    governor: str | None, first: float | None, last: float | None, words: tuple[str, ...]
) -> None:
    before = state(governor=governor, frequency_hz=first)
    after = state(governor=governor, frequency_hz=last)
    found = warned(device(before, after))
    assert len(found) == bool(words)
    for word in words:
        assert word in found[0]


def test_the_governor_matters_where_the_processor_pauses() -> None:
    both = state(governor="schedutil")
    result = timed_layers.result()
    assert warned(device(both, both), result) == ()
    paused = result.model_copy(update={"duty_cycle": (result.latency,)})
    (found,) = warned(device(both, both), paused)
    assert "schedutil" in found
    assert warned(device(), paused) == ()


def test_int8_without_dot_products_is_not_expected_to_be_faster() -> None:
    quantised = timed_layers.result(file="a-int8.onnx", dtype="int8")
    (found,) = warned(device(), quantised, timed_layers.result())
    assert "int8 is not expected to be faster here" in found
    assert "a-int8.onnx" in found
    assert "dense.onnx" not in found
    assert warned(device(int8_dot_product=True), quantised) == ()
    # Only the weights are int8: it is multiplied in float32, for which other rules hold.
    reference = quantised.artifact.model_copy(update={"activation_dtype": "float32"})
    assert warned(device(), quantised.model_copy(update={"artifact": reference})) == ()


@pytest.mark.parametrize(("agreement", "warns"), [(0.59, True), (0.949, True), (0.95, False)])
def test_a_file_that_classifies_differently(agreement: float, warns: bool) -> None:
    parity = Parity(n=100, max_abs_diff=0.5, label_agreement=agreement)
    found = warned(device(), timed_layers.result(file="bad.onnx", parity=parity))
    assert len(found) == warns
    if warns:
        assert f"bad.onnx: {100 * agreement:.3g} %" in found[0]


def test_measurements_after_one_another_are_all_looked_at() -> None:
    hot = device(CALM, state(throttle_now=("throttled",)))
    results = [timed_layers.result(device=device()), timed_layers.result(device=hot)]
    (found,) = conditions.of_results(results)
    assert "throttled" in found
    assert conditions.of_results([results[0], results[0]]) == ()
