"""Seconds per operation of a .tflite file, with LiteRT's profiler and one file at a time."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_tflite import Op, T, build

from edgeecg.costs import tflite_file
from edgeecg.costs.counting import count
from edgeecg.runtimes import _litert_layers, _litert_profiler, _tflite_operations, litert
from edgeecg.runtimes._litert_profiler import DELEGATE, NODE, WHOLE, Event, ProfilerError

FOUR = "convolution 256x16 kernel 5 x4 float32"


@pytest.fixture
def four(tmp_path: Path) -> Path:
    """Four convolutions, one after the other."""
    path = tmp_path / "four.tflite"
    path.write_bytes(dict(litert.ladder())[FOUR])
    return path


def noise(path: Path) -> NDArray[np.float32]:
    shape = litert.load(path).input_shape
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def refuse(*arguments: Any) -> None:
    raise ProfilerError("There is no profiler")


def test_the_profiler_times_every_multiplication_of_the_file(four: Path) -> None:
    found = _litert_layers.with_profiler(four, noise(four), threads=1, runs=20)
    names = [each.name for each in found.operations if each.name.startswith("y")]
    assert names == ["y0", "y1", "y2", "y3"]
    assert found.whole_s is not None
    total = sum(each.seconds for each in found.operations)
    # The four layers are equal, and little else happens.
    assert 0.5 * found.whole_s < total <= found.whole_s * 1.001
    assert all(each.seconds > 0.1 * total for each in found.operations if each.name in names)


def test_without_a_profiler_every_operation_is_timed_alone(
    four: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_litert_layers, "events", refuse)
    found = litert.profile(four, noise(four), threads=1, runs=20)
    assert found.method == _litert_layers.SINGLE
    assert found.whole_s is None
    assert [(each.name, each.op) for each in found.operations] == [
        (f"y{number}", "CONV_2D") for number in range(4)
    ]
    times = [each.seconds for each in found.operations]
    assert min(times) > 0.3 * max(times)


def test_both_methods_agree(four: Path) -> None:
    profiled = _litert_layers.with_profiler(four, noise(four), threads=1, runs=50)
    alone = _litert_layers.one_by_one(four, lambda file: litert_ready(file), runs=50)
    first = sum(each.seconds for each in profiled.operations if each.name.startswith("y"))
    second = sum(each.seconds for each in alone.operations)
    # The machine may do other work meanwhile.
    assert 0.4 < first / second < 2.5


def litert_ready(path: Path) -> Any:
    return litert.load(path).invoke


def test_a_file_of_one_operation_computes_what_the_operation_does(tmp_path: Path) -> None:
    weights = np.arange(8, dtype=np.float32).reshape(2, 4)
    content = build(
        [
            T((1, 4), name="x"),
            T((2, 4), values=weights, name="w"),
            T((1, 2), name="middle"),
            T((1, 2), name="y"),
        ],
        [Op("FULLY_CONNECTED", [0, 1, -1], [2]), Op("RELU", [2], [3])],
    )
    dense, relu = _tflite_operations.single_operations(content)
    for name, one in (("dense", dense), ("relu", relu)):
        (tmp_path / f"{name}.tflite").write_bytes(one)
    x = np.array([[1.0, -2.0, 3.0, -4.0]], np.float32)
    y = litert.load(tmp_path / "dense.tflite").run(x)
    np.testing.assert_allclose(y, x @ weights.T)
    graph = tflite_file.read(tmp_path / "relu.tflite")
    assert [each.op for each in graph.operators] == ["RELU"]
    assert litert.load(tmp_path / "relu.tflite").run(y).tolist() == np.maximum(y, 0).tolist()
    assert count(tmp_path / "dense.tflite")[0].macs == 8


def test_an_operation_that_cannot_run_alone_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "four.tflite"
    path.write_bytes(dict(litert.ladder())[FOUR])

    def load(file: Path) -> Any:
        if tflite_file.read(file).operators:
            raise RuntimeError("it does not like this")
        return lambda: None

    found = _litert_layers.one_by_one(path, load, runs=2)
    assert found.operations == ()
    assert found.reason == "The operation CONV_2D cannot be timed alone: it does not like this"


def test_a_crash_of_the_profiler_harms_nothing(
    four: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashing = tmp_path / "python"
    crashing.write_text("#!/bin/sh\nkill -SEGV $$\n")
    crashing.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(crashing))
    with pytest.raises(ProfilerError, match="exit status -11"):
        _litert_profiler.events(four, noise(four), 1, 2)
    assert litert.profile(four, noise(four), 1, 2).method == _litert_layers.SINGLE


def test_garbage_from_the_library_is_no_answer(
    four: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As LiteRT 2.1 does, in which a function has another argument.
    printing = tmp_path / "python"
    printing.write_text("#!/bin/sh\nprintf '\\360garbage'\nprintf '\\360garbage' >&2\n")
    printing.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(printing))
    with pytest.raises(ProfilerError, match="gave no answer"):
        _litert_profiler.events(four, noise(four), 1, 2)


def test_a_profiler_that_hangs_is_ended(four: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_litert_profiler, "_TIMEOUT_S", 0.01)
    with pytest.raises(ProfilerError, match="took more than"):
        _litert_profiler.events(four, noise(four), 1, 2)


def test_a_library_of_another_version_is_no_profiler(
    four: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_litert_profiler, "_library_path", lambda: None)
    with pytest.raises(ProfilerError, match="not installed"):
        _litert_profiler.events(four, noise(four), 1, 2)


def test_a_file_with_free_axes_says_why_it_has_no_profile(tmp_path: Path) -> None:
    content = build(
        [T((1, 4), name="x", signature=(-1, 4)), T((1, 4), name="y", signature=(-1, 4))],
        [Op("RELU", [0], [1])],
    )
    path = tmp_path / "free.tflite"
    path.write_bytes(content)
    found = litert.profile(path, np.zeros((3, 4), np.float32), 1, 2, {"x": (3, 4)})
    assert found.operations == ()
    assert "free axes" in (found.reason or "")


def test_half_a_microsecond_is_added_where_xnnpack_rounds_down() -> None:
    found = [
        Event(DELEGATE, "Convolution (NHWC, F32) IGEMM", 0, (10, 10, 10, 90)),
        Event(DELEGATE, "Clamp (NC)", 0, (0, 0, 0, 0)),
        Event(NODE, "LSTM", 4, (100, 100, 100, 100)),
    ]
    with_room = _litert_layers._seconds(found, 200e-6)  # pyright: ignore[reportPrivateUsage]
    assert with_room == pytest.approx([10.5e-6, 0.5e-6, 100e-6])
    # The sum is never more than the whole: 110.4 - 110 on two events.
    without = _litert_layers._seconds(found, 110.4e-6)  # pyright: ignore[reportPrivateUsage]
    assert without == pytest.approx([10.2e-6, 0.2e-6, 100e-6])


def test_operations_too_short_for_the_profiler_are_timed_alone(
    four: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What it reported of a model of 5,000 weights: 2 µs in all, of which 0.6 µs in one layer.
    names = ["Convolution (NHWC, F32) IGEMM"] * 4 + ["Clamp (NC)"] * 6
    events = [Event(DELEGATE, name, 0, (int(place < 2),) * 4) for place, name in enumerate(names)]

    def report(*arguments: Any) -> list[Event]:
        return [Event(WHOLE, "Invoke", 0, (2,) * 4), *events]

    monkeypatch.setattr(_litert_layers, "events", report)
    with pytest.raises(ProfilerError, match="too short for LiteRT's profiler"):
        _litert_layers.with_profiler(four, noise(four), 1, 4)
    found = litert.profile(four, noise(four), 1, 4)
    assert found.method == _litert_layers.SINGLE
    assert all(each.seconds > 0 for each in found.operations)


def test_short_operations_are_run_often_enough_for_a_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    # A clock that goes on by a microsecond whenever it is read.
    ticks = itertools.count()
    clock = SimpleNamespace(
        perf_counter=lambda: next(ticks) * 1e-6, perf_counter_ns=lambda: next(ticks) * 1000
    )
    monkeypatch.setattr(_litert_layers, "time", clock)
    calls: list[None] = []
    _litert_layers._time(lambda: calls.append(None), runs=2)  # pyright: ignore[reportPrivateUsage]
    assert len(calls) > 100


def test_nodes_of_the_interpreter_and_of_a_delegate_have_the_names_of_the_file(
    four: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = (
        Event(WHOLE, "Invoke", 0, (100,)),
        Event(DELEGATE, "Convolution (NHWC, F32) IGEMM", 0, (10,)),
        Event(DELEGATE, "Clamp (NC)", 0, (1,)),
        Event(NODE, "CONV_2D", 1, (30,)),
        Event(NODE, "TfLiteXNNPackDelegate", 4, (40,)),
        Event(DELEGATE, "Fully Connected (NC, F32) GEMM", 0, (20,)),
        Event(DELEGATE, "Convolution (NHWC, F32) IGEMM", 0, (20,)),
    )
    reported = list(events)

    def report(*arguments: Any) -> list[Event]:
        return reported

    monkeypatch.setattr(_litert_layers, "events", report)
    found = _litert_layers.with_profiler(four, noise(four), 1, 1)
    assert [each.name for each in found.operations] == ["y0", "Clamp (NC)", "y1", "y2", "y3"]
    # With an operation less than the file has, nothing tells which one it is.
    reported.pop()
    with pytest.raises(ProfilerError, match="2 operations and the file in 3"):
        _litert_layers.with_profiler(four, noise(four), 1, 1)
