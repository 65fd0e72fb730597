"""The study proposes the same trials again after any interruption."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState
from small_searches import small_config

from edgeecg.errors import EdgeECGError, UsageError
from edgeecg.schema.search import Range, Sampler, SearchConfig
from edgeecg.tuning import study as studies
from edgeecg.tuning.study import Study


def end(study: Study, number: int) -> None:
    """End a trial with values that follow from its parameters, every fifth without."""
    params = study.trials[number].params
    if number % 5 == 4:
        study.prune(number, "for the test", 1.0)
    else:
        study.complete(number, (params["budget"] ** 0.5, params["budget"]), 1.0)


def proposed(study: Study, until: int) -> list[dict[str, Any]]:
    while len(study.trials) < until:
        end(study, study.propose().number)
    return [study.chosen(trial.number) for trial in study.trials]


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_a_study_that_was_interrupted_proposes_what_it_would_have(
    sampler: Sampler, tmp_path: Path
) -> None:
    config = small_config(tmp_path, sampler=sampler)
    whole = proposed(Study("S", tmp_path / "whole", config), 14)
    folder = tmp_path / "cut"
    proposed(Study("S", folder, config), 12)
    again = Study("S", folder, config)
    # A kill between two draws: the trial has one parameter only.
    half = again._study.ask()  # pyright: ignore[reportPrivateUsage]
    half.suggest_float("budget", 0.3, 0.7)
    assert list(again.trials[12].params) == ["budget"]
    last = Study("S", folder, config)
    assert [trial.number for trial in last.unfinished()] == [12]
    last.completed_draws(12)
    end(last, 12)
    assert proposed(last, 14) == whole
    # The sampler has learned from the first ten: it is no random search.
    random = small_config(tmp_path, sampler="random")
    assert proposed(Study("S", tmp_path / "random", random), 14)[12:] != whole[12:]


def test_the_lock_that_a_killed_search_left_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = small_config(tmp_path)
    folder = Path("runs/S")
    Study("S", folder, config).propose()
    # Optuna's lock is a link to the journal, as whoever made it named the journal.
    lock = folder / "optuna.jsonl.lock"
    lock.symlink_to("runs/S/optuna.jsonl")
    again = Study("S", folder, config)
    again.propose()
    assert len(again.trials) == 2
    assert not lock.is_symlink()


def test_the_lock_of_the_journal_is_a_link_to_a_file_that_exists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    links: list[Path] = []

    def link(target: str, place: str) -> None:
        links.append(Path(place).parent / target)
        made(target, place)

    made = os.symlink
    monkeypatch.setattr(os, "symlink", link)
    Study("S", Path("runs/S"), small_config(tmp_path)).propose()
    assert links
    assert all(each.is_file() for each in links)


def test_an_ended_trial_keeps_its_reason_and_its_time(tmp_path: Path) -> None:
    study = Study("S", tmp_path, small_config(tmp_path))
    study.fail(study.propose().number, "The loss is not finite.", 2.5)
    trial = Study("S", tmp_path, small_config(tmp_path)).trials[0]
    assert studies.reason_of(trial) == "The loss is not finite."
    assert studies.seconds_of(trial) == 2.5
    assert not study.unfinished()
    study.prune(study.propose().number, "A finished trial is better.", 1.5)
    # As earlier versions kept a failed trial.
    study._study.tell(study.propose().number, state=TrialState.FAIL)  # pyright: ignore[reportPrivateUsage]
    assert [studies.state_of(each) for each in study.trials] == ["failed", "pruned", "failed"]


def failures(sampler: Sampler, seed: int, folder: Path) -> int:
    """Return how many trials fail after the random ones where those with a high rate do."""
    config = small_config(folder, sampler=sampler).model_copy(update={"seed": seed})
    study = Study("S", folder / f"{sampler}{seed}", config)
    while len(study.trials) < studies.STARTUP + 20:
        number = study.propose().number
        params = study.trials[number].params
        if params["finetune_rate"] > 0.001:
            study.fail(number, "The loss is not finite.", 1.0)
        else:
            study.complete(number, (params["budget"] ** 0.5, params["budget"]), 1.0)
    ends = [studies.state_of(trial) for trial in study.trials]
    assert set(ends) == {"complete", "failed"}
    return ends[studies.STARTUP :].count("failed")


@pytest.mark.system
def test_settings_that_fail_are_avoided(tmp_path: Path) -> None:
    samplers: tuple[Sampler, ...] = ("tpe", "random")
    tpe, random = (
        sum(failures(sampler, seed, tmp_path) for seed in range(5)) for sampler in samplers
    )
    assert 35 <= random <= 65  # half of the range of the rate, on its logarithmic scale
    assert tpe < random / 2


def other_space(config: SearchConfig) -> SearchConfig:
    other = config.space.model_copy(update={"alpha": Range(low=0.4, high=0.5)})
    return config.model_copy(update={"space": other})


def other_records(config: SearchConfig) -> SearchConfig:
    return config.model_copy(update={"data_sha256": "1" * 64})


def other_objectives(config: SearchConfig) -> SearchConfig:
    return config.model_copy(update={"objectives": ("macro_f1", "size")})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (other_space, "another 'space'"),
        (other_records, "other records"),
        (other_objectives, "'objectives'"),
    ],
)
def test_a_study_of_something_else_is_refused(
    change: Callable[[SearchConfig], SearchConfig], said: str, tmp_path: Path
) -> None:
    config = small_config(tmp_path)
    Study("S", tmp_path, config)
    with pytest.raises(UsageError) as raised:
        Study("S", tmp_path, change(config))
    assert said in str(raised.value)
    Study("S", tmp_path, config.model_copy(update={"trials": 99}))


def test_a_study_can_live_in_a_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    config = small_config(tmp_path).model_copy(update={"storage": url})
    study = Study("S", tmp_path / "a", config)
    assert proposed(study, 2) == proposed(Study("S", tmp_path / "b", config), 2)
    with pytest.raises(UsageError, match="another 'space'"):
        Study("S", tmp_path, other_space(config))


def test_a_database_that_is_not_there_is_explained(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/none/study.db"
    config = small_config(tmp_path).model_copy(update={"storage": url})
    with pytest.raises(EdgeECGError, match="cannot be opened"):
        Study("S", tmp_path, config)
