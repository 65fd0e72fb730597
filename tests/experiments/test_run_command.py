"""The entry point of the benchmarks: what it refuses, and what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import run
from harness import render, runner


def test_nothing_to_run_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main([]) == 2
    assert "The experiments are: " in capsys.readouterr().err
    assert run.main(["--all", "methods"]) == 2


def test_an_unknown_experiment_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["method"]) == 2
    said = capsys.readouterr().err
    assert "There is no experiment named 'method'." in said
    assert "Did you mean 'methods'?" in said


def test_seeds_that_are_no_numbers_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["methods", "--seeds", "one"]) == 2
    assert "'one' is not a list of whole numbers." in capsys.readouterr().err


def test_a_finished_experiment_is_not_measured_again_and_its_tables_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written: list[Path] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(render, "write", written.append)
    assert run.main(["meter_limits", "window_choice"]) == 0
    said = capsys.readouterr().out
    assert "meter_limits: 0 of 16 measured now" in said
    assert "window_choice: 0 of 9 measured now" in said
    assert written == [run.ROOT]


def test_quick_measures_in_a_folder_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Toy rows never stand among the published ones, and every table is made of them."""
    kept = (runner.RESULTS / "meter_limits.jsonl").read_bytes()
    monkeypatch.setattr("harness.toy.databases", lambda folder: None)  # pyright: ignore[reportUnknownLambdaType]
    made: list[Any] = []
    original = render.table

    def table(*arguments: Any) -> str | None:
        made.append(original(*arguments))
        return made[-1]

    monkeypatch.setattr(render, "table", table)
    assert run.main(["meter_limits", "--quick"]) == 0
    assert "meter_limits: 16 of 16 measured now" in capsys.readouterr().out
    assert (runner.RESULTS / "meter_limits.jsonl").read_bytes() == kept
    assert len(made) == 2
    assert "SIMULATED" in made[0]
