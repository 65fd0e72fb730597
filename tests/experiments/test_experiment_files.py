"""Experiment files: those of the repository can be run, and mistakes in one are named."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
from harness import experiment, render
from harness.experiment import Context, Experiment, Run

from edgeecg.compression.pipeline import planned
from edgeecg.errors import SchemaError, UnknownNameError
from edgeecg.schema import Budget, CompressionConfig, TrainingConfig

NAMES = experiment.names()
RUNS = [
    pytest.param(run, id=f"{name}, {run.label}")
    for name in NAMES
    for run in experiment.load(name).runs
    if experiment.load(name).kind == "compression" and run.of is None
]


def written(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(f'title = "Mine"\nkind = "compression"\n{text}', encoding="utf-8")
    return str(path)


def read(folder: Path, text: str) -> Experiment:
    return experiment.checked(experiment.load(written(folder, text)))


@pytest.mark.parametrize("name", NAMES)
def test_every_experiment_has_a_kind_and_tables_that_exist(name: str) -> None:
    found = experiment.checked(experiment.load(name))
    assert callable(experiment.kind(found.kind).tasks)
    for table in found.tables:
        module, _, function = table.made_by.partition(":")
        assert callable(getattr(importlib.import_module(f"harness.tables.{module}"), function))
        assert [each.name for each in render.needed(found, table)] == [name, *table.also]
    assert found.quickly().seeds == found.seeds[:1]


@pytest.mark.parametrize("name", NAMES)
def test_runs_of_other_experiments_exist(name: str) -> None:
    for run in experiment.load(name).runs:
        if run.of is not None:
            owner, _, label = run.of.partition(": ")
            assert experiment.load(owner).run(label).of is None


@pytest.mark.parametrize("run", RUNS)
def test_every_run_can_be_compressed_so(run: Run) -> None:
    options = {**run.options}
    options["budgets"] = [Budget.parse(each) for each in options.pop("budgets", ())]
    config = CompressionConfig(training=TrainingConfig(model=run.model or ""), **options)
    assert planned(config).steps >= 1
    assert len(run.cell) < 200


def test_markers_and_labels_are_used_once() -> None:
    found = [experiment.load(name) for name in NAMES]
    markers = [table.marker for each in found for table in each.tables]
    assert len(set(markers)) == len(markers)
    for each in found:
        labels = [run.label for run in each.runs]
        assert len(set(labels)) == len(labels)


def test_a_file_of_ones_own_is_read(tmp_path: Path) -> None:
    text = '[[run]]\nlabel = "half"\nmodel = "cnn1d"\noptions = { budgets = ["energy=0.5"] }\n'
    found = read(tmp_path, text)
    assert found.name == "mine"
    assert found.seeds == (0, 1, 2)
    assert found.run("half").cell == "cnn1d_budgets=energy=0.5"


def test_an_unknown_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"run\.0\.colour"):
        experiment.load(written(tmp_path, '[[run]]\nlabel = "a"\ncolour = "red"\n'))


def test_an_unknown_model_is_named_with_those_that_exist(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"'cnn1f'.*Did you mean 'cnn1d'"):
        read(tmp_path, '[[run]]\nlabel = "a"\nmodel = "cnn1f"\n')


def test_an_unknown_kind_is_named_with_those_that_exist(tmp_path: Path) -> None:
    path = Path(written(tmp_path, ""))
    path.write_text('title = "Mine"\nkind = "compresion"\n', encoding="utf-8")
    with pytest.raises(UnknownNameError, match="Did you mean 'compression'"):
        experiment.checked(experiment.load(str(path)))


def test_text_that_is_not_toml_is_refused_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="line 4"):
        experiment.load(written(tmp_path, "seeds = [0]\nseeds\n"))


def test_an_unknown_experiment_or_run_is_named() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'methods'"):
        experiment.load("method")
    with pytest.raises(UnknownNameError, match="no run named 'x'"):
        experiment.load("methods").run("x")


def test_quick_takes_few_runs_and_small_settings() -> None:
    found = Experiment.from_document(
        {
            "name": "a",
            "title": "A",
            "kind": "compression",
            "settings": {"rounds": 15, "budget": "energy=0.3"},
            "run": [{"label": "one"}, {"label": "two"}],
            "quick": {"runs": ["two"], "settings": {"rounds": 1}},
        },
        "a.toml",
    ).quickly()
    assert [run.label for run in found.runs] == ["two"]
    assert found.settings == {"rounds": 1, "budget": "energy=0.3"}


def test_the_example_of_the_readme_can_be_run(tmp_path: Path) -> None:
    readme = (experiment.BENCHMARKS / "README.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"^```toml\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    found = experiment.checked(experiment.load(str(path)))
    assert [run.cell for run in found.runs] == [
        "cnn1d_budgets=energy=0.2",
        "cnn1d_budgets=energy=0.5",
    ]
    tasks = list(experiment.kind(found.kind).tasks(found, Context()))
    # A model and its times, for two runs and three seeds.
    assert len(tasks) == 2 * 2 * 3
