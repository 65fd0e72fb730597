"""Advice depends on the machine: on a Raspberry Pi nobody can compress or export."""

from __future__ import annotations

import pickle
import platform
import sys
from pathlib import Path

import pytest

from edgeecg import runs
from edgeecg.benchmark import run_artifacts
from edgeecg.errors import (
    EdgeECGError,
    MissingDependencyError,
    UnknownNameError,
    install_advice,
    measures_only,
    rebuilt,
)


def every_error() -> list[type[EdgeECGError]]:
    found, open_ones = [EdgeECGError], [EdgeECGError]
    while open_ones:
        below = open_ones.pop().__subclasses__()
        found += below
        open_ones += below
    return found


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.__name__)
def test_errors_cross_to_another_process(kind: type[EdgeECGError]) -> None:
    error = rebuilt(kind, "It failed.", "There was a cause.", "Do this.", 3)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (again.what, again.why, again.todo) == ("It failed.", "There was a cause.", "Do this.")
    assert (again.exit_code, str(again)) == (3, str(error))


def test_an_error_that_was_constructed_otherwise_crosses_too() -> None:
    error = UnknownNameError("model", "cnn2d", ["cnn1d"])
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (UnknownNameError, str(error))


@pytest.fixture(params=["aarch64", "armv7l", "armv8l"])
def pi(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "machine", lambda: request.param)


@pytest.mark.parametrize(
    ("system", "machine", "expected"),
    [
        ("linux", "x86_64", False),
        ("linux", "aarch64", True),
        ("linux", "armv7l", True),
        ("darwin", "arm64", False),
    ],
)
def test_where_models_can_be_made(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str, expected: bool
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert measures_only() is expected


def test_a_workstation_is_told_which_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    error = MissingDependencyError("torch", "compress", "'edgeecg compress'")
    assert error.todo == "Install it with: pip install 'edgeecg[compress]'"


@pytest.mark.usefixtures("pi")
@pytest.mark.parametrize("extra", ["compress", "export"])
def test_a_pi_is_sent_to_a_workstation(extra: str) -> None:
    error = MissingDependencyError("torch", extra, f"'edgeecg {extra}'")
    assert "pip install" not in error.todo
    assert "on a workstation" in error.todo
    assert "edgeecg bench FILE" in error.todo


@pytest.mark.usefixtures("pi")
def test_what_a_pi_can_install_is_still_said() -> None:
    assert install_advice("onnx", "export", bits=64) == "Install it with: pip install onnx"
    assert "edgeecg[report]" in install_advice("jinja2", "report")


@pytest.mark.parametrize(
    ("package", "bits", "python", "words"),
    [
        ("ai-edge-litert", 64, (3, 13), "edgeecg[device]"),
        ("ai-edge-litert", 32, (3, 11), "edgeecg[device32]"),
        ("ai-edge-litert", 32, (3, 12), "no such runtime exists"),
        ("onnxruntime", 32, (3, 11), "no 32-bit packages"),
        ("psutil", 32, (3, 13), "edgeecg[device32]"),
    ],
)
def test_the_runtime_is_chosen_by_the_width_of_python(
    package: str, bits: int, python: tuple[int, int], words: str
) -> None:
    assert words in install_advice(package, "device", bits, python)


@pytest.mark.usefixtures("pi")
def test_without_a_run_a_pi_is_not_told_to_compress(tmp_path: Path) -> None:
    with pytest.raises(EdgeECGError) as caught:
        runs.newest(tmp_path)
    assert "on a workstation" in caught.value.todo


def test_without_a_run_a_workstation_is_told_to_compress(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    with pytest.raises(EdgeECGError) as caught:
        runs.newest(tmp_path)
    assert caught.value.todo.startswith("Run 'edgeecg compress' first")


@pytest.mark.usefixtures("pi")
def test_a_run_without_files_does_not_ask_a_pi_to_export(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(runs, "newest", lambda: runs.RunFolder(tmp_path))
    with pytest.raises(EdgeECGError) as caught:
        run_artifacts.exported_files()
    assert "on a workstation" in caught.value.todo
