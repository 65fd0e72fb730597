"""The experiment that compares searches: what a row keeps, and that one is gone on with."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from harness import experiment, rows, runner
from harness.experiment import Context
from harness.kinds import search as kind
from harness.provenance import KEYS
from harness.results import Results
from harness.runner import Outcome, Plan
from harness.tables import fronts, search as tables

from edgeecg.runs import RunFolder
from edgeecg.schema import Front
from edgeecg.schema.search import Range, SearchTrial
from edgeecg.tuning import space as spaces

FRONT = Front(
    name="S",
    model="cnn1d",
    data="mitdb",
    objectives=("macro_f1", "energy"),
    trials=(
        SearchTrial(run="S-000", values=(0.9, 0.5), state="complete", seconds=2.0, test=0.7),
        SearchTrial(run="S-001", values=(0.8, 0.6), state="complete", seconds=3.0),
        SearchTrial(run="S-002", values=None, state="pruned", seconds=1.0),
    ),
    front=("S-000",),
    finished=True,
)
EPOCHS = {"S-000": 4, "S-001": 3}


def test_a_row_keeps_the_front_with_its_test_scores_and_the_hypervolume() -> None:
    row = kind.row(FRONT, (0.5, 1.0), EPOCHS)
    # One rectangle: score 0.5 to 0.9, energy 0.5 to 1.0.
    assert row["hypervolume"] == pytest.approx(0.4 * 0.5)
    assert row["front"] == [{"values": (0.9, 0.5), "test": 0.7}]
    assert row["completed"] == [
        {"values": (0.9, 0.5), "epochs": 4},
        {"values": (0.8, 0.6), "epochs": 3},
    ]
    assert (row["trials"], row["complete"], row["pruned"], row["failed"]) == (3, 2, 1, 0)
    assert row["seconds"] == 6.0


def test_every_model_sampler_and_seed_is_a_task() -> None:
    keys = [task.key for task in kind.tasks(experiment.load("search"), Context())]
    assert len(keys) == 2 * 2 * 3
    assert {"model": "resnet1d_attn", "sampler": "random", "seed": 2} in keys


def test_a_search_that_was_begun_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def search(*_: object, **options: Any) -> Front:
        asked.append(options)
        return FRONT

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(kind, "search", search)
    folder = Path("runs/search-cnn1d-tpe-0")
    folder.mkdir(parents=True)
    (folder / "search.json").write_text("{}")
    found = experiment.load("search")
    kind.searched(found.run("cnn1d, TPE"), 0, found.settings, Context())
    assert asked == [{"resume": "search-cnn1d-tpe-0", "minutes": None}]


def test_a_search_whose_time_is_over_is_left_for_the_next_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    minutes: list[float] = []
    ended = iter([FRONT.model_copy(update={"finished": False}), FRONT])

    def search(*_: object, **options: Any) -> Front:
        minutes.append(options["minutes"])
        return next(ended)

    def epochs(run: RunFolder) -> int:
        return EPOCHS[run.name]

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(kind, "search", search)
    monkeypatch.setattr(kind, "fine_tuning_epochs", epochs)
    for name in ("search-cnn1d-tpe-0", "search-cnn1d-random-0"):
        folder = Path("runs") / name
        folder.mkdir(parents=True)
        (folder / "search.json").write_text("{}")
    small = experiment.load("search").quickly()
    hour = time.monotonic() + 3600
    found = runner.perform(small, Context(), Plan(until_s=hour, results=tmp_path))
    assert found == Outcome(1, 0, 1)
    assert not (tmp_path / "search.jsonl").exists()
    assert minutes[0] == pytest.approx(60, abs=1)
    assert runner.perform(small, Context(), Plan(until_s=hour, results=tmp_path)).measured == 1
    assert rows.read(tmp_path / "search.jsonl")[0]["trials"] == 3


def search_row(
    sampler: str, seed: int, volume: float, features: Sequence[str] = ("avx2",)
) -> dict[str, Any]:
    """Return the row of a search of ``cnn1d``, on a processor with these extensions."""
    provenance = dict.fromkeys(KEYS, "x") | {"dirty": False, "versions": {"optuna": "4"}}
    return {
        **{"model": "cnn1d", "sampler": sampler, "seed": seed},
        **kind.row(FRONT, (0.5, 1.0), EPOCHS),
        **{"hypervolume": volume, **provenance, "cpu_features": list(features)},
    }


def made(volumes: dict[str, list[float]]) -> str:
    """Return the table of these hypervolumes of ``cnn1d``, by sampler, a value for each seed."""
    kept = [
        search_row(sampler, seed, value)
        for sampler, values in volumes.items()
        for seed, value in enumerate(values)
    ]
    return tables.samplers(Results(experiment.load("search"), kept, Path()))


def test_the_table_says_which_sampler_found_more_or_that_it_is_not_resolved() -> None:
    # Differences 0.02, 0.04, 0.03: mean 0.03, deviation 0.01; t of two degrees of freedom is 4.303,
    # so that the interval is 0.03 +- 4.303 * 0.01 / sqrt(3) = 0.03 +- 0.0248.
    found = made({"tpe": [0.12, 0.24, 0.33], "random": [0.10, 0.20, 0.30]})
    assert "| TPE | 3 | 6, 3, 0 | 0.2300 ± 0.1054 | +0.0300 ± 0.0248 | better |" in found
    assert "| random | 3 | 6, 3, 0 | 0.2000 ± 0.1000 | - | - |" in found
    assert "Still to be run: resnet1d_attn, TPE (seed 0)" in found
    assert "cnn1d, random (seed" not in found
    found = made({"tpe": [0.12, 0.24, 0.23], "random": [0.10, 0.20, 0.30]})
    assert "| not resolved |" in found
    found = made({"tpe": [0.12], "random": [0.20]})
    assert "| 0.1200 | -0.0800 | not resolved |" in found
    found = made({"tpe": [0.10, 0.20, 0.30], "random": [0.12, 0.24, 0.33]})
    assert "| -0.0300 ± 0.0248 | worse |" in found


def test_searches_of_other_dense_models_are_not_paired() -> None:
    kept = [search_row("tpe", 0, 0.12, ["avx2"]), search_row("random", 0, 0.20, ["avx512f"])]
    found = tables.samplers(Results(experiment.load("search"), kept, Path()))
    assert "| TPE | 1 | 2, 1, 0 | 0.1200 | - | - |" in found
    assert "Machine: x, x with and without AVX-512." in found
    kept.append(search_row("random", 0, 0.21, ["avx2"]))
    found = tables.samplers(Results(experiment.load("search"), kept, Path()))
    assert "| 0.1200 | -0.0900 | not resolved |" in found


def trial(values: tuple[float, float], epochs: int, quantize: str = "none") -> dict[str, Any]:
    """Return a complete trial, as a row keeps it; its settings would have given more epochs."""
    settings = {"steps": 5, "finetune_epochs": 4, "quantize": quantize}
    return {"values": values, "epochs": epochs, **settings}


SEARCHED = {
    "objectives": ["macro_f1", "energy"],
    "reference": [0.5, 1.0],
    "completed": [
        trial((0.72, 0.5), 4),
        trial((0.70, 0.25), 3),
        trial((0.71, 0.6), 2),
        trial((0.74, 0.1), 2, "ptq"),
        trial((0.75, 0.2), 21),
    ],
}
COMPRESSED = {
    "steps": [
        {"val": 0.71, "proxy_executed": 0.55, "train_loss": [0.1] * 2},
        {"val": 0.69, "proxy_executed": 0.3, "train_loss": [0.1] * 2},
        {"val": 0.60, "proxy_executed": 0.2, "train_loss": [0.1] * 20},
    ],
}


def test_steps_and_trials_are_compared_only_at_as_many_epochs() -> None:
    found = fronts.compared(SEARCHED, COMPRESSED, most_epochs=20)
    # The trial at 0.5 beats the first step, but after 4 epochs instead of 2. The one at 0.25 beats
    # the second step, of 2 + 2 epochs. The one at 0.6 has the epochs of the first step, and loses
    # in energy. The third step was fine-tuned for longer than any trial may be.
    assert [step.epochs for step in found.steps] == [2, 4]
    assert found.beaten_steps() == 1
    assert [model.values for model in found.front()] == [(0.72, 0.5), (0.70, 0.25)]
    assert found.beaten_trials() == 0
    worse = (fronts.Fitted((0.70, 0.56), epochs=2), fronts.Fitted((0.65, 0.4), epochs=3))
    assert dataclasses.replace(found, trials=worse).beaten_trials() == 1
    # 0.2 * (1 - 0.25) and the trial's 0.02 more, from 0.5 on.
    assert found.volume(found.trials) == pytest.approx(0.2 * 0.75 + 0.02 * 0.5)
    assert found.volume(found.steps) == pytest.approx(0.19 * 0.7 + 0.02 * 0.45)


def test_no_trial_of_the_default_space_is_fine_tuned_for_longer_than_the_steps() -> None:
    space = spaces.read(spaces.DEFAULT)
    assert isinstance(space.steps, Range)
    assert isinstance(space.finetune_epochs, Range)
    most = space.steps.high * space.finetune_epochs.high
    assert experiment.load("search").settings["most_epochs"] == most


def test_the_table_of_fronts_has_a_line_for_every_finished_search(tmp_path: Path) -> None:
    search = experiment.load("search")
    cell = experiment.load("search_steps").run("energy-aware").cell
    provenance = dict.fromkeys(KEYS, "x") | {"dirty": False, "versions": {"optuna": "4"}}
    key = {"model": "resnet1d_attn", "sampler": "tpe", "seed": 1}
    kept = [{**key, **SEARCHED, **provenance}, {**key, "seed": 2, **SEARCHED, **provenance}]
    compression = {"what": "model", "cell": cell, "seed": 1, **COMPRESSED, **provenance}
    rows.append(tmp_path / "search_steps.jsonl", [compression])
    found = fronts.fronts(Results(search, kept, tmp_path))
    line = "| `resnet1d_attn` | TPE | 1 | 3 | 2 | 1 | 2 | 0 | 0.1420 | 0.1600 | +0.0180 |"
    assert line in found.splitlines()
    assert "| random |" not in found
    # No compression of the second seed is stored.
    assert "Without resnet1d_attn, TPE (seed 2): no compression of the same dense model" in found


def test_a_front_is_compared_with_a_compression_of_the_same_kind_of_processor(
    tmp_path: Path,
) -> None:
    cell = experiment.load("search_steps").run("energy-aware").cell
    provenance = dict.fromkeys(KEYS, "x") | {"dirty": False, "versions": {"optuna": "4"}}
    compression = {"what": "model", "cell": cell, "seed": 1, **COMPRESSED, **provenance}
    rows.append(tmp_path / "search_steps.jsonl", [compression | {"cpu_features": ["avx512f"]}])
    key = {"model": "resnet1d_attn", "sampler": "tpe", "seed": 1}
    older = {**key, **SEARCHED, **provenance, "cpu_features": ["avx512f"]}
    newer = {**older, "cpu_features": ["avx2"], "completed": SEARCHED["completed"][:1]}
    search = experiment.load("search")
    found = fronts.fronts(Results(search, [older, newer], tmp_path))
    assert "| `resnet1d_attn` | TPE | 1 | 3 | 2 |" in found
    assert "Without" not in found
    found = fronts.fronts(Results(search, [newer], tmp_path))
    assert "| `resnet1d_attn` |" not in found
    assert "Without resnet1d_attn, TPE (seed 1)" in found
