"""Running the windows in which energy is measured: busy ones between idle ones.

The scheme is that of MLPerf Tiny's energy mode (several windows of inferences without pauses), with
an idle window before and after each busy one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from edgeecg.benchmark.clock import Clock
from edgeecg.schema import EnergyWindow

TICK_S = 1.0
"""So often a meter that counts energy is read."""


RunWindow = Callable[[float, Callable[[], object]], EnergyWindow]
"""Runs inferences for so many seconds, at least one, and returns the window.

The function is called about once a second meanwhile, so that a meter that counts energy is read
before its counter wraps.
"""


def _ignore(now_s: float) -> None:
    del now_s


def in_this_process(invoke: Callable[[], None], clock: Clock) -> RunWindow:
    """Return what runs windows of inferences without pauses in this process.

    Args:
        invoke: Runs one inference.
        clock: The source of time.
    """

    def run(seconds: float, tick: Callable[[], object]) -> EnergyWindow:
        now_s = clock.now
        begun = ticked = now = now_s()
        runs = 0
        while now < begun + seconds or not runs:
            invoke()
            runs += 1
            now = now_s()
            if now - ticked >= TICK_S:
                tick()
                ticked = now
        return EnergyWindow(begun_s=begun, ended_s=now, inferences=runs)

    return run


def at_rate(invoke: Callable[[], None], rate_hz: float, clock: Clock) -> RunWindow:
    """Return what runs windows of inferences at a fixed rate in this process.

    A window is a whole number of periods, at least one, with one inference in each. It ends with
    the pause after the last inference, so that its energy is that of so many periods. An inference
    that is late begins at once, and the next ones keep to their times.

    Args:
        invoke: Runs one inference.
        rate_hz: Inferences per second.
        clock: The source of time.
    """

    def run(seconds: float, tick: Callable[[], object]) -> EnergyWindow:
        runs = max(1, round(seconds * rate_hz))
        begun = ended = ticked = clock.now()
        for number in range(1, runs + 1):
            invoke()
            ended = max(clock.now(), begun + number / rate_hz)
            while (left_s := ended - clock.now()) > 0:
                clock.sleep(min(TICK_S, left_s))
                if (now := clock.now()) - ticked >= TICK_S:
                    tick()
                    ticked = now
        return EnergyWindow(begun_s=begun, ended_s=ended, inferences=runs)

    return run


@dataclass
class WindowRunner:
    """Runs windows one after another, and keeps their times.

    Attributes:
        run: Runs a busy window.
        clock: The source of time.
        on_tick: Called before and after every window, in the middle of an idle one, and about once
            a second, with the time; a meter that counts energy is read then.
        windows: The windows so far.
    """

    run: RunWindow
    clock: Clock
    on_tick: Callable[[float], None] = _ignore
    windows: list[EnergyWindow] = field(default_factory=list[EnergyWindow])

    def idle(self, seconds: float) -> None:
        """Wait for a window."""
        begun = self._tick()
        for half in (1, 2):
            end = begun + half * seconds / 2
            while (now := self.clock.now()) < end:
                self.clock.sleep(min(TICK_S, end - now))
                self._tick()
        self.windows.append(EnergyWindow(begun_s=begun, ended_s=self._tick(), inferences=0))

    def busy(self, seconds: float) -> None:
        """Run inferences for a window, at least one."""
        self._tick()
        self.windows.append(self.run(seconds, self._tick))
        self._tick()

    def _tick(self) -> float:
        now = self.clock.now()
        self.on_tick(now)
        return now
