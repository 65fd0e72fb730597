"""Loading what can be evaluated: a shipped model, a run, weights with a card, an exported file."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgeecg import models
from edgeecg.benchmark import artifacts
from edgeecg.errors import ArtifactError, EdgeECGError, UnknownNameError
from edgeecg.evaluation.batches import LogitsFunction, run_in_batches
from edgeecg.evaluation.inference import predict
from edgeecg.evaluation.multilabel import stored_thresholds
from edgeecg.models import Architecture
from edgeecg.runs import RUNS, RunFolder
from edgeecg.runs.unfinished import how_to_finish
from edgeecg.runtimes import Session
from edgeecg.schema import (
    MODEL_SUFFIXES,
    Artifact,
    ClassMapName,
    DataSummary,
    ModelCard,
    Preprocessing,
    Scores,
    Task,
)

_WEIGHTS = ".safetensors"


@dataclass(frozen=True)
class Predictor:
    """A model or a file that computes logits, and how its windows are prepared.

    Attributes:
        title: What it is, for the screen.
        kind: Whether PyTorch or the runtime of an exported file runs it.
        model: Name of the architecture.
        classes: Class names in the order of the logits.
        task: One class per window, or any number.
        preprocessing: How leads become windows.
        class_map: From beat symbols to classes, as in training.
        min_likelihood: PTB-XL only: likelihood in percent from which a statement counts, as in
            training.
        test_scores: Test scores from the time when it was made, or None.
        card: The model card of a PyTorch model, else None.
        data: The records that it was made from; None for a file outside its run folder.
        predict: Windows ``(n, leads, samples)`` -> logits ``(n, classes)``, float32.
    """

    title: str
    kind: Literal["pytorch", "file"]
    model: str
    classes: tuple[str, ...]
    task: Task
    preprocessing: Preprocessing
    class_map: ClassMapName
    min_likelihood: float
    test_scores: Scores | None
    card: ModelCard | None
    data: DataSummary | None
    predict: LogitsFunction

    @property
    def thresholds(self) -> NDArray[np.float64] | None:
        """Thresholds chosen on the validation records, ``(classes,)``; None where unknown."""
        return None if self.test_scores is None else stored_thresholds(self.test_scores)


def load_predictor(
    name_or_path: str, custom: Architecture | None = None, threads: int = 1
) -> Predictor:
    """Load what a user named.

    Args:
        name_or_path: A file (``.tflite``, ``.onnx``, ``.safetensors`` with its card beside it), a
            model whose weights come with the package, or a run's name or folder, whose compressed
            model is taken before its baseline.
        custom: The custom module, where that is a run or weights of one.
        threads: Threads of the runtime of an exported file. Those of PyTorch are set for the whole
            process, see :func:`edgeecg.evaluation.threads.limited_threads`.

    Raises:
        UnknownNameError: It is none of these.
        EdgeECGError: The run has no trained model yet.
        ArtifactError: A file is missing, damaged, foreign, or not what its card says.
        SchemaError: A card or manifest is damaged.
        MissingDependencyError: The file's runtime is not installed.
    """
    path = Path(name_or_path)
    if path.suffix in MODEL_SUFFIXES:
        return _file(path, threads)
    if path.suffix == _WEIGHTS:
        return _pytorch(path, path.with_suffix(".json"), str(path), custom)
    if name_or_path in models.names() and (found := models.shipped(name_or_path)) is not None:
        weights, _ = found
        title = f"{name_or_path}, with the package's weights"
        return _pytorch(weights, weights.with_suffix(".json"), title)
    for folder in (RUNS / name_or_path, path):
        run = RunFolder(folder)
        if run.finished:
            return _pytorch(run.model_weights, run.model_card, f"model of run {run.name}", custom)
        if run.dense_only:
            title = f"baseline of run {run.name}"
            return _pytorch(run.baseline_weights, run.baseline_card, title, custom)
        if run.baseline_card.is_file():
            raise EdgeECGError(
                f"The compressed model of '{run.path}' is not finished.",
                f"'{run.model_card.name}' is not there yet.",
                f"{how_to_finish(run)} (Its dense model: {shlex.quote(str(run.baseline_weights))})",
            )
        if run.path.is_dir():
            raise EdgeECGError(
                f"There is no trained model in '{run.path}'.",
                f"It holds neither '{run.model_card.name}' nor '{run.baseline_card.name}'.",
                how_to_finish(run),
            )
    if name_or_path in models.names():
        raise EdgeECGError(
            f"The package has no trained weights of '{name_or_path}'.",
            "There is no run of this name either.",
            f"Run 'edgeecg train {name_or_path}' first, and name the run.",
        )
    runs = [each.name for each in RUNS.glob("*")]
    raise UnknownNameError("model, run or file", name_or_path, [*models.names(), *runs])


def load_dense(name_or_path: str, custom: Architecture | None = None) -> Predictor | None:
    """Load the dense model that a compressed model or file was made from.

    Args:
        name_or_path: As for :func:`load_predictor`.
        custom: The custom module, where that is one.

    Returns:
        The dense model of the run that it lies in; None where it lies in none, is itself dense, or
        its custom module is not given.
    """
    path = Path(name_or_path)
    is_file = path.suffix in (*MODEL_SUFFIXES, _WEIGHTS)
    if not is_file and name_or_path in models.names() and models.shipped(name_or_path) is not None:
        return None
    folders = (path.parent, path.parent.parent) if is_file else (RUNS / name_or_path, path)
    for run in map(RunFolder, folders):
        if run.model_card.is_file() and run.baseline_card.is_file():
            if is_file and (path == run.baseline_weights or "-baseline-" in path.name):
                return None
            card = ModelCard.from_file(run.baseline_card)
            if custom is None and card.name not in models.names():
                # A file works alone: its custom module's Python file need not be there.
                return None
            return _pytorch(run.baseline_weights, run.baseline_card, run.name, custom)
    return None


def _pytorch(
    weights: Path, card_path: Path, title: str, custom: Architecture | None = None
) -> Predictor:
    card, model = models.load_with_card(weights, card_path, custom)
    return Predictor(
        title=f"{title} ({card.role})",
        kind="pytorch",
        model=card.name,
        classes=card.classes,
        task=card.test.task,
        preprocessing=card.preprocessing,
        class_map=_class_map(card.data.class_map),
        min_likelihood=card.training.min_likelihood,
        test_scores=card.test,
        card=card,
        data=card.data,
        predict=partial(predict, model),
    )


def _file(path: Path, threads: int) -> Predictor:
    examined = artifacts.examine(path)
    session = examined.runtime.load(path, threads)
    manifest = artifacts.read_manifest(examined, session.manifest_json())
    if manifest is None:
        raise ArtifactError(
            f"'{path}' cannot be evaluated.",
            "It has no manifest, so its classes and its preprocessing are not known.",
            "Give a file that 'edgeecg export' wrote.",
        )
    _check_shape(path, session, manifest)
    return Predictor(
        title=f"{path.name} ({manifest.role}, {manifest.dtype})",
        kind="file",
        model=manifest.model,
        classes=manifest.classes,
        task=manifest.task,
        preprocessing=manifest.preprocessing,
        class_map=_class_map(manifest.class_map),
        min_likelihood=manifest.min_likelihood,
        test_scores=manifest.test,
        card=None,
        data=_data_of_run(path),
        predict=partial(run_in_batches, session.run, size=1),
    )


def _data_of_run(path: Path) -> DataSummary | None:
    """Return the records that the model of an exported file was made from, as its run says."""
    card = RunFolder(path.absolute().parent.parent).baseline_card
    return ModelCard.from_file(card).data if card.is_file() else None


def _check_shape(path: Path, session: Session, manifest: Artifact) -> None:
    if tuple(session.input_shape) != manifest.input_shape:
        raise ArtifactError(
            f"'{path}' does not agree with its manifest.",
            f"It takes {tuple(session.input_shape)}, the manifest says {manifest.input_shape}.",
            "Export the file again.",
        )


def _class_map(name: str) -> ClassMapName:
    """Return the map of beat symbols; for records, which have none, the default."""
    return "ec57" if name == "ec57" else "aami"
