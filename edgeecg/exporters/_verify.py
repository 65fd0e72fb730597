"""Compares the outputs of a written file with PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeecg import runtimes
from edgeecg.benchmark import parity
from edgeecg.evaluation.batches import run_in_batches
from edgeecg.exporters._limits import MissedLimitError, way_on
from edgeecg.exporters._probe import ProbeSet
from edgeecg.runtimes import Session
from edgeecg.schema import ExportRecipe, Parity

PYTORCH = "the PyTorch model"
"""What exported files are compared with."""

_REPORT_EVERY = 500


def load(path: Path) -> Session:
    """Load a file in its runtime, on one thread.

    Raises:
        ArtifactError: The runtime does not accept the file.
    """
    return runtimes.for_file(path).load(path, threads=1)


def outputs(
    session: Session, x: NDArray[np.float32], on_done: Callable[[int], None] | None = None
) -> NDArray[np.float32]:
    """Run windows one by one, as a device does.

    Args:
        session: A loaded file.
        x: Windows ``(n, leads, samples)``.
        on_done: Called every 500 windows with the number of windows done.

    Returns:
        Logits, float32, ``(n, classes)``.
    """

    def report(done: int) -> None:
        if on_done is not None and done % _REPORT_EVERY == 0:
            on_done(done)

    return run_in_batches(session.run, x, 1, report)


def check(path: Path, name: str, probe: ProbeSet, recipe: ExportRecipe) -> Parity:
    """Run a written file on the probe set and refuse it when it disagrees with PyTorch.

    Args:
        path: The file.
        name: Its name, for the error message.
        probe: Inputs and PyTorch's outputs.
        recipe: Holds the limits.

    Returns:
        The agreement, within the recipe's limits.

    Raises:
        MissedLimitError: The outputs have a different shape, are not finite, or differ by more than
            the recipe allows.
        ArtifactError: The runtime does not accept the file.
    """
    found = outputs(load(path), probe.x)
    if found.shape != probe.logits.shape:
        raise _disagreement(
            name, recipe, f"Its outputs are {found.shape}, PyTorch's {probe.logits.shape}."
        )
    check_finite(name, found, recipe)
    agreement = parity.compare(probe.logits, found, probe.task)
    check_agreement(name, agreement, recipe)
    return agreement


def check_finite(
    name: str, found: NDArray[np.float32], recipe: ExportRecipe, reference: str = PYTORCH
) -> None:
    """Refuse outputs that are not finite.

    Args:
        name: The file's name, for the error message.
        found: Its outputs.
        recipe: The target.
        reference: What it is compared with, for the error message.

    Raises:
        MissedLimitError: Some are not.
    """
    if not np.isfinite(found).all():
        why = "Some of its outputs are not finite numbers."
        raise _disagreement(name, recipe, why, reference)


def check_agreement(
    name: str, agreement: Parity, recipe: ExportRecipe, reference: str = PYTORCH
) -> None:
    """Refuse outputs that differ from the reference by more than a recipe allows.

    Args:
        name: The file's name, for the error message.
        agreement: How its outputs differ.
        recipe: Holds the limits.
        reference: What it is compared with, for the error message.

    Raises:
        MissedLimitError: They do.
    """
    difference, same = agreement.max_abs_diff, agreement.label_agreement
    assert difference is not None
    assert same is not None
    if recipe.max_abs_diff is not None and difference > recipe.max_abs_diff:
        raise _disagreement(
            name,
            recipe,
            f"A logit differs by {difference:.3g} on {agreement.n} probe windows; "
            f"export/{recipe.name}.toml accepts {recipe.max_abs_diff:g}.",
            reference,
        )
    if same < recipe.min_label_agreement:
        raise _disagreement(
            name,
            recipe,
            f"{same:.1%} of {agreement.n} probe windows have the label of {reference}; "
            f"export/{recipe.name}.toml requires {recipe.min_label_agreement:.1%}.",
            reference,
        )


def _disagreement(
    name: str, recipe: ExportRecipe, why: str, reference: str = PYTORCH
) -> MissedLimitError:
    return MissedLimitError(
        f"'{name}' does not agree with {reference} and was not written.", why, way_on(recipe)
    )
