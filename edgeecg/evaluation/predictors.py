"""What can be evaluated: a model that comes with the package, a run, weights, an exported file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import nn

from edgeecg import models
from edgeecg.benchmark import artifacts
from edgeecg.errors import ArtifactError, EdgeECGError, UnknownNameError
from edgeecg.evaluation.inference import predict
from edgeecg.files import sha256
from edgeecg.runs import RUNS, RunFolder
from edgeecg.runtimes import Session
from edgeecg.schema import Artifact, ClassMapName, ModelCard, Preprocessing, Scores, Task

_FILES = (".tflite", ".onnx")
_WEIGHTS = ".safetensors"


@dataclass(frozen=True)
class Subject:
    """Anything that gives logits for windows, and what one must know to prepare the windows.

    Attributes:
        title: What it is, in words.
        kind: Whether PyTorch runs it, or the runtime of a file.
        model: Architecture.
        classes: Class names in the order of the logits.
        task: One class per window, or any number.
        preprocessing: How leads become windows.
        class_map: From beat symbols to classes, as in training.
        min_likelihood: For PTB-XL: likelihood in percent from which a statement counted.
        tested: Its own test scores when it was made, or None.
        card: Of a PyTorch model, else None.
        logits: Windows ``(n, leads, samples)`` -> logits ``(n, classes)``, float32.
    """

    title: str
    kind: Literal["pytorch", "file"]
    model: str
    classes: tuple[str, ...]
    task: Task
    preprocessing: Preprocessing
    class_map: ClassMapName
    min_likelihood: float
    tested: Scores | None
    card: ModelCard | None
    logits: Callable[[NDArray[np.float32]], NDArray[np.float32]]

    @property
    def thresholds(self) -> NDArray[np.float64] | None:
        """The probabilities chosen on validation records, ``(classes,)``; None where unknown."""
        if self.tested is None:
            return None
        held = [self.tested.per_class[name].threshold for name in self.classes]
        known = [value for value in held if value is not None]
        return np.array(known) if len(known) == len(held) else None


def load_subject(name_or_path: str) -> Subject:
    """Load what a user named.

    Args:
        name_or_path: A file (``.tflite``, ``.onnx``, ``.safetensors`` with its card beside it), a
            model whose weights come with the package, or a run's name or folder, whose compressed
            model is taken before its baseline.

    Raises:
        UnknownNameError: It is none of these.
        ArtifactError: A file is missing, damaged, foreign, or not what its card says.
        SchemaError: A card or manifest is damaged.
        MissingDependencyError: The file's runtime is not installed.
    """
    path = Path(name_or_path)
    if path.suffix in _FILES:
        return _file(path)
    if path.suffix == _WEIGHTS:
        return _pytorch(path, path.with_suffix(".json"), str(path))
    if name_or_path in models.names() and (found := models.shipped(name_or_path)) is not None:
        weights, _ = found
        title = f"{name_or_path}, with the package's weights"
        return _pytorch(weights, weights.with_suffix(".json"), title)
    for folder in (RUNS / name_or_path, path):
        run = RunFolder(folder)
        for weights, card in (
            (run.model_weights, run.model_card),
            (run.baseline_weights, run.baseline_card),
        ):
            if card.is_file():
                return _pytorch(weights, card, f"{card.stem} of run {run.name}")
    if name_or_path in models.names():
        raise EdgeECGError(
            f"The package has no trained weights of '{name_or_path}'.",
            "There is no run of this name either.",
            f"Run 'edgeecg train {name_or_path}' first, and name the run.",
        )
    runs = [each.name for each in RUNS.glob("*")]
    raise UnknownNameError("model, run or file", name_or_path, [*models.names(), *runs])


def load_model(weights: Path, card_path: Path) -> tuple[ModelCard, nn.Module]:
    """Load weights that are those of their card.

    Args:
        weights: A safetensors file.
        card_path: Its card.

    Returns:
        The card, and the module in evaluation mode.

    Raises:
        ArtifactError: A file is missing or damaged, or the weights are not the card's.
        SchemaError: The card is not a model card.
    """
    try:
        card = ModelCard.from_json(card_path.read_bytes(), str(card_path))
        found = sha256(weights)
    except OSError as error:
        raise ArtifactError(
            f"The model '{weights}' cannot be read.",
            f"The system said: {error.strerror}: {error.filename}.",
            "Train or compress it again, or restore both files from a copy.",
        ) from error
    if found != card.weights_sha256:
        raise ArtifactError(
            f"The weights '{weights}' are not those that '{card_path.name}' describes.",
            f"Their SHA-256 is {found[:12]}..., the card says {card.weights_sha256[:12]}....",
            "Train or compress it again, or restore both files from one copy.",
        )
    return card, models.load(weights, card)


def _pytorch(weights: Path, card_path: Path, title: str) -> Subject:
    card, model = load_model(weights, card_path)
    return Subject(
        title=f"{title} ({card.role})",
        kind="pytorch",
        model=card.name,
        classes=card.classes,
        task=card.test.task,
        preprocessing=card.preprocessing,
        class_map=_class_map(card.data.class_map),
        min_likelihood=card.training.min_likelihood,
        tested=card.test,
        card=card,
        logits=partial(predict, model),
    )


def _file(path: Path) -> Subject:
    examined = artifacts.examine(path)
    session = examined.runtime.load(path)
    manifest = artifacts.manifest(examined, session)
    if manifest is None:
        raise ArtifactError(
            f"'{path}' cannot be evaluated.",
            "It carries no manifest, so its classes and its preprocessing are not known.",
            "Give a file that 'edgeecg export' wrote.",
        )
    _check_shape(path, session, manifest)
    return Subject(
        title=f"{path.name} ({manifest.role}, {manifest.dtype})",
        kind="file",
        model=manifest.model,
        classes=manifest.classes,
        task=manifest.task,
        preprocessing=manifest.preprocessing,
        class_map=_class_map(manifest.class_map),
        min_likelihood=0.0,
        tested=manifest.test,
        card=None,
        logits=partial(_one_by_one, session),
    )


def _check_shape(path: Path, session: Session, manifest: Artifact) -> None:
    if tuple(session.input_shape) != manifest.input_shape:
        raise ArtifactError(
            f"'{path}' does not agree with its manifest.",
            f"It takes {tuple(session.input_shape)}, the manifest says {manifest.input_shape}.",
            "Export the file again.",
        )


def _one_by_one(session: Session, windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Run windows as a device does, one at a time."""
    rows = [session.run(np.array(windows[i : i + 1]))[0] for i in range(len(windows))]
    return np.stack(rows)


def _class_map(name: str) -> ClassMapName:
    """Return the map of beat symbols; records have none, and the default stands for it."""
    return "ec57" if name == "ec57" else "aami"
