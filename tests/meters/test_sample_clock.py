from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from edgeecg.meters._sample_clock import SampleClock

RATE_HZ = 100_000.0


def simulate(
    rng: np.random.Generator,
    seconds: float,
    skew: float = 0.0,
    delay_s: float = 1e-3,
    stalls: tuple[tuple[float, float], ...] = (),
) -> tuple[SampleClock, list[float], int]:
    """Deliver samples every few milliseconds, late; return errors of the times and the losses."""
    clock = SampleClock(RATE_HZ)
    now, errors, lost = 0.0, list[float](), 0
    while now < seconds:
        now += float(rng.uniform(2e-3, 10e-3))
        for begin, length in stalls:
            if begin <= now < begin + length:
                now = begin + length
        taken = int(now * RATE_HZ * (1 + skew))
        lost += clock.arrived(taken, now + float(rng.exponential(delay_s)))
        if now < 0.5:
            clock.settle()
        else:
            true = taken / (RATE_HZ * (1 + skew))
            errors.append(clock.time_of(taken) - true)
    return clock, errors, lost


@settings(max_examples=15)
@given(seed=st.integers(0, 2**31), skew=st.floats(-3e-4, 3e-4))
def test_times_follow_a_clock_that_is_off_despite_late_arrivals(seed: int, skew: float) -> None:
    _, errors, lost = simulate(np.random.default_rng(seed), 60.0, skew)
    assert lost == 0
    assert max(map(abs, errors)) < 2e-3


def test_a_reader_that_was_held_up_has_lost_nothing() -> None:
    rng = np.random.default_rng(1)
    _, errors, lost = simulate(rng, 10.0, stalls=((3.0, 0.4), (5.0, 1.5)))
    assert lost == 0
    assert max(map(abs, errors)) < 2e-3


@pytest.mark.parametrize("missing", [1_000, 37_000])
def test_lost_samples_are_counted_and_later_times_are_right(missing: int) -> None:
    clock = SampleClock(RATE_HZ)
    known, found = 0, list[int]()
    for i in range(1, 1000):
        now = i * 5e-3
        taken = int(now * RATE_HZ)
        received = taken - (missing if now > 2.0 else 0)
        lost = clock.arrived(received + known, now + 1e-4 * (i % 7))
        known += lost
        found += [lost] if lost else []
    assert sum(found) == pytest.approx(missing, rel=0.01)
    assert clock.time_of(int(4.9 * RATE_HZ)) == pytest.approx(4.9, abs=1e-3)


def test_a_clock_without_samples_has_no_time() -> None:
    clock = SampleClock(RATE_HZ)
    assert clock.empty
    with pytest.raises(ValueError, match="no sample"):
        clock.time_of(0)
