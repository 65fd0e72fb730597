"""How a run is named, and what the error of a run without a compressed model says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgeecg import runs
from edgeecg.errors import EdgeECGError, UsageError


def made(run: Path, *files: str) -> None:
    """Make a run folder with empty files of these names."""
    run.mkdir(parents=True)
    for name in files:
        (run / name).touch()


@pytest.mark.parametrize(
    ("files", "what", "todo"),
    [
        (["config.json", "log.jsonl"], "is not finished", "edgeecg compress --name R --resume"),
        (["baseline.json", "training.json"], "a dense model only", "edgeecg compress --start R"),
        (
            ["config.json", "baseline.json", "compression.json", "model.safetensors"],
            "a trial of a search, not scored on the test records",
            "edgeecg export --run R",
        ),
        (["search.json"], "is a search", "such as R-000"),
    ],
)
def test_a_run_without_a_compressed_model_is_called_what_it_is(
    files: list[str], what: str, todo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made(tmp_path / "runs" / "R", *files)
    with pytest.raises(EdgeECGError) as raised:
        runs.named("R")
    assert what in raised.value.what
    assert todo in raised.value.todo
    assert ("is not finished" in raised.value.what) == (what == "is not finished")


@pytest.mark.parametrize(
    ("folder", "files", "todo"),
    [
        ("runs", ["config.json"], "cd {0} && edgeecg compress --name 'my run' --resume"),
        ("runs", ["training.json"], "cd {0} && edgeecg train --name 'my run' --resume"),
        ("kept", ["config.json"], "Move it to 'runs/my run' and go on with: edgeecg compress "),
        ("runs", ["baseline.json"], "edgeecg compress --start '{0}/runs/my run'"),
        (
            "runs",
            ["config.json", "compression.json", "model.safetensors"],
            "edgeecg export --run '{0}/runs/my run'",
        ),
        ("runs", ["search.json"], "such as '{0}/runs/my run-000'"),
    ],
)
def test_the_commands_for_a_run_named_by_its_path_find_it(
    folder: str, files: list[str], todo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, here = tmp_path / "other", tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    made(other / folder / "my run", *files)
    with pytest.raises(EdgeECGError) as raised:
        runs.named(str(other / folder / "my run"))
    assert todo.format(other) in raised.value.todo


def test_a_folder_in_which_no_run_was_started_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs" / "killed"
    folder.mkdir(parents=True)
    # What a process leaves that is killed before or while it writes its settings.
    (folder / ".lock").write_text("4711\n")
    (folder / ".config.json.a1b2c3").touch()
    assert runs.new_run("killed", "cnn1d").path == Path("runs/killed")
    (folder / "config.json").touch()
    with pytest.raises(UsageError, match="a run named 'killed' already"):
        runs.new_run("killed", "cnn1d")


@pytest.mark.parametrize(
    ("name", "shown"), [("small", "small"), ("my run", "'my run'"), ("-rf", "runs/-rf")]
)
def test_a_shell_takes_the_name_of_a_run_for_a_name(name: str, shown: str) -> None:
    assert runs.RunFolder(runs.RUNS / name).shell_name == shown


def test_a_command_that_is_advised_is_one_that_a_shell_takes(tmp_path: Path) -> None:
    with pytest.raises(EdgeECGError) as caught:
        runs.trained("my run", tmp_path)
    assert "edgeecg train --name 'my run' (" in caught.value.todo


def test_a_resume_without_a_name_leaves_the_trials_of_searches_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def put(*files: str) -> None:
        for file in files:
            path = runs.RUNS / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    reduced = ("config.json", "compression.json", "model.safetensors")
    put("found/search.json", "found-002/config.json")
    put(*(f"found-003/{file}" for file in reduced))
    with pytest.raises(EdgeECGError, match="nothing to resume"):
        runs.newest_unfinished()
    # Other names, and the name of a trial that is given, are runs as before.
    assert runs.newest_unfinished("found-002").name == "found-002"
    assert runs.newest_unfinished("found-003").name == "found-003"
    # One that was killed while its test records were scored.
    put(*(f"found-0/{file}" for file in reduced))
    assert runs.newest_unfinished().name == "found-0"
    put("other-001/config.json")
    os.utime(runs.RUNS / "other-001" / "config.json", times=(2e9, 2e9))
    assert runs.newest_unfinished().name == "other-001"
