"""``edgeecg trace``: an energy as JSON, a picture, and faults in words."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from edgeecg.cli import run
from edgeecg.schema import Energy


@pytest.fixture
def trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five bursts of 0.2 s at 3 mW above an idle power of 1 mW, sampled at 1 kHz."""
    monkeypatch.chdir(tmp_path)
    lines = ["t_s,watts,D0"]
    for k in range(2200):
        busy = 200 <= k % 400 < 400 and k < 2000
        # A little noise, so that the values are not taken for stale ones.
        lines.append(f"{k / 1000},{0.004 if busy else 0.001 + 1e-7 * (k % 7)},{int(busy)}")
    path = tmp_path / "a trace.csv"
    path.write_text("\n".join(lines))
    return path


def test_json_is_one_energy_and_words_go_to_standard_error(
    trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = run(["trace", str(trace), "--inferences", "20", "--marker", "D0", "--json", "-"])
    assert status == 0
    captured = capsys.readouterr()
    energy = Energy.from_json(captured.out, "standard output")
    assert energy.tier == "measured"
    # 3 mW for a fifth of a second are 600 µJ for 20 inferences.
    assert energy.net_j == pytest.approx(30e-6, rel=0.01)
    assert "Net energy of an inference: 30.0" in captured.err
    assert "5 windows, 100 inferences" in captured.err


def test_a_picture_is_drawn(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["trace", str(trace), "--inferences", "20", "--threshold", "2mW"]
    assert run([*arguments, "--picture", "out.png"]) == 0
    assert "Picture: out.png" in capsys.readouterr().out
    with Image.open(trace.parent / "out.png") as image:
        assert min(image.size) >= 300
    assert run([*arguments, "--picture", "out.svg"]) == 0
    assert "5 busy windows" in (trace.parent / "out.svg").read_text()


def test_pictures_of_another_format_are_refused(
    trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["trace", str(trace), "--inferences", "20", "--picture", "out.bmp"]
    assert run(arguments) == 2
    assert ".png, .svg" in capsys.readouterr().err


def test_without_matplotlib_the_extra_is_named(
    trace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    arguments = ["trace", str(trace), "--inferences", "20", "--picture", "out.png"]
    assert run(arguments) == 1
    assert "pip install 'edgeecg[report]'" in capsys.readouterr().err
    assert not (trace.parent / "out.png").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--inferences", "0"], "inferences"),
        (["--inferences", "2", "--column", "watts"], "KIND=NAME"),
        (["--inferences", "2", "--column", "colour=red"], "KIND=NAME"),
        (["--inferences", "2", "--merge", "soon"], "--merge"),
        (["--inferences", "2", "--threshold", "many"], "--threshold"),
        (["--inferences", "7", "--total"], "5 busy windows"),
        (["--inferences", "2", "--voltage", "0V"], "above zero"),
        (["--inferences", "2", "--voltage=-3V"], "above zero"),
        (["--inferences", "2", "--voltage", "1e999V"], "--voltage"),
        ([], "inferences"),
    ],
)
def test_wrong_options_are_explained(
    options: list[str], message: str, trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["trace", str(trace), *options]) == 2
    assert message in capsys.readouterr().err


def test_a_trace_with_too_few_windows_has_a_reason_and_no_joules(
    trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = trace.read_text().splitlines()
    trace.write_text("\n".join(lines[:900]))
    assert run(["trace", str(trace), "--inferences", "20", "--json", "out.json"]) == 0
    energy = json.loads((trace.parent / "out.json").read_text())
    assert (energy["tier"], energy["net_j"]) == ("not measured", None)
    assert "windows" in energy["reason"]
    assert "not measured" in capsys.readouterr().out
