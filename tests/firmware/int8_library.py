"""The C kernels behind ctypes, and the same arithmetic once more in exact Python integers."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from edgeecg import resources

Int8 = npt.NDArray[np.int8]
Int32 = npt.NDArray[np.int32]
FLAGS = (
    *("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion"),
    *("-Wfloat-conversion", "-Werror", "-O2"),
)
# Undefined behaviour stops the process; no runtime library is needed for that.
TRAPS = ("-fsanitize=undefined", "-fsanitize-undefined-trap-on-error")


def folder() -> Path:
    return resources.root() / "firmware_stubs"


def compile_c(target: Path, *arguments: str) -> Path:
    """Compile the kernels and what else is given, warnings as errors."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler here")
    engine = folder() / "edgeecg_int8"
    source = str(engine / "edgeecg_int8.c")
    subprocess.run(
        [compiler, *FLAGS, f"-I{engine}", source, *arguments, "-o", str(target)], check=True
    )
    return target


class Requant(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int32) for name in ("input_zero_point", "output_zero_point")),
        *((name, ctypes.c_int32) for name in ("activation_min", "activation_max")),
        *((name, ctypes.POINTER(ctypes.c_int32)) for name in ("multiplier", "shift", "bias")),
    )


class Dense(ctypes.Structure):
    _fields_ = (
        ("inputs", ctypes.c_int32),
        ("outputs", ctypes.c_int32),
        ("weights", ctypes.POINTER(ctypes.c_int8)),
        ("requant", Requant),
    )


class Conv(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int32) for name in ("in_length", "in_channels", "out_length")),
        *((name, ctypes.c_int32) for name in ("out_channels", "kernel", "stride", "pad_left")),
        ("weights", ctypes.POINTER(ctypes.c_int8)),
        ("requant", Requant),
    )


@dataclass(frozen=True)
class Scaling:
    """How accumulators become outputs; arrays have one entry per output channel."""

    input_zero_point: int
    output_zero_point: int
    multiplier: Int32
    shift: Int32
    bias: Int32
    low: int = -128
    high: int = 127

    def structure(self) -> Requant:
        return Requant(
            self.input_zero_point,
            self.output_zero_point,
            self.low,
            self.high,
            *(int32s(array) for array in (self.multiplier, self.shift, self.bias)),
        )


def int32s(array: Int32) -> ctypes.Array[ctypes.c_int32]:
    return (ctypes.c_int32 * array.size)(*(int(value) for value in array.ravel()))


def int8s(array: Int8) -> ctypes.Array[ctypes.c_int8]:
    return (ctypes.c_int8 * array.size)(*(int(value) for value in array.ravel()))


class Library:
    """The compiled kernels."""

    def __init__(self, path: Path) -> None:
        self._c = ctypes.CDLL(str(path))
        self._c.edgeecg_rescale.argtypes = [ctypes.c_int32] * 3
        self._c.edgeecg_rescale.restype = ctypes.c_int32
        self._c.edgeecg_status_text.restype = ctypes.c_char_p

    def rescale(self, acc: int, multiplier: int, shift: int) -> int:
        return int(self._c.edgeecg_rescale(acc, multiplier, shift))

    def text(self, status: int) -> str:
        found: bytes = self._c.edgeecg_status_text(status)
        return found.decode()

    def check(self, layer: Dense | Conv) -> str:
        kind = "fully_connected" if isinstance(layer, Dense) else "conv1d"
        check = getattr(self._c, f"edgeecg_{kind}_check")
        return self.text(int(check(ctypes.byref(layer))))

    def fully_connected(self, x: Int8, weights: Int8, scaling: Scaling) -> Int8:
        layer = dense(weights, scaling)
        assert self.check(layer) == "ok"
        out = (ctypes.c_int8 * len(weights))()
        self._c.edgeecg_fully_connected(ctypes.byref(layer), int8s(x), out)
        return np.array(out[:], dtype=np.int8)

    def conv1d(
        self, x: Int8, weights: Int8, scaling: Scaling, stride: int, pad: tuple[int, int]
    ) -> Int8:
        layer = conv(x, weights, scaling, stride, pad)
        assert self.check(layer) == "ok"
        out = (ctypes.c_int8 * (layer.out_length * layer.out_channels))()
        self._c.edgeecg_conv1d(ctypes.byref(layer), int8s(x), out)
        return np.array(out[:], dtype=np.int8).reshape(layer.out_length, layer.out_channels)


def dense(weights: Int8, scaling: Scaling) -> Dense:
    outputs, inputs = weights.shape
    return Dense(inputs, outputs, int8s(weights), scaling.structure())


def conv(x: Int8, weights: Int8, scaling: Scaling, stride: int, pad: tuple[int, int]) -> Conv:
    out_channels, kernel, in_channels = weights.shape
    length = (len(x) + sum(pad) - kernel) // stride + 1
    return Conv(
        *(len(x), in_channels, length, out_channels, kernel, stride, pad[0]),
        int8s(weights),
        scaling.structure(),
    )


def exact_rescale(acc: int, multiplier: int, shift: int) -> int:
    """The two roundings of TFLite, in integers without bounds."""
    wide = max(-(2**31), min(2**31 - 1, acc * 2 ** max(shift, 0)))
    high = (2 * wide * multiplier + 2**31) // 2**32
    right = 2 ** max(-shift, 0)
    magnitude = (2 * abs(high) + right) // (2 * right)
    return magnitude if high >= 0 else -magnitude


def exact_outputs(accs: npt.NDArray[np.int64], scaling: Scaling) -> Int8:
    """Requantise accumulators ``(..., out_channels)``."""
    flat = accs.reshape(-1, accs.shape[-1])
    values = [
        [
            exact_rescale(int(acc), int(scaling.multiplier[c]), int(scaling.shift[c]))
            + scaling.output_zero_point
            for c, acc in enumerate(row)
        ]
        for row in flat
    ]
    return np.clip(values, scaling.low, scaling.high).astype(np.int8).reshape(accs.shape)


def exact_fully_connected(x: Int8, weights: Int8, scaling: Scaling) -> Int8:
    centred = x.astype(np.int64) - scaling.input_zero_point
    return exact_outputs((weights.astype(np.int64) @ centred + scaling.bias)[None], scaling)[0]


def exact_conv1d(
    x: Int8, weights: Int8, scaling: Scaling, stride: int, pad: tuple[int, int]
) -> Int8:
    centred = np.pad(x.astype(np.int64) - scaling.input_zero_point, (pad, (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(centred, weights.shape[1], axis=0)[::stride]
    return exact_outputs(
        np.einsum("tik,oki->to", windows, weights.astype(np.int64)) + scaling.bias, scaling
    )
