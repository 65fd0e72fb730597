"""Fitting the costs of a device, and predicting from the fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from timed_layers import dense_layers

from edgeecg.costs import calibration, measured
from edgeecg.costs.calibration import Measured
from edgeecg.devices import profile_file
from edgeecg.errors import UsageError
from edgeecg.resources import load_device
from edgeecg.schema import Calibration, DType, FittedCosts, LayerCost

FIXED, FLOAT, INT8, BYTE = 2e-6, 4e-11, 1e-11, 5e-11
SIZES = [(10**k, 10**j) for k in (3, 4, 5, 6, 7) for j in (2, 4, 6)]


def graphs(noise: float = 0.0) -> list[Measured]:
    random = np.random.default_rng(0)
    kinds: list[tuple[DType, float]] = [("float32", FLOAT), ("int8", INT8)]
    return [
        Measured(
            {kind: macs},
            moved,
            (FIXED + per_mac * macs + BYTE * moved) * (1 + noise * random.standard_normal()),
        )
        for kind, per_mac in kinds
        for macs, moved in SIZES
    ]


def fitted(**changes: object) -> FittedCosts:
    return FittedCosts.model_validate(
        {
            "fixed": FIXED,
            "per_mac": {"float32": FLOAT, "int8": INT8},
            "per_byte": BYTE,
            "error": 0.1,
            "worst_error": 0.3,
            "graphs": 24,
            **changes,
        }
    )


def calibrated(**changes: object) -> Calibration:
    return Calibration.model_validate(
        {
            "runtime": "litert 2.3.0",
            "created_utc": "2026-01-02T03:04:05+00:00",
            "seconds": fitted(),
            "reason": "There is no meter.",
            **changes,
        }
    )


def test_the_coefficients_of_exact_measurements_are_found() -> None:
    found, predicted = calibration.fit(graphs())
    assert found.fixed == pytest.approx(FIXED, rel=1e-6)
    assert found.per_mac == pytest.approx({"float32": FLOAT, "int8": INT8}, rel=1e-6)
    assert found.per_byte == pytest.approx(BYTE, rel=1e-6)
    assert found.worst_error < 1e-6
    assert predicted == pytest.approx([each.value for each in graphs()])


def test_noise_of_five_percent_moves_them_by_a_few_percent() -> None:
    found, _ = calibration.fit(graphs(noise=0.05))
    assert found.fixed == pytest.approx(FIXED, rel=0.1)
    assert found.per_mac == pytest.approx({"float32": FLOAT, "int8": INT8}, rel=0.1)
    assert found.per_byte == pytest.approx(BYTE, rel=0.1)
    assert 0.01 < found.error < 0.1


def test_the_error_is_that_of_graphs_that_were_left_out() -> None:
    points = graphs()
    # One graph takes twice as long as the others say: the fit to the others misses it by half.
    odd = Measured(points[7].macs, points[7].moved_bytes, 2 * points[7].value)
    found, predicted = calibration.fit([*points[:7], odd, *points[8:]])
    assert predicted[7] == pytest.approx(points[7].value, rel=1e-6)
    assert found.worst_error == pytest.approx(0.5, rel=1e-6)


def test_no_coefficient_is_negative() -> None:
    # The time falls with the bytes, which no device does: its best cost of a byte is 0.
    points = [
        Measured({"float32": macs}, moved, 1e-6 + 1e-11 * macs - 1e-13 * moved)
        for macs, moved in SIZES
    ]
    found, _ = calibration.fit(points)
    assert found.per_byte == 0.0
    assert found.fixed > 0.0
    assert found.per_mac["float32"] == pytest.approx(1e-11, rel=0.1)


@pytest.mark.parametrize("points", [graphs()[:5], [*graphs()[:6], Measured({}, 1, 0.0)]])
def test_too_few_graphs_and_a_time_of_zero_are_refused(points: list[Measured]) -> None:
    with pytest.raises(ValueError, match="a fit needs"):
        calibration.fit(points)


def layer(**changes: object) -> LayerCost:
    return LayerCost.model_validate(
        {
            "name": "a",
            "op": "CONV_2D",
            "dtype": "float32",
            "macs": 1_000_000,
            "nonzero_fraction": 1.0,
            "weight_bytes": 3000,
            "activation_bytes": 7000,
            **changes,
        }
    )


def test_an_estimate_by_hand() -> None:
    joules = fitted(
        fixed=1e-6, per_mac={"float32": 2e-12, "int8": 1e-12}, per_byte=1e-10, error=0.2
    )
    both = calibrated(joules=joules, reason=None)
    found = calibration.estimate([layer()], "litert 2.4.0", 1, both)
    assert found.seconds == pytest.approx(2e-6 + 40e-6 + 0.5e-6)
    assert found.net_j == pytest.approx(1e-6 + 2e-6 + 1e-6)
    assert (found.seconds_error, found.net_j_error, found.reason) == (0.1, 0.2, None)
    time_alone = calibration.estimate([layer()], "litert 2.3.0", 1, calibrated())
    assert time_alone.seconds == found.seconds
    assert (time_alone.net_j, time_alone.reason) == (None, "There is no meter.")


@pytest.mark.parametrize(
    ("layers", "runtime", "threads", "reason"),
    [
        (None, "litert 2.3.0", 1, "cannot be counted"),
        ([layer()], "onnxruntime 1.30", 1, "calibrated for litert 2.3.0"),
        ([layer()], "litert 2.3.0", 4, "1 threads"),
        ([layer(op="UNIDIRECTIONAL_SEQUENCE_LSTM")], "litert 2.3.0", 1, "SEQUENCE_LSTM"),
    ],
)
def test_a_calibration_that_does_not_apply_estimates_nothing(
    layers: list[LayerCost] | None, runtime: str, threads: int, reason: str
) -> None:
    found = calibration.estimate(layers, runtime, threads, calibrated())
    assert (found.seconds, found.net_j) == (None, None)
    assert reason in (found.reason or "")


def test_a_type_that_was_not_measured_is_named() -> None:
    found = calibrated(seconds=fitted(per_mac={"int8": INT8}))
    assert "float32" in (calibration.estimate([layer()], "litert 2", 1, found).reason or "")


def test_a_calibrated_profile_gives_the_costs_of_layers(tmp_path: Path) -> None:
    path = tmp_path / "my-board.toml"
    profile = load_device("x86-64").model_copy(update={"calibration": calibrated()})
    profile_file.write(profile, path)
    assert load_device(str(path)) == profile.model_copy(update={"name": "my-board"})
    dense = dense_layers("cnn1d")
    costs = measured.read(path, "cnn1d", dense)
    whole = FIXED + sum(
        FLOAT * each.macs + BYTE * (each.weight_bytes + each.activation_bytes) for each in dense
    )
    assert measured.seconds(dense, costs) == pytest.approx(whole)
    assert (costs.device, costs.runtime) == ("my-board", "litert 2.3.0")
    with pytest.raises(UsageError, match="LSTM"):
        measured.read(path, "bilstm", dense_layers("bilstm"))


def test_a_profile_without_a_calibration_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plain.toml"
    profile_file.write(load_device("raspberry-pi-4"), path)
    with pytest.raises(UsageError, match="no calibration"):
        measured.read(path, "cnn1d", dense_layers("cnn1d"))
