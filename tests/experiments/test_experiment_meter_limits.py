"""The simulation of the meters' detection limits, against hand calculations."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness import experiment
from harness.kinds import meter_limits
from harness.kinds.meter_limits import MeterSheet
from harness.results import Results
from harness.tables import meters as meters_tables

NOISY = MeterSheet("hwmon", "noisy meter", 100.0, noise_w=0.01, step_w=0.0, source="none")
PROVENANCE = {
    "machine": "m",
    "cpu": "c",
    "git_revision": "r",
    "dirty": False,
    "versions": {"numpy": "2"},
}


def test_the_limit_of_white_noise_is_that_of_the_mean_of_a_window() -> None:
    row = meter_limits.row_of(NOISY, 0.0, 40)
    # The mean of the 1,000 samples of an idle window, and that of a busy one, differ by noise.
    expected = 0.01 / math.sqrt(1000) * math.sqrt(2)
    assert row["detection_limit_w"] == pytest.approx(expected, rel=0.25)
    assert 2 <= row["measured_from_w"] / row["detection_limit_w"] <= 8


def test_a_slow_fluctuation_raises_the_limit() -> None:
    quiet, usual = (meter_limits.row_of(NOISY, watts, 20) for watts in (0.001, 0.02))
    assert usual["detection_limit_w"] > 5 * quiet["detection_limit_w"]


def test_a_counter_measures_the_energy_that_was_used() -> None:
    counter = next(sheet for sheet in meter_limits.METERS if sheet.step_j)
    found = meter_limits.measured(counter, 0.001, 1.0, np.random.default_rng(1))
    assert found.tier == "measured"
    assert found.net_j == pytest.approx(1e-3, rel=0.01)
    assert found.idle_w == pytest.approx(10.0, rel=0.01)


def stored(rows: list[dict[str, Any]], name: str = "meter_limits") -> Results:
    return Results(experiment.load(name), rows, Path())


def rows(**changes: Any) -> list[dict[str, Any]]:
    row = meter_limits.row_of(NOISY, 0.001, 2) | PROVENANCE
    return [row | {"fluctuation_w": watts} | changes for watts in (0.001, 0.02)]


def test_the_tables_name_instruments_and_sources_and_say_that_they_are_simulated() -> None:
    table = meters_tables.limits(stored(rows(detection_limit_w=0.0012, measured_from_w=0.153)))
    assert "| noisy meter | `hwmon` | 100 | - | 1.2 mW | 153 mW | 1.2 mW | 153 mW |" in table
    assert "noisy meter: none." in table
    assert "SIMULATED" in table


def test_a_power_that_is_never_measured_has_no_figure() -> None:
    assert "| noisy meter | `hwmon` | - | - |" in meters_tables.limits_in_short(
        stored(rows(measured_from_w=None))
    )


def test_the_readme_shows_only_meters_of_a_raspberry_pi() -> None:
    table = meters_tables.limits_in_short(
        stored([*rows(), *rows(meter="rapl", instrument="counter")])
    )
    assert "counter" not in table


def test_the_meters_of_the_table_exist() -> None:
    from edgeecg import meters

    assert {sheet.meter for sheet in meter_limits.METERS} <= set(meters.names())
    assert len({sheet.instrument for sheet in meter_limits.METERS}) == len(meter_limits.METERS)


def test_scenarios_have_a_row_each() -> None:
    row = {
        "scenario": "a gap of 2 s",
        "interval_holds": None,
        "bootstrap_holds": 0.875,
        "width_over_truth": None,
        "tiers": {"measured": 1, "not resolved": 2, "not measured": 3},
        "with_warning": 6,
        "runs": 6,
    }
    table = meters_tables.scenarios(stored([row | PROVENANCE], "simulated_meters"))
    assert "| a gap of 2 s | - | 87.5 % | - | 1 / 2 / 3 | 6 |" in table
