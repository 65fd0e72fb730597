"""Running the windows in which energy is measured: busy ones between idle ones.

The scheme is that of MLPerf Tiny's energy mode (several windows of inferences without pauses), with
an idle window before and after each busy one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from edgeecg.benchmark.clock import Clock
from edgeecg.schema import EnergyWindow

_TICK_S = 1.0


def _ignore(now_s: float) -> None:
    del now_s


@dataclass
class WindowRunner:
    """Runs windows one after another, and keeps their times.

    Attributes:
        invoke: Runs one inference.
        clock: The source of time.
        on_tick: Called at the begin and the end of every window, in the middle of an idle one, and
            about once a second, with the time; a meter that counts energy is read then.
        windows: The windows so far.
    """

    invoke: Callable[[], None]
    clock: Clock
    on_tick: Callable[[float], None] = _ignore
    windows: list[EnergyWindow] = field(default_factory=list[EnergyWindow])

    def idle(self, seconds: float) -> None:
        """Wait for a window."""
        begun = self._tick()
        for half in (1, 2):
            end = begun + half * seconds / 2
            while (now := self.clock.now()) < end:
                self.clock.sleep(min(_TICK_S, end - now))
                self._tick()
        self._keep(begun, 0)

    def busy(self, seconds: float) -> None:
        """Run inferences without pauses for a window, at least one."""
        begun = ticked = self._tick()
        invoke, now_s = self.invoke, self.clock.now
        runs, now = 0, begun
        while now < begun + seconds or not runs:
            invoke()
            runs += 1
            now = now_s()
            if now - ticked >= _TICK_S:
                ticked = self._tick()
        self._keep(begun, runs)

    def _tick(self) -> float:
        now = self.clock.now()
        self.on_tick(now)
        return now

    def _keep(self, begun: float, runs: int) -> None:
        ended = self._tick()
        self.windows.append(EnergyWindow(begun_s=begun, ended_s=ended, inferences=runs))
