from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from simulated_time import SimulatedTime

from edgeecg.benchmark import latency
from edgeecg.benchmark.latency import Stopwatch
from edgeecg.errors import UsageError
from edgeecg.schema import Suite


@dataclass
class Model:
    """A session whose runs take what ``seconds`` says for their number."""

    time: SimulatedTime
    seconds: Callable[[int], float] = lambda run: 0.001
    runs: int = 0
    input_shape: tuple[int, ...] = (1,)
    dtype: str = "float32"
    log: list[int] = field(default_factory=list[int])

    def run(self, x: Any) -> Any:
        return x

    def invoke(self) -> None:
        self.time.pass_by(self.seconds(self.runs))
        self.runs += 1

    def manifest_json(self) -> str | None:
        return None


def test_percentiles_are_of_the_timed_runs_alone(time: SimulatedTime) -> None:
    # Run 0 is the first, 1 to 20 are the warm-up, then 1 ms, 2 ms, ... 100 ms.
    model = Model(time, lambda run: 1.0 if run == 0 else 0.5 if run <= 20 else (run - 20) / 1000)
    watch = Stopwatch(model, time.clock())
    watch.first()
    watch.warm_up(20, 0.0)
    watch.collect(100)
    figures = watch.times.latency(threads=1, cpu=None)
    assert (figures.n, figures.warmup_n, figures.first_s) == (100, 20, 1.0)
    # Of 1..100 by linear interpolation.
    assert figures.p50_s == pytest.approx(0.0505)
    assert figures.p90_s == pytest.approx(0.0901)
    assert figures.p99_s == pytest.approx(0.09901)
    assert figures.max_s == pytest.approx(0.1)
    assert figures.mean_s == pytest.approx(0.0505)
    assert figures.samples_s == pytest.approx(np.arange(1, 101) / 1000)


def test_collecting_goes_on_until_both_runs_and_seconds_are_reached(time: SimulatedTime) -> None:
    slow = Stopwatch(Model(time, lambda _: 1.0), time.clock())
    slow.collect(17, 5.0)
    assert len(slow.times.samples_ns) == 17
    fast = Stopwatch(Model(time, lambda _: 0.01), time.clock())
    fast.collect(10, 5.0)
    assert len(fast.times.samples_ns) == 500


def test_warm_up_waits_for_steady_times(time: SimulatedTime) -> None:
    model = Model(time, lambda run: 0.5 ** min(run // 10, 6))
    falling = Stopwatch(model, time.clock())
    falling.warm_up(10, 0.0)
    assert falling.times.warmup_n == 80


def test_a_warm_up_that_never_becomes_steady_ends(time: SimulatedTime) -> None:
    unsteady = Stopwatch(Model(time, lambda run: 1.0 + run // 10 % 2), time.clock())
    unsteady.warm_up(20, 0.0)
    assert unsteady.times.warmup_n == 200


def test_runs_at_a_rate_start_one_period_apart(time: SimulatedTime, suite: Suite) -> None:
    model = Model(time, lambda run: 0.010)
    spent = iter([100.0, 105.0])
    watch, cpu_s = latency.at_rate(
        lambda: model, 2.0, suite, time.clock(), processor_s=lambda: next(spent)
    )
    assert len(watch.times.samples_ns) == 10
    assert cpu_s == pytest.approx(0.5)
    # Half a second apart, minus the run itself.
    assert time.waits[1:] == pytest.approx([0.49] * 9)


def test_a_rate_that_cannot_be_kept_is_refused(time: SimulatedTime, suite: Suite) -> None:
    with pytest.raises(UsageError, match="lower --rate"):
        latency.at_rate(lambda: Model(time, lambda _: 0.6), 2.0, suite, time.clock())


def test_a_rate_that_is_far_too_high_is_refused_after_a_few_runs(
    time: SimulatedTime, suite: Suite
) -> None:
    long = suite.model_copy(update={"min_seconds": 60.0})
    begun = time.ns
    with pytest.raises(UsageError, match="lower --rate"):
        latency.at_rate(lambda: Model(time, lambda _: 0.02), 1000.0, long, time.clock())
    assert (time.ns - begun) * 1e-9 < 1.0


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system pins no processes")
def test_the_thread_is_pinned_and_released_even_after_an_error() -> None:
    before = os.sched_getaffinity(0)

    def fail() -> None:
        with latency.undisturbed(threads=1) as cpu:
            assert os.sched_getaffinity(0) == {cpu}
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert os.sched_getaffinity(0) == before


def test_several_threads_are_not_pinned_to_one_processor() -> None:
    with latency.undisturbed(threads=2) as cpu:
        assert cpu is None
