"""One small run, and one wheel, that all system tests look at."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from filled_once import filled_once
from system_program import SMALL, built_wheel, run_in


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a small model was compressed and exported to three targets."""

    def fill(folder: Path) -> None:
        edgeecg = run_in(folder)
        edgeecg("compress", "--name", "small", *SMALL)
        edgeecg("export", "--target", "tflite", "--target", "tflite-int8", "--target", "onnx")

    # Tests add their reports to it, so that each process has a copy.
    shared = filled_once(tmp_path_factory, "story", fill)
    return Path(shutil.copytree(shared, tmp_path_factory.mktemp("copy") / "story"))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the working tree."""
    (found,) = filled_once(tmp_path_factory, "wheel", built_wheel).glob("edgeecg-*.whl")
    return found


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
