"""The experiment that compares searches: what a row keeps, and that one is gone on with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from harness import experiment
from harness.experiment import Context
from harness.kinds import search as kind

from edgeecg.schema import Front
from edgeecg.schema.search import SearchTrial

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


def test_a_row_keeps_the_front_with_its_test_scores_and_the_hypervolume() -> None:
    row = kind.row(FRONT, (0.5, 1.0))
    # One rectangle: score 0.5 to 0.9, energy 0.5 to 1.0.
    assert row["hypervolume"] == pytest.approx(0.4 * 0.5)
    assert row["front"] == [{"values": (0.9, 0.5), "test": 0.7}]
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
    kind.searched(found.run("cnn1d, TPE"), 0, found.settings, quick=False)
    assert asked == [{"resume": "search-cnn1d-tpe-0"}]
