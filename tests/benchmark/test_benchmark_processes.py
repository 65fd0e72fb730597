"""Every file is measured in a process of its own."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from edgeecg.benchmark import protocol
from edgeecg.benchmark.config import BenchConfig
from edgeecg.devices import detection
from edgeecg.errors import MissingDependencyError
from edgeecg.schema import DeviceState

pytestmark = pytest.mark.usefixtures("small_suites")

Exported = Callable[[str], Path]
CONFIG = BenchConfig(device="x86-64", meter="none")


@pytest.fixture
def others() -> list[psutil.Process]:
    """Processes that earlier tests have left: helpers of Python's own, for multiprocessing."""
    return psutil.Process().children()


def process_of(path: Path) -> psutil.Process:
    """Return the process that measures a file."""
    (process,) = [
        each
        for each in psutil.Process().children()
        if each.cmdline()[-2:] == ["edgeecg.benchmark.file_worker", str(path)]
    ]
    return process


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no threads")
def test_the_process_of_a_file_stays_on_one_processor_and_this_one_leaves_it(
    exported: Exported,
) -> None:
    path, before = exported("a"), os.sched_getaffinity(0)
    seen: list[tuple[set[int], set[int]]] = []

    def on_step(what: str, done: int, total: int) -> None:
        if "latency" in what or "layers" in what:
            affinity = set(process_of(path).cpu_affinity() or ())
            seen.append((affinity, os.sched_getaffinity(0)))

    (result,) = protocol.measure([path], CONFIG, on_step=on_step).results
    assert len(seen) == 6
    for measuring, waiting in seen:
        assert measuring == {result.latency.pinned_cpu}
        assert waiting == (before - measuring or before)
    assert os.sched_getaffinity(0) == before


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no threads")
def test_the_clock_is_that_of_the_processor_that_measures(
    exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[int]] = []
    state = detection.state

    def recorded(cpu: int | None) -> DeviceState:
        # It works for a moment before it reads the clock of this processor.
        seen.append(os.sched_getaffinity(0))
        return state(cpu)

    monkeypatch.setattr(detection, "state", recorded)
    (result,) = protocol.measure([exported("a")], CONFIG).results
    assert seen == [{result.latency.pinned_cpu}] * 2


def test_a_file_that_crashes_with_more_threads_keeps_its_earlier_results(
    exported: Exported,
) -> None:
    path = exported("a")

    def on_step(what: str, done: int, total: int) -> None:
        if "latency, round 2" in what and done > total / 3:
            process_of(path).send_signal(signal.SIGKILL)

    config = CONFIG.model_copy(update={"threads": (1, 2, 3)})
    report = protocol.measure([path], config, on_step=on_step)
    assert [result.latency.threads for result in report.results] == [1]
    assert [failure.file for failure in report.failed_files] == [str(path)]


@pytest.mark.parametrize(
    ("step", "number", "words"),
    [
        ("latency, round 3 of 5", signal.SIGSEGV, "crashed the process (SIGSEGV)"),
        ("latency, round 5 of 5", signal.SIGILL, "instruction that this processor lacks"),
        ("layers", signal.SIGKILL, "memory runs out"),
    ],
)
def test_a_file_that_crashes_while_it_is_measured_costs_its_own_row_only(
    step: str,
    number: signal.Signals,
    words: str,
    exported: Exported,
    others: list[psutil.Process],
) -> None:
    good, bad = exported("good"), exported("bad")

    def on_step(what: str, done: int, total: int) -> None:
        if what.startswith(f"bad.onnx: {step}"):
            process_of(bad).send_signal(number)

    report = protocol.measure([bad, good], CONFIG, on_step=on_step)
    assert [result.artifact.file for result in report.results] == [str(good)]
    assert report.results[0].latency.n >= 10
    (failure,) = report.failed_files
    assert failure.file == str(bad)
    assert words in failure.why
    assert psutil.Process().children() == others


def replace_python(folder: Path, for_bad: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let processes for the file ``bad.onnx`` do something else first."""
    program = folder / "python"
    program.write_text(
        f"""#!/bin/sh\ncase "$*" in *bad.onnx) {for_bad};; esac\nexec {sys.executable} "$@"\n"""
    )
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))


def test_a_file_whose_process_ends_without_an_answer_costs_its_own_row_only(
    exported: Exported, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    good, bad = exported("good"), exported("bad")
    replace_python(tmp_path, "exit 3", monkeypatch)
    report = protocol.measure([bad, good], CONFIG)
    assert [result.artifact.file for result in report.results] == [str(good)]
    (failure,) = report.failed_files
    assert (failure.file, "status 3" in failure.why) == (str(bad), True)


def test_a_file_whose_runtime_is_not_installed_costs_its_own_row_only(
    exported: Exported, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    good, bad = exported("good"), exported("bad")
    missing = tmp_path / "missing"
    missing.mkdir()
    (missing / "onnxruntime.py").write_text("raise ModuleNotFoundError(name='onnxruntime')\n")
    replace_python(tmp_path, f'export PYTHONPATH="{missing}:$PYTHONPATH"', monkeypatch)
    report = protocol.measure([bad, good], CONFIG)
    assert [result.artifact.file for result in report.results] == [str(good)]
    (failure,) = report.failed_files
    assert failure.file == str(bad)
    assert "needs the package 'onnxruntime'" in failure.what
    assert "pip install" in failure.todo
    with pytest.raises(MissingDependencyError):
        protocol.measure([bad], CONFIG)


@pytest.mark.parametrize("content", ["{", '{"layers": []}', '{"schema": "edgeecg.artifact/0"}'])
def test_a_file_with_a_foreign_or_damaged_manifest_costs_its_own_row_only(
    content: str, exported: Exported
) -> None:
    good, bad = exported("good"), exported("bad")
    bad.with_suffix(".json").write_text(content)
    report = protocol.measure([bad, good], CONFIG)
    assert [result.artifact.file for result in report.results] == [str(good)]
    (failure,) = report.failed_files
    assert failure.file == str(bad)
    assert "bad.json" in failure.what
    assert "manifest" in failure.why
    assert "bad.json" in failure.todo


def test_a_stop_in_the_middle_leaves_no_process(
    exported: Exported, others: list[psutil.Process]
) -> None:
    def stop(what: str, done: int, total: int) -> None:
        if "round 2" in what:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        protocol.measure([exported("a")], CONFIG, on_step=stop)
    assert psutil.Process().children() == others
