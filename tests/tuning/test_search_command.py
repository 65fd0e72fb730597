"""``edgeecg search`` from the command line: what it refuses, what it shows, what it resumes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from small_searches import SPACE, complete, give, pretend

import edgeecg
from edgeecg.cli import run
from edgeecg.cli._search_table import StandingTable
from edgeecg.data import Dataset
from edgeecg.errors import UsageError
from edgeecg.schema import Front
from edgeecg.schema.search import SearchTrial
from edgeecg.tuning import search as searching
from edgeecg.tuning.running import Standing
from edgeecg.tuning.trial import Outcome


@pytest.fixture(autouse=True)
def folder(toy_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    give(monkeypatch, toy_dataset)
    (tmp_path / "space.toml").write_text(SPACE, encoding="utf-8")
    (tmp_path / "other.toml").write_text(SPACE.replace("0.0005", "0.0006"), encoding="utf-8")
    (tmp_path / "empty.toml").write_text("alpha = { low = 1.0, high = 0.0 }", encoding="utf-8")
    (tmp_path / "unknown.toml").write_text("alhpa = 0.5", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--objective", "macro_f1", "--objective", "latency"], "needs the seconds"),
        (["--objective", "joules"], "The known objectives are"),
        (["--space", "unknown.toml"], "Did you mean 'alpha'?"),
        (["--space", "empty.toml"], "The range is empty"),
        (["--space", "none.toml"], "cannot be read"),
        (["--guard", "X:recall>=0.5"], "The known classes are: N, S, V"),
        (["--costs", "none.json"], "cannot be read"),
        (["--trials", "0"], "--trials"),
        (["--sampler", "grid"], "--sampler"),
        (["--name", "a/b"], "cannot be the name of a run"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_written(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["search", "cnn1d", *options]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not Path("runs").exists()


def test_an_address_that_nobody_answers_fails_before_the_first_trial(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = searching._workers  # pyright: ignore[reportPrivateUsage]
    pretend(monkeypatch, complete)
    monkeypatch.setattr("edgeecg.tuning.search._workers", workers)
    options = ["--space", "space.toml", "--ray", "127.0.0.1:9", "--name", "S"]
    assert run(["search", "cnn1d", *options]) == 1
    assert "No Ray cluster answers at '127.0.0.1:9'" in capsys.readouterr().err
    assert not list(Path("runs").glob("S-0*"))


def test_a_search_is_shown_resumed_and_refused_with_something_else(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = {1: Outcome("failed", 1.0, None, "The loss is not finite.")}
    pretend(monkeypatch, lambda task: ends.get(task.number) or complete(task))
    started = ["search", "cnn1d", "--space", "space.toml", "--name", "S", "--trials", "3"]
    assert run([*started, "--dry-run"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "From 2 trials: 1 more take about 0:01 min with 1 at a time" in said
    assert "edgeecg search --resume S" in said

    assert run(["search", "--resume", "S", "--json", "front.json"]) == 0
    shown = capsys.readouterr()
    assert "3 trials: 2 complete, 1 failed." in shown.out
    assert "Failed (1): The loss is not finite." in shown.out
    assert "3/3 trials: S-002" in shown.err
    document = json.loads(Path("front.json").read_text(encoding="utf-8"))
    assert document == json.loads(Path("runs/S/front.json").read_text(encoding="utf-8"))

    assert run(["search", "--resume", "S", "--space", "other.toml"]) == 2
    assert "It was started with another 'space'" in " ".join(capsys.readouterr().err.split())
    assert run(["search", "--resume", "S", "--objective", "size"]) == 2
    assert run(["search", "--resume", "S", "--learning-rate", "0.5"]) == 2
    assert "learning_rate was" in capsys.readouterr().err
    assert run(started) == 2
    assert "There is a run named 'S' already" in capsys.readouterr().err


def test_other_records_under_the_same_name_are_refused(
    toy_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    pretend(monkeypatch, complete)
    edgeecg.search("cnn1d", name="S", space="space.toml", trials=1, epochs=1)
    summary = toy_dataset.summary.model_copy(update={"content_sha256": "9" * 64})
    others = replace(toy_dataset, summary=summary)
    give(monkeypatch, others)
    with pytest.raises(UsageError, match="other records"):
        edgeecg.search(resume="S")


def test_a_name_whose_trials_exist_is_refused() -> None:
    Path("runs/S-000").mkdir(parents=True)
    with pytest.raises(UsageError, match="folders that exist: S-000"):
        edgeecg.search("cnn1d", name="S", space="space.toml")


def test_a_search_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["search", "--resume", "nothing"]) == 1
    assert "There is no search 'nothing'" in capsys.readouterr().err


def test_the_default_space_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["search", "--print-space"]) == 0
    assert "budget = {" in capsys.readouterr().out


def test_a_live_table_shows_counts_the_front_and_the_time_left() -> None:
    trials = (
        SearchTrial(run="S-000", values=(0.8, 0.4), state="complete", seconds=60),
        SearchTrial(run="S-001", values=None, state="pruned", reason="No hope."),
    )
    front = Front(
        name="S", model="cnn1d", data="mitdb", objectives=("macro_f1", "energy"),
        trials=trials, front=("S-000",),
    )  # fmt: skip
    table = StandingTable("S")
    table.report(Standing(front, 40, {2: 0.5, 3: 0.0}, 3720.0))
    text = io.StringIO()
    Console(file=text, width=100).print(table)
    shown = " ".join(text.getvalue().split())
    assert "S: 1 done, 2 running, 1 pruned, 0 failed of 40; 1:02:00 h left" in shown
    assert "Running: 2 (50%), 3 (0%)" in shown
    assert "S-000 0.8 0.4" in shown
