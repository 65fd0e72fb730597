"""The run folder of a trial: what it starts from, and whether it is the trial's at all."""

from __future__ import annotations

import shlex

from edgeecg.errors import EdgeECGError
from edgeecg.files import write_bytes, write_text
from edgeecg.runs import RunFolder
from edgeecg.schema import CompressionConfig


def prepare(run: RunFolder, dense: RunFolder, config: CompressionConfig) -> None:
    """Write what a trial starts from, unless it is there: the dense model and the configuration.

    Args:
        run: The folder of the trial.
        dense: The run of the dense model.
        config: What is to be done.

    Raises:
        EdgeECGError: The disk is full, or the folder holds a run that is not of this trial.
    """
    if run.config.is_file():
        _refuse_foreign(run, config)
        return
    card = run.baseline_card
    if run.training.is_file() or (
        card.is_file() and card.read_bytes() != dense.baseline_card.read_bytes()
    ):
        raise _foreign(run, "the training of a model")
    for source, target in (
        (dense.baseline_weights, run.baseline_weights),
        (dense.baseline_card, run.baseline_card),
    ):
        write_bytes(target, source.read_bytes())
    write_text(run.config, config.to_json())


def _refuse_foreign(run: RunFolder, config: CompressionConfig) -> None:
    """Refuse to go on with a run that was not started by this trial.

    Raises:
        EdgeECGError: The folder holds a run with other settings.
    """
    held = CompressionConfig.from_file(run.config)
    if _compared(held) == _compared(config):
        return
    raise _foreign(run, "a run with other settings")


def _foreign(run: RunFolder, held: str) -> EdgeECGError:
    search = run.name.rpartition("-")[0]
    return EdgeECGError(
        f"'{run.path}' is not of the search '{search}'.",
        f"It should be the folder of the next trial, and holds {held}.",
        f"Move it elsewhere, then go on: edgeecg search --resume {shlex.quote(search)}",
    )


def _compared(config: CompressionConfig) -> CompressionConfig:
    """Return what decides the outcome of a run: a custom module may lie elsewhere by now."""
    if config.custom is None:
        return config
    custom = config.custom.model_copy(update={"file": config.custom.function})
    return config.model_copy(update={"custom": custom})
