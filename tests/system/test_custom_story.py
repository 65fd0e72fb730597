"""A custom module is compressed, exported, evaluated and measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from system_program import Program, run_in

pytestmark = pytest.mark.system

SOURCE = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv1d(1, 16, 7, stride=2, padding=3, bias=False)
        self.norm = nn.BatchNorm1d(16)
        self.conv = nn.Conv1d(16, 32, 5, stride=2, padding=2)
        self.head = nn.Linear(32, 3)

    def forward(self, x):
        x = torch.relu(self.norm(self.stem(x)))
        return self.head(torch.relu(self.conv(x)).mean(2))


def build():
    return Net()
"""
BUDGET = ("--epochs", "1", "--epoch-windows", "256", "--finetune-epochs", "1", "--budget")


@pytest.fixture(scope="module")
def compressed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the module's file and a run of it."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "net.py").write_text(SOURCE)
    given = ("net.py:build", "--data", "synthetic", *BUDGET, "macs=0.5", "--name", "mine")
    run_in(folder)("compress", *given)
    return folder


@pytest.fixture
def edgeecg(compressed: Path) -> Program:
    return run_in(compressed)


def test_it_is_exported_and_its_files_are_scored_like_its_run(
    compressed: Path, edgeecg: Program
) -> None:
    targets = ("--target", "tflite", "--target", "onnx", "--target", "tflite-int8")
    edgeecg("export", "--own", "net.py:build", *targets)
    files = compressed / "runs" / "mine" / "artifacts"
    names = {path.name for path in files.glob("*compressed*")}
    assert {"net.build-compressed-tflite.tflite", "net.build-compressed-onnx.onnx"} <= names
    own = ("--own", "net.py:build", "--json", "-")
    of_run = json.loads(edgeecg("evaluate", "runs/mine", *own).stdout)
    for name in ("net.build-compressed-tflite.tflite", "net.build-compressed-onnx.onnx"):
        # A file works alone: whose module it was does not matter any more.
        of_file = json.loads(edgeecg("evaluate", str(files / name), "--json", "-").stdout)
        assert of_file["macro_f1"] == pytest.approx(of_run["macro_f1"], abs=1e-3)
    edgeecg("bench", "--suite", "quick", str(files / "net.build-compressed-tflite-int8.tflite"))
    edgeecg("report")
    assert "net.build" in (compressed / "runs" / "mine" / "report.html").read_text()


@pytest.mark.parametrize("command", [("export",), ("evaluate", "runs/mine")])
def test_what_was_not_named_is_not_run(edgeecg: Program, command: tuple[str, ...]) -> None:
    said = edgeecg(*command, status=2).stderr
    assert "net.build" in said
    assert "path/to/model.py:function" in said
    assert f"'{command[0]}'" in said.partition("To do:")[2]
    assert "with --custom" in said
