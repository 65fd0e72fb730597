"""Checking files, their probe sets, and the separate process that each is measured in."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import psutil
import pytest

from edgeecg import resources
from edgeecg.benchmark import artifacts, breakdown, child_errors, file_process, parity
from edgeecg.benchmark.breakdown import ReferenceKernels
from edgeecg.benchmark.clock import Clock
from edgeecg.benchmark.file_process import FileProcess, Loaded
from edgeecg.benchmark.probe_set import probe_path
from edgeecg.errors import (
    ArtifactError,
    EdgeECGError,
    MissingDependencyError,
    UsageError,
)
from edgeecg.runtimes import Session, for_file
from edgeecg.schema import ProxyCoefficients

Exported = Callable[[str], Path]


def test_a_file_that_differs_from_its_manifest_is_refused(exported: Exported) -> None:
    path = exported("a")
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ArtifactError, match="not the file that was exported"):
        artifacts.examine(path)


def test_a_manifest_of_another_kind_is_named(exported: Exported) -> None:
    path = exported("a")
    path.with_suffix(".json").write_text('{"schema": "other"}')
    with pytest.raises(ArtifactError, match=r"a\.json"):
        artifacts.examine(path)


def test_a_missing_file_and_a_wrong_suffix_are_two_errors(tmp_path: Path) -> None:
    with pytest.raises(EdgeECGError, match="no file"):
        artifacts.examine(tmp_path / "a.onnx")
    (tmp_path / "a.h5").touch()
    with pytest.raises(UsageError, match=r"\.onnx, \.tflite"):
        artifacts.examine(tmp_path / "a.h5")


def test_the_proxy_is_relative_to_the_baseline_in_the_manifest(exported: Exported) -> None:
    path = exported("a")
    file = artifacts.examine(path)
    session = file.runtime.load(path)
    manifest = artifacts.read_manifest(file, session.manifest_json())
    assert manifest is not None
    figures = artifacts.relative_proxy(file, manifest, ProxyCoefficients())
    costs = artifacts.costs(file, manifest)
    # The baseline in the manifest has twice of everything and no zeros.
    assert figures.executed == pytest.approx(0.5)
    assert figures.macs == 48
    assert costs is not None
    assert figures.ideal is not None
    # 32 of 48 MACs at 4.6 pJ and 128 of 192 weight bytes at 12.5 pJ; activations stay.
    activations = costs.activation_bytes * 2.5
    whole = 2 * (48 * 4.6 + 192 * 12.5 + activations)
    assert figures.ideal == pytest.approx((32 * 4.6 + 128 * 12.5 + activations) / whole)
    assert figures.reason is None
    assert artifacts.reference(file, manifest).dtype == "float32"


def test_without_the_onnx_package_the_manifest_counts(
    exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(path: Path, shapes: Any) -> Any:
        raise MissingDependencyError("onnx", "export", "counting")

    path = exported("a")
    file = artifacts.examine(path)
    manifest = artifacts.read_manifest(file, file.runtime.load(path).manifest_json())
    counted = artifacts.relative_proxy(file, manifest, ProxyCoefficients())
    monkeypatch.setattr(artifacts, "count", absent)
    bare = artifacts.examine(path)
    assert artifacts.relative_proxy(bare, manifest, ProxyCoefficients()) == counted
    foreign = artifacts.relative_proxy(bare, None, ProxyCoefficients())
    assert (foreign.macs, artifacts.costs(bare, None)) == (None, None)
    assert foreign.reason is not None
    assert "onnx" in foreign.reason


def test_parity_of_the_very_model_is_exact(exported: Exported) -> None:
    path = exported("a")
    agreement = parity.check(path, for_file(path).load(path))
    assert agreement.n == 4
    assert agreement.label_agreement == 1.0
    assert agreement.max_abs_diff is not None
    assert agreement.max_abs_diff < 1e-5


def test_agreement_of_records_is_of_the_whole_set_of_classes() -> None:
    # Records: classes with a logit of 0 and more. The first rows agree; the second differ in the
    # third class, though the largest logit is the same.
    reference = np.array([[2, 1, -1], [2, -1, -1]], np.float32)
    found = np.array([[1, 0, -3], [2, -1, 1]], np.float32)
    assert parity.compare(reference, found, "records").label_agreement == 0.5
    assert parity.compare(reference, found, "beats").label_agreement == 1.0
    assert parity.compare(reference, found).max_abs_diff == 2.0


def test_a_missing_probe_set_is_a_reason_and_no_number(exported: Exported) -> None:
    path = exported("a")
    probe_path(path).unlink()
    agreement = parity.check(path, for_file(path).load(path))
    assert (agreement.n, agreement.max_abs_diff) == (None, None)
    assert agreement.reason is not None


GOOD_X, GOOD_Y = np.zeros((4, 1, 16), np.float32), np.zeros((4, 3), np.float32)


@pytest.mark.parametrize(
    "arrays",
    [
        {"x": GOOD_X},
        {"x": GOOD_X.astype(np.float64), "logits": GOOD_Y},
        {"x": GOOD_X[:, 0], "logits": GOOD_Y},
        {"x": GOOD_X[:0], "logits": GOOD_Y[:0]},
        {"x": GOOD_X[:3], "logits": GOOD_Y},
        {"x": GOOD_X[:, :, :9], "logits": GOOD_Y},
        {"x": GOOD_X, "logits": GOOD_Y[:, :2]},
        {"x": np.full_like(GOOD_X, np.nan), "logits": GOOD_Y},
        {"x": np.array([{}], dtype=object), "logits": GOOD_Y},
    ],
)
def test_a_damaged_probe_set_is_an_error(exported: Exported, arrays: dict[str, Any]) -> None:
    path = exported("a")
    np.savez(probe_path(path), **arrays)
    with pytest.raises(ArtifactError, match="probe set"):
        parity.check(path, for_file(path).load(path))


@pytest.mark.parametrize("kind", ["no archive", "a single array", "compressed bytes changed"])
def test_bytes_that_are_no_probe_set_are_an_error(exported: Exported, kind: str) -> None:
    path = exported("a")
    probe = probe_path(path)
    if kind == "no archive":
        probe.write_bytes(b"PK\x03\x04 and no more")
    elif kind == "a single array":
        with probe.open("wb") as opened:
            np.save(opened, GOOD_X)
    else:
        np.savez_compressed(probe, x=GOOD_X + np.arange(16, dtype=np.float32), logits=GOOD_Y)
        content = bytearray(probe.read_bytes())
        content[60:90] = b"\xff" * 30
        probe.write_bytes(content)
    with pytest.raises(ArtifactError, match="probe set"):
        parity.check(path, for_file(path).load(path))


def load(path: Path) -> Loaded:
    """Load a file in a process of its own."""
    with FileProcess(path) as process:
        return process.load(1, None, {})


def test_memory_is_that_of_a_fresh_process_and_not_of_this_one(exported: Exported) -> None:
    ballast = np.ones(50_000_000)
    found = load(exported("a")).memory
    assert found.peak_rss_bytes is not None
    assert found.model_rss_bytes is not None
    # A Python with numpy and a runtime; the 400 MB allocated here are not in it.
    assert 10e6 < found.peak_rss_bytes < ballast.nbytes
    assert found.model_rss_bytes <= found.peak_rss_bytes


def test_a_file_that_the_runtime_refuses_is_explained(exported: Exported) -> None:
    path = exported("a")
    path.write_bytes(b"garbage")
    with pytest.raises(ArtifactError, match="ONNX Runtime reports"):
        load(path)


def python(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a shell script in the place of the Python that measures."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(path))


def test_a_file_that_crashes_the_process_is_an_error_here(
    exported: Exported, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    python("kill -SEGV $$", tmp_path, monkeypatch)
    with pytest.raises(ArtifactError, match="SIGSEGV"):
        load(exported("a"))


def test_an_instruction_that_the_processor_lacks_is_not_blamed_on_the_file(
    exported: Exported, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    python("kill -ILL $$", tmp_path, monkeypatch)
    with pytest.raises(ArtifactError, match="instruction that this processor lacks") as caught:
        load(exported("a"))
    assert "corrupt" not in str(caught.value)
    assert "edgeecg doctor" in caught.value.todo


def test_a_process_that_gives_no_answer_is_an_error(
    exported: Exported, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    python("echo oops >&2; exit 3", tmp_path, monkeypatch)
    with pytest.raises(EdgeECGError, match="oops"):
        load(exported("a"))


def test_a_file_that_never_answers_is_given_up(
    exported: Exported, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(file_process, "_LOAD_TIMEOUT_S", 0.2)
    monkeypatch.setattr(file_process, "TICK_S", 0.1)
    python("exec sleep 60", tmp_path, monkeypatch)
    with pytest.raises(ArtifactError, match=r"took more than 0\.2 s"):
        load(exported("a"))


def test_a_process_whose_requests_end_stops_in_the_middle_of_a_window(exported: Exported) -> None:
    code = "import os, edgeecg.benchmark.file_process as f; from pathlib import Path; import sys\n"
    code += "p = f.FileProcess(Path(sys.argv[1])); p.load(1, None, {})\n"
    code += "p.window(60.0, lambda: os._exit(9))\n"
    begun = time.monotonic()
    # The parent vanishes a second into the window; its standard output stays open in the child.
    done = subprocess.run(
        [sys.executable, "-c", code, str(exported("a"))], stderr=subprocess.PIPE, check=False
    )
    assert done.returncode == 9
    assert time.monotonic() - begun < 30.0
    assert not [p for p in psutil.process_iter() if str(exported("a")) in " ".join(words(p))]


def words(process: psutil.Process) -> list[str]:
    """Return the command line of a process, or nothing of one that has ended."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_an_error_keeps_its_class_and_its_exit_status_across_processes() -> None:
    for error in (UsageError("a", "b", "c"), MissingDependencyError("onnx", "export", "this")):
        found = child_errors.rebuilt(child_errors.described(error))
        assert type(found) is type(error)
        assert (str(found), found.exit_code) == (str(error), error.exit_code)


def test_a_window_is_run_in_the_process_at_full_speed_or_at_a_rate(exported: Exported) -> None:
    suite = resources.load_suite("quick").model_copy(
        update={"warmup_runs": 10, "warmup_seconds": 0.0, "min_seconds": 0.0}
    )
    with FileProcess(exported("a")) as process:
        process.load(1, None, {})
        fast = process.window(0.05, lambda: None)
        process.at_rate(100.0, None, suite)
        slow = process.window(0.05, lambda: None, 100.0)
    assert fast.ended_s - fast.begun_s >= 0.05
    assert slow.begun_s >= fast.ended_s
    # One every 10 ms; the machine may be late with the last one.
    assert slow.inferences == 5 < fast.inferences
    assert slow.ended_s - slow.begun_s >= 0.05 - 1e-9


def test_the_parts_of_the_breakdown_add_up() -> None:
    measured = ReferenceKernels(1e-6, {"float32": 1e9, "int8": 4e9})
    parts = breakdown.split(5e-3, {"int8": 4_000_000, "float32": 1_000_000}, "int8", measured)
    assert parts.roofline_s == pytest.approx(2e-3)
    assert parts.peak_macs_per_s == 4e9
    assert parts.rest_s == pytest.approx(5e-3 - 2e-3 - 1e-6)
    assert parts.reason is None


def test_an_unknown_part_of_the_breakdown_is_none_with_its_reason() -> None:
    parts = breakdown.split(5e-3, {"int8": 10}, "int8", ReferenceKernels(1e-6, {"float32": 1e9}))
    assert (parts.peak_macs_per_s, parts.roofline_s, parts.rest_s) == (None, None, None)
    assert parts.reason is not None
    assert "int8" in parts.reason
    uncounted = breakdown.split(5e-3, None, "float32", ReferenceKernels(None, {"float32": 1e9}))
    assert (uncounted.empty_graph_s, uncounted.roofline_s) == (None, None)


def test_the_reference_kernels_of_a_runtime_are_those_it_can_build(exported: Exported) -> None:
    found = breakdown.reference_kernels(for_file(exported("a")), {"float32", "int8"}, 1, Clock())
    assert set(found.peak_macs_per_s) == {"float32"}
    assert found.empty_graph_s is not None


def test_outputs_that_are_no_numbers_are_not_compared(exported: Exported) -> None:
    path = exported("a")

    class Broken:
        input_shape = for_file(path).load(path).input_shape

        def run(self, x: Any) -> Any:
            return np.full((1, 3), np.nan, np.float32)

    agreement = parity.check(path, cast(Session, Broken()))
    assert (agreement.n, agreement.reason) == (None, "Some of its outputs are not finite numbers.")
