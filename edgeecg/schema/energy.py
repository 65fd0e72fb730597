"""The energy of an inference, and the windows that it is measured in."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from edgeecg.schema.value import Count, Seconds, Value


class EnergyWindow(Value):
    """A period of inferences without pauses, or of rest.

    Attributes:
        begun_s: Its begin, in seconds of ``time.perf_counter()`` of the machine that ran it.
        ended_s: Its end.
        inferences: Number of inferences; 0 for a window of rest.
        disturbed: Why it is not valid, e.g. that the processor throttled, or None.
    """

    begun_s: float
    ended_s: float
    inferences: Count
    disturbed: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.ended_s <= self.begun_s:
            raise ValueError("a window needs to end after its begin")
        return self


class Energy(Value):
    """Energy of one inference, or why there is none.

    Attributes:
        tier: ``"measured"``, ``"not resolved"`` (below twice the detection limit), or
            ``"not measured"``.
        meter: Name of the meter, or None.
        reason: Why it is not measured or not resolved; None when measured.
        gross_j: Median energy per inference, including the idle power, or None.
        net_j: Median energy per inference, without the idle power, or None.
        ci95_j: 95 % interval of ``net_j`` (Student's t over the windows, and the resolution of the
            meter), or None.
        idle_w: Mean idle power, or None.
        detection_limit_j: Smallest net energy per inference that can be detected, or None.
        windows: Number of windows.
        inferences: Inferences in all windows.
        zones: What the meter covered, e.g. ``("package-0",)``.
        sample_rate_hz: Rate at which the meter delivers new values, or None.
        replayed: Whether the values of the meter were a recording or a simulation.
        window_net_j: ``net_j`` of every valid window.
        invalid: Why windows were left out, one sentence for each of them.
        guard_s: Time before and after each window that is attributed to its inferences, so that a
            slow meter and an uncertain clock do no harm; 0 for a meter that counts energy.
        samples: Number of samples of power; 0 for a meter that counts energy.
        lost: Samples that the meter lost.
        dropped: Samples that no meter of this kind can deliver, and that were left out.
        warnings: What else a reader of the figures should know, a sentence each.
    """

    tier: Literal["measured", "not measured", "not resolved"]
    meter: str | None
    reason: str | None
    gross_j: float | None
    net_j: float | None
    ci95_j: tuple[float, float] | None
    idle_w: float | None = None
    detection_limit_j: float | None = None
    windows: Count = 0
    inferences: Count = 0
    zones: tuple[str, ...] = ()
    sample_rate_hz: float | None = None
    replayed: bool = False
    window_net_j: tuple[float, ...] = ()
    invalid: tuple[str, ...] = ()
    guard_s: Seconds = 0.0
    samples: Count = 0
    lost: Count = 0
    dropped: Count = 0
    warnings: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.tier == "not measured" and (self.gross_j is not None or self.net_j is not None):
            raise ValueError("energy that was not measured cannot have joules")
        if self.tier == "measured" and (self.net_j is None or self.meter is None):
            raise ValueError("measured energy needs joules and a meter")
        if self.tier != "measured" and not self.reason:
            raise ValueError(f"energy that is {self.tier} needs a reason")
        return self
