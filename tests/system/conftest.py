"""One small run that all system tests look at."""

from __future__ import annotations

from pathlib import Path

import pytest
from system_program import SMALL, run_in


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a small model was compressed and exported to every target."""
    folder = tmp_path_factory.mktemp("story")
    edgeecg = run_in(folder)
    edgeecg("compress", "--name", "small", *SMALL)
    edgeecg("export", "--target", "tflite", "--target", "tflite-int8", "--target", "onnx")
    return folder


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
