"""Time of one inference: after a warm-up, on one core, around the invoke call alone."""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

import numpy as np

from edgeecg.benchmark import processors
from edgeecg.benchmark.clock import Clock
from edgeecg.errors import UsageError
from edgeecg.runtimes import Session
from edgeecg.schema import Latency, Suite

_BLOCK = 10
_STEADY = 0.05
_MAX_WARMUPS = 10
_FEWEST_AT_RATE = 10


@dataclass
class Times:
    """The times of one file.

    Attributes:
        first_s: Time of the first inference after loading.
        warmup_n: Number of warm-up runs so far.
        samples_ns: Times of the timed runs so far.
    """

    first_s: float = 0.0
    warmup_n: int = 0
    samples_ns: list[int] = field(default_factory=list[int])

    @property
    def p50_s(self) -> float:
        """Median of the timed runs so far."""
        return float(np.median(self.samples_ns)) * 1e-9

    def latency(
        self,
        threads: int,
        cpu: int | None,
        rate_hz: float | None = None,
        spin: bool | None = None,
        cpu_s: float | None = None,
    ) -> Latency:
        """Return the statistics of all timed runs (percentiles interpolated linearly).

        Args:
            threads: Number of threads of the runtime.
            cpu: The processor that the runs were bound to, or None.
            rate_hz: Runs per second that were asked for, or None for runs without pauses.
            spin: Whether idle worker threads spin, or None when unknown.
            cpu_s: Processor seconds of one period, or None.
        """
        samples = np.array(self.samples_ns) / 1e9
        p50, p90, p99 = np.percentile(samples, (50, 90, 99)).tolist()
        return Latency(
            n=samples.size,
            threads=threads,
            p50_s=p50,
            p90_s=p90,
            p99_s=p99,
            max_s=float(samples.max()),
            mean_s=float(samples.mean()),
            first_s=self.first_s,
            warmup_n=self.warmup_n,
            pinned_cpu=cpu,
            rate_hz=rate_hz,
            spin=spin,
            cpu_s=cpu_s,
            samples_s=tuple(samples.tolist()),
        )


@dataclass
class Stopwatch:
    """Times a loaded file.

    Attributes:
        session: The loaded file.
        clock: The source of time.
        times: The times so far.
    """

    session: Session
    clock: Clock
    times: Times = field(default_factory=Times)

    def first(self) -> None:
        """Time the first inference after loading, which includes set-up."""
        self.times.first_s = self._timed(1)[0] * 1e-9

    def warm_up(self, runs: int, seconds: float) -> None:
        """Run until the times of two successive blocks of 10 runs differ by at most 5 %.

        Args:
            runs: Smallest number of runs; ten times as many end the warm-up in any case.
            seconds: Shortest time; ten times as long ends the warm-up in any case.
        """
        begun = self.clock.now()
        before, done = 0.0, 0
        while True:
            block = float(np.median(self._timed(_BLOCK)))
            done += _BLOCK
            spent = self.clock.now() - begun
            steady = abs(block - before) <= _STEADY * block
            enough = done >= runs and spent >= seconds
            limit = done >= _MAX_WARMUPS * runs and spent >= _MAX_WARMUPS * seconds
            if (enough and steady) or limit:
                break
            before = block
        self.times.warmup_n += done

    def collect(self, runs: int, seconds: float = 0.0) -> None:
        """Time runs without pauses.

        Args:
            runs: Smallest number of runs.
            seconds: Shortest time.
        """
        begun = self.clock.now()
        done = 0
        while done < runs or self.clock.now() - begun < seconds:
            block = min(_BLOCK, runs - done) if done < runs else _BLOCK
            self.times.samples_ns += self._timed(block)
            done += block

    def _timed(self, runs: int) -> list[int]:
        now, invoke = self.clock.now_ns, self.session.invoke
        samples: list[int] = []
        for _ in range(runs):
            begun = now()
            invoke()
            samples.append(now() - begun)
        return samples


def at_rate(
    load: Callable[[], Session],
    rate_hz: float,
    suite: Suite,
    clock: Clock,
    processor_s: Callable[[], float] = time.process_time,
) -> tuple[Stopwatch, float]:
    """Time runs at a fixed rate with pauses, as on a wearable device.

    Args:
        load: Loads the file in a new session.
        rate_hz: Runs per second.
        suite: Gives the warm-up and the shortest time; at least 10 runs are timed.
        clock: The source of time.
        processor_s: Returns the processor seconds of this process, over all threads.

    Returns:
        The times, and the processor seconds of one period, which include spinning threads.

    Raises:
        UsageError: One run takes longer than the period.
    """
    watch = Stopwatch(load(), clock)
    watch.first()
    watch.warm_up(suite.warmup_runs, suite.warmup_seconds)
    period = 1.0 / rate_hz
    runs = max(_FEWEST_AT_RATE, round(suite.min_seconds * rate_hz))
    due, used = clock.now() + period, processor_s()
    for done in range(1, runs + 1):
        clock.sleep(max(0.0, due - clock.now()))
        watch.collect(1)
        due += period
        # Checked early, too: at a rate far too high there are millions of runs.
        if done in (_FEWEST_AT_RATE, runs) and (median := watch.times.p50_s) > period:
            raise UsageError(
                f"The file cannot run {rate_hz:g} times per second on this machine.",
                f"One run takes {median:.3g} s.",
                "Give a lower --rate.",
            )
    return watch, (processor_s() - used) / runs


@contextlib.contextmanager
def undisturbed(threads: int) -> Generator[int | None]:
    """Bind this thread to one processor and pause the garbage collector.

    Args:
        threads: Number of threads of the runtime.

    Yields:
        The processor, or None when the thread is not bound to one: with several threads, or on a
        system that cannot do it.
    """
    cpu = processors.to_bind(threads)
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        with processors.on(cpu):
            yield cpu
    finally:
        if collecting:
            gc.enable()
