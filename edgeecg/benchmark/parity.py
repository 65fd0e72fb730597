"""Comparing a file's outputs with those of PyTorch, on the probe set beside the file."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeecg.errors import ArtifactError
from edgeecg.runtimes import Session
from edgeecg.schema import Parity, Task


def probe_path(path: Path) -> Path:
    """Return the path of a file's probe set: ``STEM.probe.npz`` beside the file."""
    return path.with_name(f"{path.stem}.probe.npz")


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
    beside = probe_path(path)
    if not beside.is_file():
        return _unchecked(
            "There is no probe set beside the file; 'edgeecg export' writes one (STEM.probe.npz)."
        )
    x, expected = _load(beside)
    if x.shape[1:] != session.input_shape[1:]:
        raise _damaged(
            beside,
            f"Its windows have shape {x.shape[1:]}, and the model takes {session.input_shape[1:]}",
        )
    found = np.concatenate([session.run(x[i : i + 1]).reshape(1, -1) for i in range(len(x))])
    if found.shape != expected.shape:
        raise _damaged(
            beside, f"Its logits have shape {expected.shape}, and the model returns {found.shape}"
        )
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


def _load(beside: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    try:
        # Opened here because np.load leaves its file open when the content is not an archive.
        with beside.open("rb") as opened, np.load(opened, allow_pickle=False) as archive:
            x, logits = archive["x"], archive["logits"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise _damaged(beside, f"Reading it failed ({error})") from error
    for name, array, axes in (("x", x, 3), ("logits", logits, 2)):
        if array.ndim != axes or array.dtype != np.float32 or not array.size:
            raise _damaged(
                beside,
                f"'{name}' should be float32 with {axes} axes and is {_describe(array)}",
            )
        if not np.isfinite(array).all():
            raise _damaged(beside, f"'{name}' contains values that are not finite")
    if len(x) != len(logits):
        raise _damaged(beside, f"It has {len(x)} windows and {len(logits)} rows of logits")
    return x, logits


def _describe(array: NDArray[np.generic]) -> str:
    return f"{array.dtype} of shape {array.shape}"


def _damaged(beside: Path, cause: str) -> ArtifactError:
    return ArtifactError(
        f"The probe set {beside} does not fit its file.",
        f"{cause}.",
        "Export or copy the file and its probe set again, or remove the probe set.",
    )
