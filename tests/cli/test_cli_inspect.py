"""``edgeecg inspect``: table, JSON, picture, and faults in words."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from onnx_models import qdq_convolution, recurrent
from PIL import Image
from rich.console import Console

from edgeecg.cli import _inspection_table, run
from edgeecg.costs.inspection import inspect_file
from edgeecg.schema import InspectedOperation

CONTRACT = {"format", "dtype", "inputs", "outputs", "ops", "macs", "weight_bytes"} | {
    "arena_bytes",
    "proxy_executed",
}
OPERATION = {"index", "name", "macs", "weight_bytes", "activation_bytes", "dtype"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "foreign.onnx"
    path.write_bytes(qdq_convolution().SerializeToString())
    return path


def test_json_has_the_keys_that_scripts_rely_on(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["inspect", str(file), "--json", "-"]) == 0
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert set(document) >= CONTRACT
    assert all(set(each) >= OPERATION for each in document["ops"])
    # 32 samples, 6 x 2 channels, a kernel of 5.
    assert document["macs"] == 32 * 6 * 2 * 5
    assert document["inputs"][0]["shape"] == [1, 2, 32]
    assert "Peak arena (estimate)" in captured.err


def test_the_picture_is_drawn(file: Path, tmp_path: Path) -> None:
    picture = tmp_path / "layers.png"
    assert run(["inspect", str(file), "--picture", str(picture)]) == 0
    with Image.open(picture) as image:
        assert image.width > 300


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["gone.onnx"], 1, "There is no file 'gone.onnx'"),
        (["--picture", "layers.txt"], 2, "cannot be drawn"),
        (["--shape", "x=1xy"], 2, "NAME=1x1x256"),
    ],
)
def test_faults_are_explained(
    arguments: list[str],
    status: int,
    message: str,
    file: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    named = [] if arguments[0] == "gone.onnx" else [str(file)]
    assert run(["inspect", *named, *arguments]) == status
    assert message in capsys.readouterr().err


def test_a_free_axis_needs_a_shape(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "free.onnx"
    path.write_bytes(recurrent().SerializeToString())
    assert run(["inspect", str(path)]) == 2
    assert "--shape x=" in capsys.readouterr().err
    assert run(["inspect", str(path), "--shape", "x=1x3x50"]) == 0


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (80, ["0 UNIDIRECTIONAL_ lstm.forward. int8", "SEQUENCE_LSTM longer_steps"]),
        (160, ["0 UNIDIRECTIONAL_SEQUENCE_LSTM lstm.forward.longer_steps int8"]),
    ],
)
def test_a_narrow_terminal_breaks_names_between_their_parts(
    file: Path, columns: int, expected: list[str]
) -> None:
    operation = InspectedOperation(
        index=0,
        op="UNIDIRECTIONAL_SEQUENCE_LSTM",
        name="lstm.forward.longer_steps",
        dtype="int8",
        macs=1,
        weight_bytes=1,
        activation_bytes=1,
    )
    found = inspect_file(file).model_copy(update={"ops": (operation,)})
    output = io.StringIO()
    _inspection_table.show(found, Console(file=output, width=columns))
    lines = [" ".join(line.split()) for line in output.getvalue().splitlines()]
    first = next(place for place, line in enumerate(lines) if line.startswith("0 "))
    shown = lines[first : first + len(expected)]
    assert [line[: len(each)] for line, each in zip(shown, expected, strict=True)] == expected
