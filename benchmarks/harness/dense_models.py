"""The dense models that several experiments start from, trained once for each model and seed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import edgeecg
from edgeecg.models import architecture
from edgeecg.runs import RUNS, RunFolder
from edgeecg.schema import ModelCard


def toy_training(model: str) -> dict[str, Any]:
    """Return the options of training at toy size."""
    # Records have several classes each, so that no balanced part of them can be drawn.
    few = {"epoch_windows": 256} if architecture(model).TASK == "beats" else {}
    return {"epochs": 1, **few}


def run_of(model: str, seed: int) -> RunFolder:
    """Return the run folder of one model and seed."""
    return RunFolder(Path(RUNS) / f"baseline-{model}-{seed}")


def card_of(run: RunFolder) -> ModelCard:
    """Return the card of a run's dense model."""
    return ModelCard.from_file(run.baseline_card)


def trained(
    model: str, seed: int, quick: bool = False, options: Mapping[str, Any] | None = None
) -> RunFolder:
    """Train unless that is done; go on where training was interrupted.

    Args:
        model: The architecture.
        seed: Of everything that training draws.
        quick: Train at toy size.
        options: Settings of ``edgeecg train`` that are not at their default.

    Returns:
        The run folder, with the weights and the card.
    """
    run = run_of(model, seed)
    if run.baseline_card.is_file():
        return run
    if run.training.is_file():
        edgeecg.train(name=run.name, resume=True)
    else:
        few = toy_training(model) if quick else {}
        edgeecg.train(model, name=run.name, seed=seed, **{**(options or {}), **few})
    return run
