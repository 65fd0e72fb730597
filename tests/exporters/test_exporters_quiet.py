"""The real converters in a subprocess: their output does not reach the user."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_run import write_run

from edgeecg.data import DataRequest, load_dataset
from edgeecg.schema import ModelCard

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.system
def test_a_cell_of_a_notebook_that_exports_shows_nothing(
    tmp_path: Path, model_card: ModelCard
) -> None:
    dataset = load_dataset(DataRequest(source="synthetic"))
    card = model_card.model_copy(
        update={"data": dataset.summary, "preprocessing": dataset.preprocessing}
    )
    write_run(tmp_path / "runs" / "tiny", card)
    cells = [
        "import edgeecg; made = edgeecg.export('tiny', ['tflite', 'tflite-int8'])",
        "len(made)",
    ]
    program = (
        "import sys, nbformat\n"
        "from nbclient import NotebookClient\n"
        "cells = [nbformat.v4.new_code_cell(each) for each in sys.argv[2:]]\n"
        "made = nbformat.v4.new_notebook(cells=cells)\n"
        "place = {'metadata': {'path': sys.argv[1]}}\n"
        "NotebookClient(made, timeout=600, kernel_name='python3', resources=place).execute()\n"
        "print([cell.outputs for cell in made.cells])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), *cells],
        env=os.environ | {"PYTHONPATH": str(ROOT), "JUPYTER_PLATFORM_DIRS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    export, length = ast.literal_eval(done.stdout)
    assert export == []
    # Two models, two targets: what the user's own cell returns is shown.
    assert length[0]["data"]["text/plain"] == "4"


@pytest.mark.system
def test_output_of_the_converters_is_hidden(tmp_path: Path, model_card: ModelCard) -> None:
    dataset = load_dataset(DataRequest(source="synthetic"))
    card = model_card.model_copy(
        update={"data": dataset.summary, "preprocessing": dataset.preprocessing}
    )
    write_run(tmp_path / "runs" / "tiny", card)
    command = "import sys; from edgeecg.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", command, "export", "--target", "tflite-int8", "--json", "-"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert [entry["target"] for entry in json.loads(done.stdout)] == ["tflite-int8"] * 2
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    # On a slow machine a long step reports its progress every 30 s.
    lines = [line for line in lines if not re.search(r": \d+ of \d+$", line)]
    # The records (two lines), the title, three lines of head, a rule, two models, up to two that
    # are slow in int8, two files, the next command.
    assert len(lines) <= 14, done.stderr
    assert lines[0].startswith("Data: SYNTHETIC")
    assert any(line.startswith("cnn1d exported") for line in lines)
    assert lines[-1] == "Next: edgeecg bench"
    assert "arning" not in done.stderr
