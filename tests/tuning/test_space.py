"""The space of a search: what it refuses, and what a choice becomes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_searches import small_space

from edgeecg.compression.settings import configuration
from edgeecg.errors import UsageError
from edgeecg.runs.options import Options
from edgeecg.schema import Budget, CompressionConfig, Space
from edgeecg.tuning import space


def base(model: str = "cnn1d") -> CompressionConfig:
    return configuration(Options({"training": {"model": model, "data": "synthetic"}}))[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("budgett = { low = 0.2, high = 0.5 }", "Did you mean 'budget'?"),
        ("alpha = { low = 0.9, high = 0.1 }", "The range is empty: 0.9 is above 0.1"),
        ("budget = { low = 0.7, high = 0.2 }", "The range is empty: 0.7 is above 0.2"),
        ("method = []", "The list is empty"),
        ("budget = { low = 0.2, high = 2 }", "above 0 and below 1"),
        ("alpha = { low = 0.0, high = 1.0, log = true }", "starts above 0"),
        ("alpha = { low = 0.0, high = 1.0, lg = true }", "'lg'"),
        ("alpha = { low = 0.0, high = 2.0 }", "less than or equal to 1"),
        ("steps = { low = 1, high = 5 }", "The setting is a whole number"),
        ("steps = { low = 0.5, high = 3 }", "steps = { low = 1, high = 3, whole = true }"),
        ("distill = { low = 0, high = 1 }", "distill = [true, false]"),
        ("method = { low = 0, high = 1 }", "The setting is not a number"),
        ('method = ["energy", "l3"]', "cannot be 'l3'"),
        ("method =", "not valid TOML"),
    ],
)
def test_a_space_that_cannot_be_is_refused(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as raised:
        space.read(path)
    assert said in str(raised.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.toml' cannot be read"):
        space.read(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"budget": {"low": 0.3, "high": 0.5}, "sparsity": 0.5}, "contradict each other"),
        ({"budget": {"low": 0.01, "high": 0.5}}, "The smallest reachable is --budget energy="),
        ({"budget": {"low": 0.3, "high": 0.5}, "structure": ["none"]}, "contradict each other"),
        ({"budget": {"kind": "latency", "low": 0.3, "high": 0.5}}, "needs the seconds"),
        ({"sparsity": [0.5, 0.99], "structure": "none"}, "sparsity 0.99 is out of reach"),
    ],
)
def test_a_space_that_cannot_be_compressed_is_refused_before_any_trial(
    document: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError) as raised:
        space.check(base(), Space.model_validate(document))
    assert said in str(raised.value)


@pytest.mark.parametrize(("name", "value"), [("steps", 7), ("sparsity", 0.5)])
def test_what_follows_from_a_budget_of_the_space_is_refused_for_all_trials(
    name: str, value: float
) -> None:
    shared = base().model_copy(update={name: value})
    drawn = Space.model_validate({"budget": {"low": 0.3, "high": 0.5}})
    with pytest.raises(UsageError, match=f"'{name} = {value:g}' that all trials share"):
        space.check(shared, drawn)


def test_steps_that_all_trials_share_may_be_drawn_instead() -> None:
    shared = base().model_copy(update={"steps": 7})
    drawn = {"budget": {"low": 0.3, "high": 0.5}, "steps": [1, 2]}
    space.check(shared, Space.model_validate(drawn))


def test_a_sparsity_beside_a_budget_that_all_trials_have_is_refused() -> None:
    budgeted = base().model_copy(update={"budgets": (Budget(kind="energy", share=0.5),)})
    with pytest.raises(UsageError, match=r"All trials have the budget 'energy=0\.5'"):
        space.check(budgeted, Space.model_validate({"sparsity": [0.3, 0.5]}))


def test_a_budget_that_all_trials_share_beside_one_of_the_space_is_refused() -> None:
    budgeted = base().model_copy(update={"budgets": (Budget(kind="energy", share=0.3),)})
    with pytest.raises(UsageError, match=r"'energy=0\.3' that all trials share would have no"):
        space.check(budgeted, Space.model_validate({"budget": {"low": 0.3, "high": 0.5}}))
    space.check(budgeted, Space.model_validate({"method": ["energy", "l1"]}))


def test_every_key_of_the_default_is_explained_and_every_corner_can_be_compressed() -> None:
    lines = space.DEFAULT.read_text(encoding="utf-8").splitlines()
    keys = [number for number, line in enumerate(lines) if line and not line.startswith("#")]
    assert len(keys) == len(list(space.dimensions(space.read(space.DEFAULT))))
    assert all(lines[number - 1].startswith("# ") for number in keys)
    space.check(base(), space.read(space.DEFAULT))


def test_a_choice_becomes_the_configuration_that_the_command_line_would_make(
    tmp_path: Path,
) -> None:
    chosen = {"budget": 0.4, "method": "l1", "steps": 3, "finetune_rate": 0.002, "quantize": "ptq"}
    found = space.configured(base(), small_space(tmp_path), chosen)
    assert [str(each) for each in found.budgets] == ["energy=0.4"]
    assert (found.method, found.steps, found.finetune_rate, found.quantize) == (
        *("l1", 3, 0.002),
        "ptq",
    )
    assert found.training == base().training


@pytest.mark.parametrize(
    "chosen",
    [
        {"distill": False},
        {"distill": True},
        {"distill": True, "distill_alpha": 0.6},
        {"finetune_epochs": 3},
        {"finetune_epochs": 3, "distill": False},
    ],
)
@pytest.mark.parametrize("shared", [{}, {"finetune_windows": "training"}, {"distill": False}])
def test_what_is_not_chosen_has_the_defaults_that_compress_has_beside_what_is(
    chosen: dict[str, Any], shared: dict[str, Any]
) -> None:
    training = {"model": "cnn1d", "data": "synthetic"}
    shared_by_all = configuration(Options({"training": training, **shared}))[0]
    found = space.configured(shared_by_all, Space(), chosen)
    assert found == configuration(Options({"training": training, **shared, **chosen}))[0]


@pytest.mark.parametrize(
    ("name", "chosen", "applies"),
    [
        ("alpha", {"method": "l1"}, False),
        ("alpha", {"method": "taylor"}, True),
        ("alpha", {"method": "taylor", "budget": 0.3}, False),
        ("energy_term", {"budget": 0.3}, False),
        ("alpha", {}, True),
        ("temperature", {"distill": False}, False),
        ("finetune_rate", {"distill": False}, True),
    ],
)
def test_what_has_no_effect_is_not_chosen(name: str, chosen: dict[str, Any], applies: bool) -> None:
    assert space.applies(name, base(), chosen) == applies


@pytest.mark.parametrize(
    ("name", "shared"),
    [
        ("alpha", {"method": "l1"}),
        ("alpha", {"budgets": (Budget(kind="energy", share=0.5),)}),
        ("beta", {"schedule": "uniform"}),
    ],
)
def test_what_has_no_effect_beside_what_all_trials_have_is_not_chosen(
    name: str, shared: dict[str, Any]
) -> None:
    assert not space.applies(name, base().model_copy(update=shared), {})
