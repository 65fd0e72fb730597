"""Compares the outputs of a written file with PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeecg import runtimes
from edgeecg.benchmark import parity
from edgeecg.errors import ExportError
from edgeecg.evaluation.batches import run_in_batches
from edgeecg.exporters._probe import ProbeSet
from edgeecg.runtimes import Session
from edgeecg.schema import ExportRecipe, Parity

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
        ExportError: The outputs have a different shape, are not finite, or differ by more than the
            recipe allows.
        ArtifactError: The runtime does not accept the file.
    """
    found = outputs(load(path), probe.x)
    if found.shape != probe.logits.shape:
        raise _disagreement(name, f"Its outputs are {found.shape}, PyTorch's {probe.logits.shape}.")
    if not np.isfinite(found).all():
        raise _disagreement(name, "Some of its outputs are not finite numbers.")
    agreement = parity.compare(probe.logits, found, probe.task)
    assert agreement.max_abs_diff is not None
    assert agreement.label_agreement is not None
    if agreement.max_abs_diff > recipe.max_abs_diff:
        raise _disagreement(
            name,
            f"A logit differs by {agreement.max_abs_diff:.3g} on {agreement.n} probe windows; "
            f"export/{recipe.name}.toml accepts {recipe.max_abs_diff:g}.",
        )
    if agreement.label_agreement < recipe.min_label_agreement:
        raise _disagreement(
            name,
            f"{agreement.label_agreement:.1%} of {agreement.n} probe windows have PyTorch's label; "
            f"export/{recipe.name}.toml requires {recipe.min_label_agreement:.1%}.",
        )
    return agreement


def _disagreement(name: str, why: str) -> ExportError:
    return ExportError(
        f"'{name}' does not agree with the PyTorch model and was not written.",
        why,
        "Choose another target; for a quantised one, name operations to keep float32 in float_ops.",
    )
