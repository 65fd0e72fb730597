from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from int8_library import (
    Dense,
    Int8,
    Library,
    Scaling,
    compile_c,
    conv,
    dense,
    exact_conv1d,
    exact_fully_connected,
    exact_rescale,
    folder,
)

INT32 = st.integers(-(2**31), 2**31 - 1)


def _int8(draw: np.random.Generator, *shape: int) -> Int8:
    return draw.integers(-128, 128, shape).astype(np.int8)


def _scaling(draw: np.random.Generator, channels: int) -> Scaling:
    return Scaling(
        input_zero_point=int(draw.integers(-128, 128)),
        output_zero_point=int(draw.integers(-128, 128)),
        multiplier=draw.integers(2**30, 2**31, channels).astype(np.int32),
        shift=draw.integers(-12, -3, channels).astype(np.int32),
        bias=draw.integers(-20_000, 20_000, channels).astype(np.int32),
    )


@settings(deadline=None, max_examples=400)
@given(acc=INT32, multiplier=st.integers(0, 2**31 - 1), shift=st.integers(-31, 30))
def test_rescaling_is_exact(kernels: Library, acc: int, multiplier: int, shift: int) -> None:
    assert kernels.rescale(acc, multiplier, shift) == exact_rescale(acc, multiplier, shift)


@pytest.mark.parametrize(
    ("acc", "shift", "expected"),
    # The multiplier is one half. 3 / 2 = 1.5, 1 / 2 = 0.5, -1 / 2 = -0.5: first halves upwards.
    [(3, 0, 2), (1, 0, 1), (-1, 0, 0), (-3, 0, -1), (6, -1, 2), (-6, -1, -2), (5, 1, 5)],
)
def test_halves_round_as_worked_out_by_hand(
    kernels: Library, acc: int, shift: int, expected: int
) -> None:
    assert kernels.rescale(acc, 2**30, shift) == expected


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    inputs=st.integers(1, 200),
    outputs=st.integers(1, 9),
)
def test_fully_connected_is_exact(kernels: Library, seed: int, inputs: int, outputs: int) -> None:
    draw = np.random.default_rng(seed)
    x, weights = _int8(draw, inputs), _int8(draw, outputs, inputs)
    scaling = _scaling(draw, outputs)
    expected = exact_fully_connected(x, weights, scaling)
    np.testing.assert_array_equal(kernels.fully_connected(x, weights, scaling), expected)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    length=st.integers(9, 40),
    channels=st.integers(1, 5),
    kernel=st.integers(1, 9),
    stride=st.integers(1, 3),
    data=st.data(),
)
def test_conv1d_is_exact(
    kernels: Library,
    seed: int,
    length: int,
    channels: int,
    kernel: int,
    stride: int,
    data: st.DataObject,
) -> None:
    pad = data.draw(st.tuples(st.integers(0, kernel - 1), st.integers(0, kernel - 1)))
    draw = np.random.default_rng(seed)
    x, weights = _int8(draw, length, channels), _int8(draw, 4, kernel, channels)
    scaling = _scaling(draw, 4)
    expected = exact_conv1d(x, weights, scaling, stride, pad)
    np.testing.assert_array_equal(kernels.conv1d(x, weights, scaling, stride, pad), expected)


def test_relu_clamps_at_the_zero_point(kernels: Library) -> None:
    scale, shift, bias = (np.full(3, n, dtype=np.int32) for n in (2**30, -5, 0))
    relu = Scaling(0, -20, scale, shift, bias, low=-20, high=100)
    x = np.full(64, 100, dtype=np.int8)
    weights = np.repeat(np.array([[-50], [-1], [50]], dtype=np.int8), 64, axis=1)
    assert kernels.fully_connected(x, weights, relu).tolist() == [-20, -20, 100]


def test_the_longest_sum_does_not_overflow(kernels: Library) -> None:
    x = np.full(32768, -128, dtype=np.int8)
    weights = np.full((1, 32768), -128, dtype=np.int8)
    scale, shift, bias = (np.full(1, n, dtype=np.int32) for n in (2**30, -23, 2**30))
    scaling = Scaling(127, 0, scale, shift, bias)
    expected = exact_fully_connected(x, weights, scaling)
    np.testing.assert_array_equal(kernels.fully_connected(x, weights, scaling), expected)


@pytest.mark.parametrize(
    ("field", "value", "found"),
    [
        ("inputs", 0, "a size is not positive, or does not fit the others"),
        ("inputs", 40_000, "more than 32768 products in a sum could overflow"),
        ("weights", None, "a pointer is null"),
    ],
)
def test_a_bad_layer_is_named(kernels: Library, field: str, value: int | None, found: str) -> None:
    draw = np.random.default_rng(0)
    layer = dense(_int8(draw, 3, 8), _scaling(draw, 3))
    if value is None:
        layer.weights = ctypes.POINTER(ctypes.c_int8)()
    else:
        setattr(layer, field, value)
    assert kernels.check(layer) == found


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"shift": -32}, "a multiplier is negative or a shift is outside -31..30"),
        ({"multiplier": -1}, "a multiplier is negative or a shift is outside -31..30"),
        ({"bias": 2**30 + 1}, "a bias outside +-2^30 could overflow"),
        ({"low": -129}, "a zero point or an activation bound is outside int8"),
        ({"low": 5, "high": 4}, "a zero point or an activation bound is outside int8"),
    ],
)
def test_a_bad_scale_is_named(kernels: Library, changes: dict[str, int], found: str) -> None:
    fields = {"multiplier": 2**30, "shift": -5, "bias": 0, "low": -128, "high": 127} | changes
    multiplier, shift, bias = (
        np.full(1, fields[name], dtype=np.int32) for name in ("multiplier", "shift", "bias")
    )
    scaling = Scaling(0, 0, multiplier, shift, bias, low=fields["low"], high=fields["high"])
    assert kernels.check(dense(np.ones((1, 4), dtype=np.int8), scaling)) == found


def test_a_window_outside_the_input_is_refused(kernels: Library) -> None:
    draw = np.random.default_rng(0)
    layer = conv(_int8(draw, 10, 2), _int8(draw, 3, 4, 2), _scaling(draw, 3), 2, (0, 0))
    assert kernels.check(layer) == "ok"
    layer.out_length += 3
    assert "does not fit" in kernels.check(layer)
    layer.out_length -= 3
    layer.pad_left = 4
    assert "does not fit" in kernels.check(layer)


def test_an_empty_layer_is_refused(kernels: Library) -> None:
    assert kernels.check(Dense()) == "a pointer is null"
    assert kernels.text(99) == "no such status"


def test_the_example_runs_on_this_machine(tmp_path: Path) -> None:
    program = compile_c(
        tmp_path / "example",
        str(folder() / "ports" / "host" / "port_host.c"),
        str(folder() / "example" / "main.c"),
    )
    shown = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    labels, ticks = shown.splitlines()
    assert labels == f"N {_EXAMPLE[0]} S {_EXAMPLE[1]} V {_EXAMPLE[2]}"
    assert ticks.startswith("ticks ")


def _example() -> list[int]:
    """The example's network, worked out in exact integers."""
    beat = np.array([[-3], [0], [5], [90], [-60], [12], [4], [1]], dtype=np.int8)
    weights = np.array([[[-40], [100], [-40]], [[20], [60], [20]]], dtype=np.int8)
    scaling = Scaling(
        0,
        -128,
        np.array([1610612736, 1288490189], dtype=np.int32),
        np.array([-6, -6], dtype=np.int32),
        np.array([120, -80], dtype=np.int32),
    )
    hidden = exact_conv1d(beat, weights, scaling, 2, (0, 1))
    head = np.array(
        [
            [10, -20, 30, -40, 50, -60, 70, -80],
            [-5, 15, -25, 35, -45, 55, -65, 75],
            [1, 2, 3, 4, 5, 6, 7, 8],
        ],
        dtype=np.int8,
    )
    last = Scaling(
        -128,
        4,
        np.array([2**30, 2**30, 2_000_000_000], dtype=np.int32),
        np.array([-7, -7, -5], dtype=np.int32),
        np.array([500, -500, 0], dtype=np.int32),
    )
    return exact_fully_connected(hidden.ravel(), head, last).tolist()


_EXAMPLE = _example()
