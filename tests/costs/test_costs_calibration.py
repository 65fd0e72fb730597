"""Fitting the costs of a device, and predicting from the fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.optimize import nnls
from timed_layers import dense_layers, device

from edgeecg.costs import calibration, measured
from edgeecg.costs._least_squares import non_negative
from edgeecg.costs.calibration import Measured
from edgeecg.devices import profile_file
from edgeecg.errors import UsageError
from edgeecg.resources import load_device
from edgeecg.schema import Calibration, DType, FittedCosts, LayerCost

FIXED, FLOAT, INT8, BYTE = 2e-6, 4e-11, 1e-11, 5e-11
# Rows, inputs and outputs of dense layers.
SIZES = [
    (rows, i, o) for rows in (1, 8, 64) for i, o in ((16, 16), (64, 64), (512, 32), (512, 512))
]


def dense(rows: int, inputs: int, outputs: int, dtype: DType) -> LayerCost:
    size = 4 if dtype == "float32" else 1
    return LayerCost(
        name="dense",
        op="FULLY_CONNECTED",
        dtype=dtype,
        macs=rows * inputs * outputs,
        nonzero_fraction=1.0,
        weight_bytes=size * inputs * outputs,
        activation_bytes=size * rows * (inputs + outputs),
    )


def graphs(noise: float = 0.0) -> list[Measured]:
    random = np.random.default_rng(0)
    kinds: list[tuple[DType, float]] = [("float32", FLOAT), ("int8", INT8)]
    found: list[Measured] = []
    for dtype, per_mac in kinds:
        for size in SIZES:
            made = dense(*size, dtype)
            moved = made.weight_bytes + made.activation_bytes
            value = FIXED + per_mac * made.macs + BYTE * moved
            found.append(Measured((made,), value * (1 + noise * random.standard_normal())))
    return found


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
    assert found.terms["dense_macs_int8"] == pytest.approx(INT8, rel=1e-6)
    assert found.worst_error < 1e-6
    assert predicted == pytest.approx([each.value for each in graphs()])


def test_noise_of_five_percent_moves_them_by_a_few_percent() -> None:
    found, _ = calibration.fit(graphs(noise=0.05))
    assert found.fixed == pytest.approx(FIXED, rel=0.1)
    assert found.per_mac == pytest.approx({"float32": FLOAT, "int8": INT8}, rel=0.1)
    assert found.per_byte == pytest.approx(BYTE, rel=0.2)
    assert 0.01 < found.error < 0.1


def test_the_error_is_that_of_graphs_that_were_left_out() -> None:
    points = graphs()
    # One graph takes twice as long as the others say: the fit to the others misses it by half.
    odd = Measured(points[7].layers, 2 * points[7].value)
    found, predicted = calibration.fit([*points[:7], odd, *points[8:]])
    assert predicted[7] == pytest.approx(points[7].value, rel=1e-6)
    assert found.worst_error == pytest.approx(0.5, rel=1e-6)


def test_no_coefficient_is_negative() -> None:
    # The time falls with the bytes, which no device does: its best cost of a byte is 0.
    points: list[Measured] = []
    for size in SIZES:
        made = dense(*size, "float32")
        moved = made.weight_bytes + made.activation_bytes
        points.append(Measured((made,), 1e-6 + 1e-11 * made.macs - 1e-13 * moved))
    found, _ = calibration.fit(points)
    assert found.per_byte == 0.0
    assert found.fixed > 0.0
    assert found.per_mac["float32"] == pytest.approx(1e-11, rel=0.1)


@pytest.mark.parametrize("points", [graphs()[:5], [*graphs()[:6], Measured((), 0.0)]])
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
    assert (time_alone.net_j, time_alone.reason) == (
        None,
        "It has no energy: There is no meter.",
    )


@pytest.mark.parametrize(
    ("layers", "runtime", "threads", "reason"),
    [
        (None, "litert 2.3.0", 1, "cannot be counted"),
        ([layer()], "onnxruntime 1.30", 1, "calibrated for litert 2.3.0"),
        ([layer()], "litert 2.3.0", 4, "1 threads"),
        ([layer(op="UNIDIRECTIONAL_SEQUENCE_LSTM")], "litert 2.3.0", 1, "SEQUENCE_LSTM"),
        ([layer(op="GRU")], "litert 2.3.0", 1, "no graphs with GRU"),
    ],
)
def test_a_calibration_that_does_not_apply_estimates_nothing(
    layers: list[LayerCost] | None, runtime: str, threads: int, reason: str
) -> None:
    found = calibration.estimate(layers, runtime, threads, calibrated())
    assert (found.seconds, found.net_j) == (None, None)
    assert reason in (found.reason or "")


@pytest.mark.parametrize(
    ("fitted_on", "here", "reason"),
    [
        ({"cpu": "A"}, {"cpu": "A"}, None),
        ({"cpu": "A"}, {"cpu": None}, None),
        (
            {"cpu": "Raspberry Pi 4 Model B Rev 1.1"},
            {"cpu": "Raspberry Pi 4 Model B Rev 1.5"},
            None,
        ),
        ({"cpu": "A"}, {"cpu": "B"}, "calibrated on 'A', and this is 'B'"),
        ({"emulated": True}, {}, "calibrated on an emulated machine, and this one is not"),
        ({}, {"emulated": True}, "calibrated on a real machine, and this one is emulated"),
    ],
)
def test_a_calibration_of_another_machine_estimates_nothing(
    fitted_on: dict[str, object], here: dict[str, Any], reason: str | None
) -> None:
    profile = calibrated(**fitted_on)
    found = calibration.estimate([layer()], "litert 2.3.0", 1, profile, device(**here))
    assert (found.seconds is None) == (reason is not None)
    assert (reason or "") in (found.reason or "")


def test_a_type_that_was_not_measured_is_named() -> None:
    found = calibrated(seconds=fitted(per_mac={"int8": INT8}))
    assert "float32" in (calibration.estimate([layer()], "litert 2", 1, found).reason or "")


def test_steps_by_hand() -> None:
    # 256 positions, 16 channels in and out, a kernel of 5, int8: 256 x 5 steps.
    convolution = layer(
        dtype="int8", macs=256 * 5 * 16 * 16, weight_bytes=5 * 16 * 16, activation_bytes=256 * 32
    )
    assert calibration.steps(convolution) == pytest.approx(256 * 5)
    # One lead, 32 channels, a kernel of 7, 512 positions, float32: 512 x 7 steps.
    depthwise = layer(
        op="DEPTHWISE_CONV_2D",
        macs=512 * 7 * 32,
        weight_bytes=4 * 7 * 32,
        activation_bytes=4 * 512 * (1 + 32),
    )
    assert calibration.steps(depthwise) == pytest.approx(512 * 7)
    assert calibration.steps(dense(64, 256, 32, "int8")) == pytest.approx(64)
    assert calibration.steps(layer(weight_bytes=0)) == 0.0


def test_every_kind_of_operation_has_its_own_coefficients() -> None:
    pooling = layer(op="MAX_POOL_2D", macs=0, weight_bytes=0, activation_bytes=1000)
    ladder = [layer(), layer(op="DEPTHWISE_CONV_2D", macs=500), pooling, dense(1, 8, 8, "int8")]
    assert set(calibration.amounts(ladder)) == {
        *("fixed", "bytes", "operations_float32", "operations_int8", "pooling_bytes_float32"),
        *("convolution_macs_float32", "convolution_steps_float32", "depthwise_macs_float32"),
        *(
            "depthwise_steps_float32",
            "depthwise_positions_float32",
            "dense_macs_int8",
            "dense_steps_int8",
        ),
    }
    with_terms = fitted(terms={"pooling_bytes_float32": 1e-9, "convolution_macs_float32": 3e-11})
    assert calibration.predict([pooling], with_terms) == pytest.approx(FIXED + 1e-6)
    moved = BYTE * 10_000
    assert calibration.predict([layer()], with_terms) == pytest.approx(FIXED + 3e-5 + moved)
    # A kind that was not measured costs what the others do.
    depthwise = layer(op="DEPTHWISE_CONV_2D")
    assert calibration.predict([depthwise], with_terms) == pytest.approx(FIXED + 4e-5 + moved)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_non_negative_least_squares_is_that_of_scipy(seed: int) -> None:
    random = np.random.default_rng(seed)
    features = random.uniform(0.0, 1.0, (12, 5)) * 10.0 ** random.integers(-3, 3, 5)
    values = random.uniform(0.1, 1.0, 12)
    found = non_negative(features, values)
    expected, _ = nnls(features / values[:, None], np.ones(12))
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-9 * float(expected.max()))


def test_a_calibrated_profile_gives_the_costs_of_layers(tmp_path: Path) -> None:
    path = tmp_path / "my-board.toml"
    profile = load_device("x86-64").model_copy(update={"calibration": calibrated()})
    profile_file.write(profile, path)
    assert load_device(str(path)) == profile.model_copy(update={"name": "my-board"})
    layers = dense_layers("cnn1d")
    costs = measured.read(path, "cnn1d", layers)
    whole = FIXED + sum(
        FLOAT * each.macs + BYTE * (each.weight_bytes + each.activation_bytes) for each in layers
    )
    assert measured.seconds(layers, costs) == pytest.approx(whole)
    assert (costs.device, costs.runtime) == ("my-board", "litert 2.3.0")
    with pytest.raises(UsageError, match="LSTM"):
        measured.read(path, "bilstm", dense_layers("bilstm"))


def test_what_no_channel_removes_stays_in_the_costs_of_a_smaller_model(tmp_path: Path) -> None:
    path = tmp_path / "my-board.toml"
    terms = {"operations_float32": 1e-6, "convolution_steps_float32": 1e-9}
    found = calibrated(seconds=fitted(terms=terms))
    profile_file.write(load_device("x86-64").model_copy(update={"calibration": found}), path)
    layers = dense_layers("cnn1d")
    costs = measured.read(path, "cnn1d", layers)
    assert measured.seconds(layers, costs) == pytest.approx(
        calibration.predict(layers, found.seconds)
    )
    steps = sum(calibration.steps(e) for e in layers if calibration.kind(e.op) == "convolution")
    multiplying = sum(each.macs > 0 for each in layers)
    assert costs.fixed_s == pytest.approx(FIXED + 1e-6 * multiplying + 1e-9 * steps)


def test_a_profile_without_a_calibration_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plain.toml"
    profile_file.write(load_device("raspberry-pi-4"), path)
    with pytest.raises(UsageError, match="no calibration"):
        measured.read(path, "cnn1d", dense_layers("cnn1d"))
