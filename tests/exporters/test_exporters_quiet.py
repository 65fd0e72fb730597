"""The real converters in a subprocess: their output does not reach the user."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_run import write_run

from edgeecg.data import DataRequest, load_dataset
from edgeecg.schema import ModelCard


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
    # The records (two lines), the title, three lines of head, a rule, two models, up to two that
    # are slow in int8, two files, the next command.
    assert len(lines) <= 14, done.stderr
    assert lines[0].startswith("Data: SYNTHETIC")
    assert any(line.startswith("cnn1d exported") for line in lines)
    assert lines[-1] == "Next: edgeecg bench"
    assert "arning" not in done.stderr
