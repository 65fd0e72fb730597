"""Going on with a search: by its name, with its own trials, and with what is still there."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from optuna.exceptions import StorageInternalError
from small_searches import SPACE, complete, give, pretend, small_plan

import edgeecg
from edgeecg.cli import run
from edgeecg.compression import pipeline
from edgeecg.compression.job import Job
from edgeecg.data import Dataset
from edgeecg.errors import EdgeECGError, UsageError
from edgeecg.models import build
from edgeecg.runs import RunFolder, given_name
from edgeecg.runs.unfinished import how_to_finish
from edgeecg.schema import Front, SearchConfig
from edgeecg.training.cards import make_card, save_model
from edgeecg.tuning import running, space, trial_folder
from edgeecg.tuning.search import perform
from edgeecg.tuning.trial import Outcome, Task, perform as perform_trial


@pytest.fixture(autouse=True)
def folder(toy_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    give(monkeypatch, toy_dataset)
    (tmp_path / "space.toml").write_text(SPACE, encoding="utf-8")
    return tmp_path


def searched(name: str = "S", trials: int = 2) -> Front:
    options = ("--data", "synthetic", "--space", "space.toml", "--trials", str(trials))
    assert run(["search", "cnn1d", *options, "--name", name]) == 0
    return Front.from_file(Path("runs") / name / "front.json")


@pytest.mark.parametrize("given", ["S", "S/", "runs/S", "runs/S/", "./S"])
def test_the_name_of_a_search_may_be_completed_by_a_shell(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = pretend(monkeypatch, complete)
    before = searched()
    assert run(["search", "--resume", given]) == 0
    assert len(workers.tasks) == 2
    assert Front.from_file(Path("runs/S/front.json")) == before
    assert sorted(path.name for path in Path("runs").iterdir()) == ["S"]


@pytest.mark.parametrize("given", ["", ".", "..", "a/b", "/tmp/S"])
def test_what_is_no_name_is_refused(given: str) -> None:
    with pytest.raises(UsageError, match="is not the name of a run"):
        given_name(given)


@pytest.mark.parametrize("lost", ["renamed", "journal"])
def test_a_search_without_its_study_is_refused_and_its_front_is_kept(
    lost: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    workers = pretend(monkeypatch, complete)
    before = searched()
    name = "S"
    if lost == "renamed":
        name = "other"
        Path("runs/S").rename("runs/other")
    else:
        Path("runs/S/optuna.jsonl").unlink()
    assert run(["search", "--resume", name]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "lists 2, and the storage holds no study of this name" in said
    assert Front.from_file(Path("runs") / name / "front.json") == before
    assert len(workers.tasks) == 2


def test_a_folder_of_the_front_that_is_gone_costs_its_test_score_alone(
    toy_dataset: Dataset, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored = running.RunningSearch.scored
    pretend(monkeypatch, complete)
    monkeypatch.setattr(running.RunningSearch, "scored", scored)
    front = perform(small_plan(folder, toy_dataset, 2), "edgeecg search")
    assert front.finished
    assert not any(trial.test for trial in front.trials)
    assert len(front.warnings) == len(front.front)
    assert "edgeecg search --resume S" in front.warnings[0]
    assert "is not there" in (folder / "runs/S/front.html").read_text(encoding="utf-8")


def test_a_run_of_someone_else_in_the_folder_of_a_trial_is_refused(
    toy_dataset: Dataset, folder: Path
) -> None:
    plan = small_plan(folder, toy_dataset)
    held = plan.config.base.model_copy(update={"sparsity": 0.9})
    trial = plan.run(4)
    trial.path.mkdir(parents=True)
    trial.config.write_text(held.to_json(), encoding="utf-8")
    with pytest.raises(EdgeECGError, match="is not of the search 'S'") as raised:
        trial_folder.prepare(trial, plan.dense, plan.config.base)
    assert "edgeecg search --resume S" in raised.value.todo
    assert trial.config.read_text(encoding="utf-8") == held.to_json()


def test_a_dense_model_of_someone_else_in_the_folder_of_a_trial_is_kept(
    toy_dataset: Dataset, folder: Path
) -> None:
    plan = small_plan(folder, toy_dataset)
    for number, what in enumerate(("training.json", "baseline.json")):
        trial = plan.run(4 + number)
        trial.path.mkdir(parents=True)
        (trial.path / what).write_text("{}", encoding="utf-8")
    plan.dense.path.mkdir()
    plan.dense.baseline_card.write_text('{"of": "the search"}', encoding="utf-8")
    for number in (4, 5):
        with pytest.raises(EdgeECGError, match="holds the training of a model"):
            trial_folder.prepare(plan.run(number), plan.dense, plan.config.base)
        assert not plan.run(number).config.exists()


def test_a_new_search_does_not_take_over_the_trials_in_a_database(
    toy_dataset: Dataset, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, complete)
    plan = small_plan(folder, toy_dataset, 2)
    url = f"sqlite:///{folder / 'team.db'}"
    plan = replace(plan, config=plan.config.model_copy(update={"storage": url}))
    perform(plan, "edgeecg search")
    # Another person's computer, with the same database.
    Path("runs").rename("elsewhere")
    with pytest.raises(UsageError, match="There is a study 'S' in this storage already"):
        perform(plan, "edgeecg search")
    assert not plan.written.exists()


def test_a_storage_that_fails_stops_the_search_with_a_way_on(
    toy_dataset: Dataset, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(task: Task) -> Outcome:
        raise StorageInternalError("The database has gone away.")

    pretend(monkeypatch, fail)
    with pytest.raises(EdgeECGError, match="The search stopped") as raised:
        perform(small_plan(folder, toy_dataset, 2), "edgeecg search")
    assert "The database has gone away" in raised.value.why
    assert "edgeecg search --resume S" in raised.value.todo


def test_a_taken_folder_is_found_whatever_its_name_looks_like(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend(monkeypatch, complete)
    Path("runs/x[1]-000").mkdir(parents=True)
    assert run(["search", "cnn1d", "--data", "synthetic", "--name", "x[1]"]) == 2
    assert "folders that exist: x[1]-000" in " ".join(capsys.readouterr().err.split())


def test_a_name_is_long_enough_for_the_folder_of_the_dense_model(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["search", "cnn1d", "--data", "synthetic", "--name", "n" * 252]) == 1
    assert "File name too long" in capsys.readouterr().err
    assert not list(Path().glob("runs/*"))


def test_a_trial_that_a_user_finished_is_complete(toy_dataset: Dataset, folder: Path) -> None:
    plan = small_plan(folder, toy_dataset, 1)
    model = build("cnn1d").eval()
    card = make_card(model, "baseline", plan.config.base.training, toy_dataset, 1)
    save_model(model, card, plan.dense.baseline_weights, plan.dense.baseline_card)
    chosen = {"budget": 0.5, "method": "l1", "steps": 2, "finetune_epochs": 1, "quantize": "none"}
    config = space.configured(plan.config.base, plan.config.space, chosen)
    training = config.training.model_copy(update={"epoch_windows": 64, "batch_size": 64})
    config = config.model_copy(update={"training": training})
    trial = plan.run(0)
    trial_folder.prepare(trial, plan.dense, config)
    pipeline.compress(Job(config, toy_dataset, trial, "edgeecg compress --name S-000 --resume"))
    assert trial.finished
    task = Task(0, 0, "S-000", config, plan.config.objectives, (), "edgeecg search --resume S")
    outcome = perform_trial(task, trial, toy_dataset)
    assert outcome.state == "complete"
    assert outcome.values is not None


def test_an_unfinished_trial_is_finished_by_its_search(
    toy_dataset: Dataset, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, complete)
    front = perform(small_plan(folder, toy_dataset, 2), "edgeecg search")
    base = small_plan(folder, toy_dataset).config.base
    for name in ("S-001", "S-002"):
        trial = RunFolder(Path("runs") / name)
        trial.path.mkdir()
        trial.config.write_text(base.to_json(), encoding="utf-8")
    assert {trial.run for trial in front.trials} == {"S-000", "S-001"}
    assert "edgeecg search --resume S" in how_to_finish(RunFolder(Path("runs/S-002")))
    # Its search has ended this one: it was pruned, say.
    assert "edgeecg compress --name S-001" in how_to_finish(RunFolder(Path("runs/S-001")))


def test_a_seed_beside_the_file_of_a_search_is_that_of_the_sampler_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend(monkeypatch, complete)
    searched()
    shutil.copy("runs/S/search.json", "s.json")
    assert json.loads(Path("s.json").read_text(encoding="utf-8"))["seed"] == 0
    assert run(["search", "--config", "s.json", "--seed", "3", "--name", "again"]) == 0
    held = SearchConfig.from_file(Path("runs/again/search.json"))
    assert (held.seed, held.base.training.seed) == (3, 3)
    edgeecg.search(config="s.json", seed=4, name="more")
    assert SearchConfig.from_file(Path("runs/more/search.json")).seed == 4


def test_a_database_without_its_driver_is_said_to_lack_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend(monkeypatch, complete)
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    options = ("--data", "synthetic", "--storage", "postgresql://me@host/optuna")
    assert run(["search", "cnn1d", *options]) == 1
    assert "Install the driver" in capsys.readouterr().err


def test_a_damaged_journal_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend(monkeypatch, complete)
    searched()
    Path("runs/S/optuna.jsonl").write_text("5\n", encoding="utf-8")
    assert run(["search", "--resume", "S"]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "optuna.jsonl' is damaged" in said
    assert "--storage" not in said


def test_gpus_are_of_a_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["search", "cnn1d", "--data", "synthetic", "--gpus", "0.5"]) == 2
    assert "--gpus cannot be used without --ray" in capsys.readouterr().err
