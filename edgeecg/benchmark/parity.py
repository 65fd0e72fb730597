"""Whether a file still answers as PyTorch did: the probe set beside it, run again here."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeecg.errors import ArtifactError
from edgeecg.runtimes import Session
from edgeecg.schema import Parity, Task


def probe_path(path: Path) -> Path:
    """Return where a file's probe set lies: ``STEM.probe.npz`` beside it."""
    return path.with_name(f"{path.stem}.probe.npz")


def check(path: Path, session: Session, task: Task = "beats") -> Parity:
    """Run the probe set of a file and compare with its reference outputs.

    Args:
        path: The model file.
        session: The same file, loaded.
        task: Says when two outputs have the same label; see :func:`compare`.

    Returns:
        The agreement; ``n`` None with a reason when there is no probe set.

    Raises:
        ArtifactError: The probe set is damaged or does not fit the file.
    """
    beside = probe_path(path)
    if not beside.is_file():
        return Parity(
            n=None,
            max_abs_diff=None,
            label_agreement=None,
            reason=f"There is no probe set ({beside.name}) beside the file.",
        )
    x, expected = _load(beside)
    if x.shape[1:] != session.input_shape[1:]:
        raise _damaged(
            beside, f"Its windows are {x.shape[1:]}, the model takes {session.input_shape[1:]}"
        )
    found = np.concatenate([session.run(x[i : i + 1]).reshape(1, -1) for i in range(len(x))])
    if found.shape != expected.shape:
        raise _damaged(beside, f"It holds {expected.shape} logits, the model gives {found.shape}")
    return compare(expected, found, task)


def compare(
    reference: NDArray[np.float32], found: NDArray[np.float32], task: Task = "beats"
) -> Parity:
    """Compare a file's logits with PyTorch's.

    Args:
        reference: PyTorch's logits ``(n, classes)``.
        found: The file's, in the same order; finite.
        task: ``"beats"``: the same label is the same largest logit. ``"records"``: the same set of
            classes with a probability (sigmoid) of 0.50 and more.
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


def _load(beside: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    try:
        # Opened here, for np.load leaves its own file open when the content is no archive.
        with beside.open("rb") as opened, np.load(opened, allow_pickle=False) as held:
            x, logits = held["x"], held["logits"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise _damaged(beside, f"Reading it failed ({error})") from error
    for name, array, axes in (("x", x, 3), ("logits", logits, 2)):
        if array.ndim != axes or array.dtype != np.float32 or not array.size:
            raise _damaged(
                beside, f"'{name}' should be float32 with {axes} axes and is {_describe(array)}"
            )
        if not np.isfinite(array).all():
            raise _damaged(beside, f"'{name}' holds values that are not finite")
    if len(x) != len(logits):
        raise _damaged(beside, f"It holds {len(x)} windows and {len(logits)} rows of logits")
    return x, logits


def _describe(array: NDArray[np.generic]) -> str:
    return f"{array.dtype} of shape {array.shape}"


def _damaged(beside: Path, cause: str) -> ArtifactError:
    return ArtifactError(
        f"The probe set {beside} does not fit its file.",
        f"{cause}.",
        "Export or copy the file and its probe set again, or take the probe set away.",
    )
