"""The table of a search's best setting beside the defaults of ``compress``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness import experiment
from harness.provenance import KEYS
from harness.results import Results
from harness.tables import search_defaults

from edgeecg.compression import settings

FOUND = experiment.load("search_defaults")
PROVENANCE = dict.fromkeys(KEYS, "x") | {"dirty": False, "versions": {"torch": "2"}}


def row(label: str, seed: int, validation: float, epochs: tuple[int, ...]) -> dict[str, Any]:
    return {
        "what": "model",
        "cell": FOUND.run(label).cell,
        "seed": seed,
        "config": {"method": "energy" if label == "defaults" else "taylor", "steps": 4},
        "steps": [{"train_loss": [0.1] * each} for each in epochs],
        "val": {"macro_f1": validation},
        "test": {"macro_f1": 0.8},
        "fidelity": {"overall": {"fidelity": 0.99}},
        **PROVENANCE,
    }


def made(best: tuple[float, float, float]) -> str:
    """Return the table where the defaults have 0.70, 0.71 and 0.72 on validation."""
    kept = [row("defaults", seed, 0.70 + seed / 100, (4, 20)) for seed in range(3)]
    kept += [
        row("best setting of the search", seed, value, (4, 4)) for seed, value in enumerate(best)
    ]
    return search_defaults.table(Results(FOUND, kept, Path()))


def test_a_setting_is_better_where_the_interval_over_seeds_says_so() -> None:
    # Differences 0.02, 0.04, 0.03: 0.03 +- 4.303 * 0.01 / sqrt(3).
    better = made((0.72, 0.75, 0.75))
    head = "| best setting of the search | 3 | 8 ± 0 | 0.740 ± 0.017 |"
    assert (
        f"{head} +0.030 ± 0.025 | better | 0.800 ± 0.000 | 0.990 ± 0.000 | method=taylor |"
        in better
    )
    assert "| defaults | 3 | 24 ± 0 | 0.710 ± 0.010 | - | - |" in better
    assert "| not resolved |" in made((0.72, 0.75, 0.72))
    assert "| -0.030 ± 0.025 | worse |" in made((0.68, 0.67, 0.69))


def test_a_run_that_lacks_a_seed_is_left_out_and_options_are_named() -> None:
    found = made((0.72, 0.75, 0.75))
    assert "defaults without the last 20 epochs" not in found
    assert found.count("method=") == 2
    assert "steps=" not in found


def test_the_first_run_is_that_of_the_defaults() -> None:
    config, _ = settings.configuration(settings.sorted_options({"model": "cnn1d"}))
    options = dict(FOUND.runs[0].options)
    assert options.pop("budgets") == ["energy=0.26"]
    assert options == {name: getattr(config, name) for name in options}
    assert config.finetune_last_epochs == 20
