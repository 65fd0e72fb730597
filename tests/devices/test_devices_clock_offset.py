"""The clock of a host against the clock here."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from edgeecg.devices.clock_offset import MAX_DRIFT, RoundTrip, align


def trip(sent_s: float, way_s: float, back_s: float, offset_s: float) -> RoundTrip:
    """A round trip to a host whose clock is ahead by ``offset_s`` when it answers."""
    return RoundTrip(sent_s, sent_s + way_s + back_s, sent_s + way_s + offset_s)


def test_equal_ways_give_the_exact_offset() -> None:
    found = trip(10.0, 0.002, 0.002, 500.0)
    assert found.offset_s == pytest.approx(500.0, abs=1e-9)
    assert found.uncertainty_s == pytest.approx(0.002)


def test_the_fastest_round_trip_counts() -> None:
    slow, fast = trip(0.0, 0.300, 0.001, 5.0), trip(1.0, 0.001, 0.001, 5.0)
    found = align([slow, fast], [slow, fast])
    assert found.uncertainty_s == pytest.approx(0.001)
    assert found.local_s(105.0) == pytest.approx(100.0, abs=1e-6)


@given(
    way=st.floats(1e-5, 0.2),
    back=st.floats(1e-5, 0.2),
    offset=st.floats(-1e5, 1e5),
    drift=st.floats(-4e-4, 4e-4),
    share=st.floats(0.0, 1.0),
)
def test_a_time_is_right_within_its_uncertainty(
    way: float, back: float, offset: float, drift: float, share: float
) -> None:
    # The host's clock: offset + (1 + drift) * local time.
    def shown(local_s: float) -> RoundTrip:
        return RoundTrip(local_s, local_s + way + back, offset + (1 + drift) * (local_s + way))

    found = align([shown(100.0)], [shown(700.0)])
    assert found.reason is None
    local = 101.0 + share * 598.0
    converted = found.local_s(offset + (1 + drift) * local)
    assert abs(converted - local) <= found.uncertainty_s + 1e-9


def test_a_drift_is_followed_between_the_ends() -> None:
    # 100 parts in a million for 1000 s are 0.1 s; after half of it, 0.05 s.
    found = align([trip(0.0, 1e-4, 1e-4, 3.0)], [trip(1000.0, 1e-4, 1e-4, 3.1)])
    assert found.reason is None
    assert found.local_s(503.05) == pytest.approx(500.0, abs=1e-3)
    assert found.described().drift == pytest.approx(1e-4)


def test_a_step_between_the_ends_makes_times_invalid() -> None:
    step = 2 * MAX_DRIFT * 600.0
    found = align([trip(0.0, 1e-3, 1e-3, 3.0)], [trip(600.0, 1e-3, 1e-3, 3.0 + step)])
    assert found.reason is not None
    assert "jumped by 1.2 s" in found.reason
    assert found.described().reason == found.reason


def test_a_step_there_and_back_is_seen_by_the_heartbeats() -> None:
    ends = [trip(0.0, 1e-3, 1e-3, 3.0)], [trip(600.0, 1e-3, 1e-3, 3.0)]
    assert align(*ends, [trip(300.0, 1e-3, 1e-3, 3.0)]).reason is None
    assert align(*ends, [trip(300.0, 1e-3, 1e-3, 5.0)]).reason is not None


def test_a_small_bend_widens_the_uncertainty_and_a_slow_heartbeat_does_not() -> None:
    ends = [trip(0.0, 1e-3, 1e-3, 3.0)], [trip(600.0, 1e-3, 1e-3, 3.0)]
    bent = align(*ends, [trip(300.0, 1e-3, 1e-3, 3.05)])
    assert bent.reason is None
    assert bent.uncertainty_s >= 0.048
    slow = align(*ends, [trip(300.0, 2.0, 0.001, 3.0)])
    assert slow.reason is None
    assert slow.uncertainty_s == pytest.approx(1e-3)
