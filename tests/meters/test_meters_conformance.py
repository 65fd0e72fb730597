"""Every meter either opens and delivers, or says why it cannot and what to do about it."""

from __future__ import annotations

import inspect

import pytest

from edgeecg import meters
from edgeecg.errors import EdgeECGError, MeterError, MissingDependencyError
from edgeecg.meters import Meter


def opened(name: str) -> tuple[Meter | None, EdgeECGError | None]:
    try:
        return meters.get(name).open(), None
    except EdgeECGError as error:
        return None, error


@pytest.mark.parametrize("name", meters.names())
def test_a_meter_opens_or_explains_itself(name: str) -> None:
    # It opens without arguments; what it has are for tests.
    for parameter in inspect.signature(meters.get(name).open).parameters.values():
        assert parameter.default is not inspect.Parameter.empty
    meter, error = opened(name)
    if meter is None:
        assert isinstance(error, (MeterError, MissingDependencyError))
        assert all((error.what, error.why, error.todo))
        return
    assert meter.name == name
    assert meter.zones
    first = meter.joules()
    assert meter.joules() >= first >= 0
    meter.close()


def test_what_is_listed_is_what_opens() -> None:
    rows = meters.availability()
    assert [row.name for row in rows] == meters.names()
    for row in rows:
        assert row.available is (row.reason is None)
