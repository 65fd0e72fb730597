"""A clock that no test waits for."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgeecg.benchmark.clock import Clock


@dataclass
class SimulatedTime:
    """Time that passes only when somebody waits or works."""

    ns: int = 0
    waits: list[float] = field(default_factory=list[float])

    def pass_by(self, seconds: float) -> None:
        self.ns += max(1, round(seconds * 1e9))

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.pass_by(seconds)

    def clock(self) -> Clock:
        return Clock(lambda: self.ns, self.sleep)
