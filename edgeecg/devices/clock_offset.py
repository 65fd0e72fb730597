"""The offset between the clock of a host and the clock here, from round trips.

Every message that is answered with the host's time bounds the offset: the host read its clock
between the moments at which the message left and the answer came. The shortest of several round
trips bounds it best. Round trips before and after a measurement give the offset at its begin and
end; between them it is interpolated linearly, since two crystals differ by a nearly constant rate.
Round trips during the measurement check this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgeecg.schema import HostClock

MAX_DRIFT = 1e-3
"""Clocks that drift apart faster are not only inaccurate: one of them was set or stopped.

The kernel corrects a clock by 500 parts in a million at most, and a crystal is off by less than
100; both machines may do so.
"""


@dataclass(frozen=True)
class RoundTrip:
    """One message to the host and its answer.

    Attributes:
        sent_s: When the message left, on the clock here.
        received_s: When the answer came, on the clock here.
        host_s: What the host's clock showed in between.
    """

    sent_s: float
    received_s: float
    host_s: float

    @property
    def middle_s(self) -> float:
        """The middle of the round trip, on the clock here."""
        return (self.sent_s + self.received_s) / 2

    @property
    def offset_s(self) -> float:
        """The host's clock minus the one here, if both ways took the same time."""
        return self.host_s - self.middle_s

    @property
    def uncertainty_s(self) -> float:
        """Half the round trip: the largest error of the offset."""
        return (self.received_s - self.sent_s) / 2


@dataclass(frozen=True)
class Alignment:
    """How times on the host's clock are converted to the clock here.

    Attributes:
        before: The best round trip before the measurement.
        after: The best one after it.
        uncertainty_s: The largest error of a converted time.
        reason: Why no time can be converted, or None.
    """

    before: RoundTrip
    after: RoundTrip
    uncertainty_s: float
    reason: str | None

    def local_s(self, host_s: float) -> float:
        """Return a time on the clock here.

        Args:
            host_s: The time on the host's clock.
        """
        span = self.after.host_s - self.before.host_s
        share = (host_s - self.before.host_s) / span if span > 0.0 else 0.0
        change = self.after.offset_s - self.before.offset_s
        return host_s - (self.before.offset_s + share * change)

    def described(self) -> HostClock:
        """Return what a result says of the two clocks."""
        span = self.after.middle_s - self.before.middle_s
        change = self.after.offset_s - self.before.offset_s
        return HostClock(
            offset_s=self.before.offset_s,
            drift=change / span if span > 0.0 else 0.0,
            uncertainty_s=self.uncertainty_s,
            reason=self.reason,
        )


def align(
    before: Sequence[RoundTrip], after: Sequence[RoundTrip], during: Sequence[RoundTrip] = ()
) -> Alignment:
    """Compare two clocks.

    Args:
        before: Round trips before the measurement.
        after: Round trips after it.
        during: Round trips while it ran; slow ones among them do no harm.
    """
    first, last = _shortest(before), _shortest(after)
    widest = max(first.uncertainty_s, last.uncertainty_s)
    plain = Alignment(first, last, widest, None)
    # By how much more than its own uncertainty a round trip contradicts the straight line.
    bends = [
        abs(trip.middle_s - plain.local_s(trip.host_s)) - trip.uncertainty_s - widest
        for trip in during
    ]
    uncertainty = widest + max([0.0, *bends])
    span = last.middle_s - first.middle_s
    allowed = MAX_DRIFT * span + first.uncertainty_s + last.uncertainty_s
    change = last.offset_s - first.offset_s
    reason = None
    if abs(change) > allowed or uncertainty > widest + allowed:
        jump = max(abs(change), uncertainty)
        reason = (
            f"The clock of the host jumped by {jump:.3g} s against the one here during the "
            f"measurement; up to {allowed:.3g} s would be a drift."
        )
    return Alignment(first, last, uncertainty, reason)


def _shortest(trips: Sequence[RoundTrip]) -> RoundTrip:
    return min(trips, key=lambda trip: trip.uncertainty_s)
