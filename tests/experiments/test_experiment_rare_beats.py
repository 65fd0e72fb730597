"""The experiment on rare beats: signals of every step, rank correlations, losses by budget."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from harness import rare_figure, rare_losses, rows
from harness.experiment import Experiment, load
from harness.kinds import rare_beats as kind
from harness.results import Results, stored
from harness.tables import rare
from numpy.typing import NDArray
from scipy.stats import spearmanr

from edgeecg.compression.pipeline import Job
from edgeecg.data import Dataset
from edgeecg.models import architecture, build
from edgeecg.runs import RunFolder
from edgeecg.schema import CompressionConfig, Fidelity, FidelityShare, ModelCard
from edgeecg.training.cards import make_card, save_model

SIGNALS = ("fidelity, wide, S", "macro-F1, validation")


def experiment() -> Experiment:
    return Experiment.from_document(
        {
            "name": "rare_beats",
            "title": "Rare beats",
            "kind": "rare_beats",
            "seeds": [0, 1],
            "settings": {"budgets": [0.5, 0.1]},
            "run": [
                {"label": "one", "model": "cnn1d", "options": {"method": "l1"}},
                {"label": "two", "model": "cnn1d", "options": {"method": "random"}},
            ],
        },
        "test",
    )


def row(label: str, seed: int, steps: list[tuple[float, float, float]]) -> dict[str, Any]:
    """Return a row of steps (proxy, signal, loss)."""
    return {
        "what": "model",
        "cell": experiment().run(label).cell,
        "seed": seed,
        "steps": [{"step": k, "proxy_executed": at} for k, (at, _, _) in enumerate(steps, 1)],
        "test_of_steps": {
            str(k): {
                "signals": {"fidelity, wide, S": signal, "macro-F1, validation": 0.1 * k},
                "lost": {"recall of S": loss, "macro-F1": loss / 2, "fidelity of S": loss},
            }
            for k, (_, signal, loss) in enumerate(steps, 1)
        },
        "machine": "here",
        "git_revision": "abc",
        "dirty": False,
        "versions": {"torch": "2"},
    }


def results(folder: Path = Path()) -> Results:
    held = [
        row("one", 0, [(0.5, 0.01, 0.02), (0.1, 0.05, 0.10)]),
        row("one", 1, [(0.48, 0.02, 0.04), (0.11, 0.03, 0.06)]),
        row("two", 0, [(0.5, 0.03, 0.07), (0.2, 0.09, 0.30)]),
    ]
    return Results(experiment(), held, folder)


def scipy_rho(x: Sequence[float] | NDArray[np.float64], y: Any) -> float:
    found: Any = spearmanr(x, y)
    return float(found.statistic)


def test_rank_correlations_are_those_of_scipy_and_the_highest_is_first() -> None:
    found = rare_losses.points(results())
    ranked = rare_losses.correlations(found, "recall of S")
    signal = [point.signals["fidelity, wide, S"] for point in found]
    loss = [point.lost["recall of S"] for point in found]
    assert [each.signal for each in ranked] == list(SIGNALS)
    assert ranked[0].rho == pytest.approx(scipy_rho(signal, loss))
    low, high = ranked[0].ci95 or (1.0, 0.0)
    assert low <= ranked[0].rho <= high


def test_a_resample_has_the_rank_correlation_of_its_repeated_points() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 4, 9).astype(float), rng.normal(size=9)
    counts = rng.multinomial(9, np.full(9, 1 / 9), size=20)
    expected = [scipy_rho(np.repeat(x, each), np.repeat(y, each)) for each in counts]
    assert rare_losses.resampled(x, y, counts) == pytest.approx(np.array(expected))
    one_point = np.array([[9, *[0] * 8]])
    assert np.isnan(rare_losses.resampled(x, y, one_point)).all()


def test_an_interval_needs_three_runs() -> None:
    found = [point for point in rare_losses.points(results()) if point.label == "one"]
    assert [each.ci95 for each in rare_losses.correlations(found, "macro-F1")] == [None, None]


def test_a_model_stands_only_for_a_budget_that_it_is_near_to() -> None:
    found = rare_losses.points(results())
    assert [point.proxy for point in rare_losses.nearest(found, "one", 0.5)] == [0.5, 0.48]
    # 0.2 is twice the budget.
    assert rare_losses.nearest(found, "two", 0.1) == []
    mean = rare_losses.lost(rare_losses.nearest(found, "one", 0.1), "recall of S")
    assert mean["mean"] == pytest.approx(0.08)
    assert mean["std"] == pytest.approx(0.04 / math.sqrt(2))


def test_the_tables_name_what_is_missing() -> None:
    table = rare.variants(results())
    assert "| one | 0.5 | 0.490 | 0, 1 | +0.030 ± 0.014 | +0.015 ± 0.007 |" in table
    assert "| two | 0.5 | 0.500 | 0 | +0.070 |" in table
    assert "| two | 0.1 |" not in table
    assert "Seeds still to be run: two." in table
    ranked = rare.signals(results())
    assert "over 6 models of 3 runs" in ranked
    assert ranked.splitlines()[2].startswith("| fidelity, wide, S | 0.99 |")


def test_choices_of_channels_are_compared_seed_by_seed_with_the_first() -> None:
    table = rare.over_budgets(results())
    # Seed 0 alone has both: 0.07 - 0.02.
    assert "| 0.5 | one | 0.490 | 0, 1 | +0.030 ± 0.014 |" in table
    two = "| 0.5 | two | 0.500 | 0 | +0.070 | +0.035 | +0.070 | +0.030 |"
    assert f"{two} +0.050 | +0.025 |" in table
    assert "| 0.1 | two |" not in table
    assert "recall of S: more than one" in table
    of_two_seeds = rare_losses.points(results())[:4]
    none = rare_losses.lost_more(of_two_seeds[:2], [], "macro-F1")
    assert none is None


def test_the_page_names_differences_that_the_rows_have() -> None:
    root = Path(__file__).parents[2]
    table = rare.over_budgets(stored(load("methods_over_budgets"), root / "benchmarks/results"))
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    found = {(row[0], row[1]): row[-2:] for row in rows if len(row) == 10}
    assert found["0.08", "taylor"][0] == "-0.071 ± 0.031"
    assert found["0.04", "taylor"][0] == "+0.071 ± 0.105"
    assert found["0.04", "l1"][1] == "+0.017 ± 0.016"
    assert found["0.04", "random"][1] == "+0.018 ± 0.004"
    page = " ".join((root / "docs/compression.md").read_text(encoding="utf-8").split())
    assert (
        "keeps 0.071 ± 0.031 more of the recall of S; at 0.04 it keeps 0.071 ± 0.105 less" in page
    )
    assert "lose 0.017 ± 0.016 and 0.018 ± 0.004 more of macro-F1" in page


def test_the_figure_is_drawn_of_stored_rows(tmp_path: Path) -> None:
    assert rare_figure.draw(tmp_path) is None
    assert rare_figure.draw_losses(tmp_path) is None
    body = 'title = "T"\nkind = "rare_beats"\nseeds = [0, 1]\n[settings]\nbudgets = [0.5, 0.1]\n'
    body += '[[run]]\nlabel = "one"\nmodel = "cnn1d"\noptions = { method = "l1" }\n'
    (tmp_path / "rare_beats.toml").write_text(body)
    rows.append(tmp_path / "rare_beats.jsonl", results().rows)
    drawn = rare_figure.draw(tmp_path, experiments=tmp_path)
    assert drawn is not None
    assert b"rank correlation 1.00" in drawn
    losses = rare_figure.draw_losses(tmp_path, "rare_beats", tmp_path) or b""
    assert b"one (seeds 0, 1)" in losses
    assert b"rank correlation" not in losses


def test_the_figure_has_lines_of_the_runs_that_are_named(tmp_path: Path) -> None:
    body = 'title = "T"\nkind = "rare_beats"\nseeds = [0, 1]\n[settings]\nbudgets = [0.5, 0.1]\n'
    runs = [
        f'[[run]]\nlabel = "{label}"\nmodel = "cnn1d"\noptions = {{ method = "{method}" }}\n'
        for label, method in (("one", "l1"), ("two", "random"))
    ]
    rows.append(tmp_path / "rare_beats.jsonl", results().rows)
    for setting, named in (("", ("one", "two")), ('drawn = ["two", "absent"]\n', ("two",))):
        (tmp_path / "rare_beats.toml").write_text(body + setting + "".join(runs))
        text = (rare_figure.draw(tmp_path, experiments=tmp_path) or b"").decode()
        assert [each for each in ("one", "two") if f"{each} (seeds " in text] == list(named)


def test_what_a_fidelity_lacks_is_a_signal() -> None:
    share = FidelityShare(n=20, fidelity=0.75)
    most, nothing = FidelityShare(n=80, fidelity=0.95), FidelityShare(n=0, fidelity=None)
    found = Fidelity(
        split="val",
        overall=most,
        per_class={"N": most, "S": share, "V": nothing},
        per_record={"a": FidelityShare(n=50, fidelity=0.9), "b": most},
    )
    assert kind.lost("here", found) == pytest.approx(
        {
            "fidelity, here, S": 0.25,
            "fidelity, here, worst class": 0.25,
            "fidelity, here, all beats": 0.05,
            "fidelity, here, worst record": 0.1,
        }
    )


def test_signals_are_0_for_the_dense_model_and_come_from_no_test_record(
    toy_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The recorded noise is not there for synthetic records.
    monkeypatch.setattr(kind, "AUGMENTED", {"as in training": None})
    dense = build("cnn1d").eval()
    run = RunFolder(tmp_path / "run")
    recipe = architecture("cnn1d").RECIPE.model_copy(update={"epoch_windows": 256})
    card: ModelCard = make_card(dense, "baseline", recipe, toy_dataset, 1)
    save_model(dense, card, run.baseline_weights, run.baseline_card)
    job = Job(CompressionConfig(training=recipe), toy_dataset, run, "test")
    score = kind.Signals()
    same = score(dense, job, toy_dataset)
    assert set(same["lost"]) == set(rare_losses.LOSSES)
    assert {value for value in same["signals"].values() if value} == set()
    assert same["lost"]["recall of S"] == same["lost"]["macro-F1"] == 0
    turned = copy.deepcopy(dense)
    with torch.no_grad():
        # Its largest logit is the dense model's smallest.
        for parameter in turned.get_submodule("head").parameters():
            parameter.neg_()
    other = score(turned, job, toy_dataset)
    assert other["signals"]["fidelity, between patients, all beats"] == 1
    assert not any("test" in name for name in other["signals"])
    test = set(np.unique(toy_dataset.test.record))
    for name, place in kind.probes(dense, toy_dataset, card).items():
        assert (not test & set(np.unique(place.record))) == (name != "test")


def test_a_run_from_the_package_is_another_cell_than_one_from_its_own_model() -> None:
    own = experiment().run("one")
    assert own.model_copy(update={"dense": "package"}).cell == "cnn1d_package_method=l1"
