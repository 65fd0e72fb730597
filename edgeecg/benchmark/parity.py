"""Comparing a file's outputs with those of PyTorch, on the probe set beside the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeecg.benchmark import probe_set
from edgeecg.runtimes import Session
from edgeecg.schema import Parity, Task


def check(path: Path, session: Session, task: Task = "beats") -> Parity:
    """Run the probe set of a file and compare its outputs with the reference outputs.

    Args:
        path: The model file.
        session: The same file, loaded.
        task: Determines when two outputs have the same label, see :func:`compare`.

    Returns:
        The agreement; without a probe set ``n`` is None, with a reason.

    Raises:
        ArtifactError: The probe set is damaged or does not fit the file.
    """
    if session.input_shape[0] != 1:
        batch = session.input_shape[0]
        return _unchecked(f"The batch is {batch}, and a probe set has single windows.")
    beside = probe_set.probe_path(path)
    if not beside.is_file():
        return _unchecked(
            "There is no probe set beside the file; 'edgeecg export' writes one (STEM.probe.npz)."
        )
    arrays = probe_set.read(beside)
    x, expected = arrays["x"], arrays["logits"]
    if x.shape[1:] != session.input_shape[1:]:
        raise probe_set.misfit(
            beside,
            f"Its windows have shape {x.shape[1:]}, and the model takes {session.input_shape[1:]}",
        )
    found = np.concatenate([session.run(x[i : i + 1]).reshape(1, -1) for i in range(len(x))])
    if found.shape != expected.shape:
        raise probe_set.misfit(
            beside, f"Its logits have shape {expected.shape}, and the model returns {found.shape}"
        )
    if not np.isfinite(found).all():
        return _unchecked("Some of its outputs are not finite numbers.")
    return compare(expected, found, task)


def compare(
    reference: NDArray[np.float32], found: NDArray[np.float32], task: Task = "beats"
) -> Parity:
    """Compare a file's logits with PyTorch's.

    Args:
        reference: PyTorch's logits ``(n, classes)``.
        found: The file's logits ``(n, classes)``, for the same windows; finite.
        task: With ``"beats"``, two outputs have the same label when the same logit is the largest.
            With ``"records"``, when the same classes have a probability (sigmoid) of at least 0.50.
    """
    difference = np.abs(found.astype(np.float64) - reference.astype(np.float64))
    if task == "records":
        same = ((found >= 0) == (reference >= 0)).all(axis=1)
    else:
        same = found.argmax(axis=1) == reference.argmax(axis=1)
    return Parity(
        n=len(reference),
        max_abs_diff=float(difference.max()),
        label_agreement=float(same.mean()),
    )


def _unchecked(reason: str) -> Parity:
    return Parity(n=None, max_abs_diff=None, label_agreement=None, reason=reason)
