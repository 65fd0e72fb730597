"""Meters that are asked for every sample."""

from __future__ import annotations

import time

import numpy as np
import pytest
from readings import collect

from edgeecg.errors import MeterError
from edgeecg.meters import _polling
from edgeecg.meters._polling import PolledMeter, ReadingError


class Scripted(PolledMeter):
    """A meter whose readings are given; the last one is repeated."""

    def __init__(self, rate_hz: float, *script: float | Exception | None) -> None:
        super().__init__("scripted", ("supply",), rate_hz, 100.0)
        self.script = list(script)

    def take(self) -> tuple[float, float] | None:
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, Exception):
            raise step
        return None if step is None else (time.perf_counter(), step)

    def close(self) -> None:
        pass


def test_a_short_look_at_a_slow_meter_waits_for_a_sample_and_is_no_zero() -> None:
    meter = Scripted(2.0, 5.0)
    meter.read()
    begun = time.perf_counter()
    samples = meter.read()
    assert time.perf_counter() - begun == pytest.approx(0.5, abs=0.1)
    assert samples.watts.tolist() == [5.0]


def test_a_fast_meter_is_read_in_batches_at_its_rate() -> None:
    meter = Scripted(100.0, 5.0)
    found = collect(meter, 1.0)
    assert found.t_s.size == pytest.approx(100, abs=15)
    assert np.all(np.diff(found.t_s) > 0)


def test_a_reader_that_was_held_up_does_not_ask_in_a_burst() -> None:
    meter = Scripted(100.0, 5.0)
    meter.read()
    time.sleep(0.5)
    found = collect(meter, 0.2)
    assert np.diff(found.t_s).min() > 0.009


def test_a_failed_reading_is_counted_and_the_last_one_is_not_repeated() -> None:
    bad = ReadingError("it is broken")
    meter = Scripted(50.0, 5.0, bad, bad, 7.0)
    found = collect(meter, 0.3)
    assert found.lost == 2
    assert found.watts[0] == 5.0
    assert set(found.watts[1:].tolist()) == {7.0}
    assert np.diff(found.t_s)[0] == pytest.approx(0.06, abs=0.015)


def test_a_meter_with_nothing_new_returns_nothing_within_a_second() -> None:
    meter = Scripted(20.0, None)
    begun = time.perf_counter()
    samples = meter.read()
    assert samples.t_s.size == samples.lost == 0
    assert time.perf_counter() - begun < 1.0


def test_a_meter_that_fails_for_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_polling, "_GIVE_UP_S", 0.4)
    meter = Scripted(50.0, 5.0, ReadingError("the chip is mute"))
    with pytest.raises(MeterError, match="the chip is mute"):
        collect(meter, 3.0)


def test_a_remark_is_made_once() -> None:
    meter = Scripted(100.0, 5.0)
    for _ in range(3):
        meter.remark("The shunt is warm.")
    assert collect(meter, 0.3).remarks == ["The shunt is warm."]
