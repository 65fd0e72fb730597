"""``edgeecg search`` from the command line: what it refuses, what it shows, what it resumes."""

from __future__ import annotations

import io
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from small_searches import NET, SPACE, complete, give, pretend

import edgeecg
from edgeecg.cli import run
from edgeecg.cli._search_table import StatusTable, front_table
from edgeecg.data import Dataset
from edgeecg.errors import UsageError
from edgeecg.models import build
from edgeecg.runs import RunFolder
from edgeecg.schema import Front, ModelCard, TrainingConfig
from edgeecg.schema.search import SearchTrial
from edgeecg.training.cards import make_card, save_model
from edgeecg.tuning import search as searching
from edgeecg.tuning.running import SearchStatus
from edgeecg.tuning.trial import Outcome


@pytest.fixture(autouse=True)
def folder(toy_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    give(monkeypatch, toy_dataset)
    (tmp_path / "space.toml").write_text(SPACE, encoding="utf-8")
    (tmp_path / "other.toml").write_text(SPACE.replace("0.0005", "0.0006"), encoding="utf-8")
    (tmp_path / "empty.toml").write_text("alpha = { low = 1.0, high = 0.0 }", encoding="utf-8")
    (tmp_path / "alike.toml").write_text("alpha = 0.5", encoding="utf-8")
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
        (["--space", "alike.toml"], "all 40 trials would be alike"),
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


@pytest.mark.parametrize("address", ["127.0.0.1:9", "auto"])
def test_an_address_that_nobody_answers_fails_before_the_dense_model_is_trained(
    address: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = searching._workers  # pyright: ignore[reportPrivateUsage]
    pretend(monkeypatch, complete)
    monkeypatch.setattr("edgeecg.tuning.search._workers", workers)

    def trained(*_: object) -> None:
        raise AssertionError("the dense model was prepared first")

    monkeypatch.setattr("edgeecg.tuning.search._prepare_dense_model", trained)
    options = ["--space", "space.toml", "--ray", address, "--name", "S"]
    assert run(["search", "cnn1d", *options]) == 1
    assert f"No Ray cluster answers at '{address}'" in capsys.readouterr().err
    # Nothing was written, so that the name can be used again.
    assert not Path("runs").exists()


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
    assert "'--learning-rate' was 0.002 and is now 0.5" in capsys.readouterr().err
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


def test_runs_of_several_seeds_do_not_take_the_name_of_a_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend(monkeypatch, complete)
    Path("runs/S-0").mkdir(parents=True)
    found = edgeecg.search("cnn1d", name="S", space="space.toml", trials=1)
    assert [trial.run for trial in found.trials] == ["S-000"]


def test_a_search_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["search", "--resume", "nothing"]) == 1
    assert "There is no search 'nothing'" in capsys.readouterr().err


def test_the_settings_are_printed_read_again_and_overridden(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["--space", "space.toml", "--epochs", "3", "--guard", "S:recall>=0.5", "--seed", "4"]
    asked += ["--no-default-guards"]
    assert run(["search", "cnn1d", *asked, "--trials", "7", "--print-config"]) == 0
    printed = capsys.readouterr().out
    document = tomllib.loads(printed)
    assert (document["trials"], document["seed"]) == (7, 4)
    assert document["space"]["method"] == ["energy", "l1"]
    assert document["space"]["budget"]["high"] == 0.7
    assert document["base"]["guards"] == ["S:recall>=0.5"]
    assert document["base"]["default_guards"] is False
    assert (document["base"]["training"]["model"], document["base"]["training"]["epochs"]) == (
        *("cnn1d", 3),
    )
    Path("search.toml").write_text(printed, encoding="utf-8")
    assert run(["search", "--config", "search.toml", "--print-config"]) == 0
    assert capsys.readouterr().out == printed
    changed = ["--trials", "2", "--sampler", "random", "--name", "S"]
    pretend(monkeypatch, complete)
    assert run(["search", "--config", "search.toml", *changed]) == 0
    held = json.loads(Path("runs/S/search.json").read_text(encoding="utf-8"))
    assert (held["trials"], held["sampler"], held["seed"]) == (2, "random", 4)
    assert held["base"]["training"]["epochs"] == 3
    # Where trials are performed is not what the search is of.
    assert not {"workers", "ray", "gpus", "minutes"} & set(held)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("trails = 3", "line 1, 'trails': there is no such setting"),
        ("trials = 0", "line 1, 'trials'"),
        ("objectives = ['joules']", "line 1, 'objectives"),
        ("[space]\nmethod = 'l1'\nalhpa = 0.5", "line 3, 'space.alhpa': there is no such setting"),
        ("[space]\nalpha = { low = 1, high = 0 }", "the range is empty: 1 is above 0"),
        ("[space]\nalpha = 2", "'alpha' of the space of the configuration cannot be 2"),
        ("[base.training]\nepochs = 'many'", "line 2, 'base.training.epochs'"),
        (f"data_sha256 = '{'7' * 64}'", "is the hash of other records"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused_with_its_key(
    text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("search.toml").write_text(text, encoding="utf-8")
    assert run(["search", "cnn1d", "--config", "search.toml"]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not Path("runs").exists()


def test_another_storage_is_refused_when_a_search_is_resumed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, complete)
    edgeecg.search("cnn1d", name="S", space="space.toml", trials=1)
    assert run(["search", "--resume", "S", "--storage", "sqlite:///other.db"]) == 2
    assert "another 'storage'" in capsys.readouterr().err
    assert not Path("other.db").exists()
    assert run(["search", "--resume", "S", "--workers", "2", "--trials", "2"]) == 0


def test_a_search_whose_time_is_over_says_how_to_go_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, complete)
    asked = ["search", "cnn1d", "--space", "space.toml", "--name", "S", "--trials", "3"]
    assert run([*asked, "--minutes", "1e-9"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "0 trials: none." in shown
    assert "Next: edgeecg search --resume S" in shown
    assert run(["search", "--resume", "S", "--json", "-"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [trial["state"] for trial in document["trials"]] == ["complete"] * 3
    assert document["finished"]


def test_the_function_takes_settings_and_names_one_that_does_not_exist(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend(monkeypatch, complete)
    told: list[SearchStatus] = []
    space: dict[str, Any] = {"budget": {"low": 0.3, "high": 0.7}, "method": "l1"}
    found = edgeecg.search(
        "cnn1d", name="S", space=space, trials=2, sampler="random", on_status=told.append
    )
    assert [trial.params["method"] for trial in found.trials] == ["l1", "l1"]
    assert told[-1].trials == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "")
    with pytest.raises(UsageError, match="Did you mean 'sampler'"):
        edgeecg.search("cnn1d", name="T", smapler="random")


def test_the_default_space_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["search", "--print-space"]) == 0
    assert "budget = {" in capsys.readouterr().out


def test_a_custom_module_may_be_named_again_and_a_changed_one_is_not_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, complete)
    net = Path("net.py")
    net.write_text(NET, encoding="utf-8")
    asked = ["net.py:build", "--space", "space.toml", "--trials", "2"]
    assert run(["search", *asked, "--name", "S", "--dry-run"]) == 0
    assert run(["search", *asked, "--resume", "S"]) == 0
    assert run(["search", "--resume", "S"]) == 0
    capsys.readouterr()
    net.write_text(f"open('was_run', 'w').close()\n{NET}", encoding="utf-8")
    assert run(["search", "--resume", "S"]) == 2
    assert "has changed since the search was started" in " ".join(capsys.readouterr().err.split())
    assert not Path("was_run").exists()
    assert run(["search", *asked, "--resume", "S"]) == 2
    assert run(["search", "cnn1d", "--resume", "S"]) == 2


def test_a_search_goes_on_with_its_custom_module_at_another_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend(monkeypatch, complete)
    Path("net.py").write_text(NET, encoding="utf-8")
    asked = ["--space", "space.toml", "--trials", "3"]
    assert run(["search", "net.py:build", *asked, "--name", "S", "--dry-run"]) == 0
    Path("moved").mkdir()
    Path("net.py").rename("moved/net.py")
    assert run(["search", "--resume", "S"]) == 2
    assert run(["search", "moved/net.py:build", "--resume", "S"]) == 0
    assert run(["search", "--resume", "S"]) == 0
    assert len(Front.from_file(Path("runs/S/front.json")).trials) == 3


def write_dense_run(dataset: Dataset) -> ModelCard:
    """Write an untrained dense model as the run named 'dense'; return its card."""
    dense = RunFolder(Path("runs/dense"))
    training = TrainingConfig(model="cnn1d", data="synthetic")
    model = build("cnn1d").eval()
    card = make_card(model, "baseline", training, dataset, 1)
    save_model(model, card, dense.baseline_weights, dense.baseline_card)
    return card


def test_training_that_the_dense_model_did_not_have_is_said(
    toy_dataset: Dataset, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = searching._prepare_dense_model  # pyright: ignore[reportPrivateUsage]
    pretend(monkeypatch, complete)
    monkeypatch.setattr(searching, "_prepare_dense_model", prepare)
    write_dense_run(toy_dataset)
    asked = ["search", "--start", "dense", "--space", "space.toml", "--name", "S", "--trials", "1"]
    assert run([*asked, "--epochs", "3"]) == 0
    said = "Warning: --epochs 3 has no effect: the dense model is trained already, with 8."
    assert said in capsys.readouterr().out
    assert Front.from_file(Path("runs/S/front.json")).warnings


def test_a_guard_that_the_dense_model_breaks_is_refused_before_any_trial(
    toy_dataset: Dataset, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(*_: object) -> None:
        raise AssertionError("trials were started")

    monkeypatch.setattr("edgeecg.tuning.search._workers", started)
    card = write_dense_run(toy_dataset)
    asked = ["search", "--start", "dense", "--space", "space.toml", "--name", "S"]
    assert run([*asked, "--guard", "macro_f1>=0.99"]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "The dense model breaks the guard 'macro_f1>=0.99' already" in said
    assert f"Its validation score is {card.val.macro_f1:.3f}" in said
    assert "edgeecg search --start S-dense" in said


def test_a_search_of_which_no_trial_completes_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, lambda _: Outcome("failed", 1.0, None, "The loss is not finite."))
    asked = ["search", "cnn1d", "--space", "space.toml", "--name", "S", "--trials", "2"]
    assert run([*asked, "--json", "front.json"]) == 1
    shown = capsys.readouterr()
    assert "Failed (2): The loss is not finite." in shown.out
    assert "test records were scored" not in shown.out
    assert "No trial of the search 'S' is complete." in shown.err
    assert json.loads(Path("front.json").read_text(encoding="utf-8"))["finished"]


def test_who_names_a_search_as_a_run_is_told_a_trial_of_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, complete)
    front = edgeecg.search("cnn1d", name="S", space="space.toml", trials=3)
    for verb in (["report", "S"], ["export", "--run", "S"]):
        assert run(verb) == 1
        said = " ".join(capsys.readouterr().err.split())
        assert "'runs/S' is a search" in said
        assert f"Name one of its trials, such as {front.front[0]}" in said
        assert "remove" not in said


def test_a_live_table_shows_counts_the_front_and_the_time_left() -> None:
    trials = (
        SearchTrial(run="S-000", values=(0.8, 0.4), state="complete", seconds=60),
        SearchTrial(run="S-001", values=None, state="pruned", reason="A finished trial is better."),
    )
    front = Front(
        name="S", model="cnn1d", data="mitdb", objectives=("macro_f1", "energy"),
        trials=trials, front=("S-000",),
    )  # fmt: skip
    table = StatusTable("S")
    table.report(SearchStatus(front, 40, {2: 0.5, 3: 0.0}, 3720.0))
    text = io.StringIO()
    Console(file=text, width=100).print(table)
    shown = " ".join(text.getvalue().split())
    assert "S: 1 done, 2 running, 1 pruned, 0 failed of 40; 1:02:00 h left" in shown
    assert "Running: 2 (50%), 3 (0%)" in shown
    assert "S-000 0.8 0.4" in shown
    bytes_ = trials[0].model_copy(update={"values": (0.8, 399_612.0)})
    sizes = {"objectives": ("macro_f1", "size"), "trials": (bytes_,)}
    text = io.StringIO()
    Console(file=text, width=100).print(front_table(front.model_copy(update=sizes)))
    assert "399,612" in text.getvalue()
