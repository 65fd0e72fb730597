"""From a finished run to verified files: the baseline and the compressed model in each target."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from edgeecg import files, models, runs
from edgeecg.costs import proxy
from edgeecg.costs.counting import count
from edgeecg.data import Dataset
from edgeecg.errors import ArtifactError, EdgeECGError, ExportError
from edgeecg.evaluation.inference import predict
from edgeecg.evaluation.metrics import score_predictor
from edgeecg.exporters import _verify, exporter
from edgeecg.exporters._native_output import quiet
from edgeecg.exporters._probe import ProbeSet
from edgeecg.exporters._publish import embedded, publish
from edgeecg.exporters._verify import Progress
from edgeecg.runs import RunFolder
from edgeecg.schema import (
    Artifact,
    Baseline,
    DataSummary,
    ExportRecipe,
    Format,
    ModelCard,
    QuantizationLog,
    Scores,
)
from edgeecg.training.sampling import balanced

LeftOut = Callable[[ExportError], None]
"""Told why a file was not written."""

_PROBE_WINDOWS = 64


@dataclass(frozen=True)
class Subject:
    """One model of a run.

    Attributes:
        card: What the model is.
        model: The module, in evaluation mode.
        probe: Validation windows and the module's own answers.
    """

    card: ModelCard
    model: nn.Module
    probe: ProbeSet


@dataclass(frozen=True)
class Job:
    """What the files of one target have in common.

    Attributes:
        run: The run they come from; they go to its ``artifacts/``.
        recipe: The target.
        dense: What their proxies are relative to.
        dataset: The records behind the run.
        progress: Told what is being done.
    """

    run: RunFolder
    recipe: ExportRecipe
    dense: Baseline
    dataset: Dataset
    progress: Progress


def export_run(
    run: RunFolder,
    recipes: Sequence[ExportRecipe],
    dataset: Dataset,
    progress: Progress,
    left_out: LeftOut | None = None,
) -> list[Artifact]:
    """Export the baseline and, where there is one, the compressed model of a run to each target.

    A baseline that a quantised target hurts too much is left out where it only stands beside a
    compressed model: nobody made it ready for int8.

    Args:
        run: A finished run, or one of a dense model alone; the files go to its ``artifacts/``.
        recipes: The targets.
        dataset: The records the run was made from: train calibrates, val probes, test scores.
        progress: Told what is being done.
        left_out: Told why a baseline has no file; without it, that is an error like any other.

    Returns:
        The manifests of the files written, baseline first within each target.

    Raises:
        ArtifactError: A model of the run is damaged, or its two models do not belong together.
        ExportError: The records are others than the run's, a conversion failed, or a file does not
            agree with PyTorch; what was exported before stays.
        EdgeECGError: The disk is full or not writable.
    """
    baseline = load_subject(run.baseline_weights, run.baseline_card, dataset)
    subjects = [baseline]
    if run.finished:
        subjects.append(_compressed(run, baseline, dataset))
    floats: dict[Format, bytes] = {}
    artifacts: list[Artifact] = []
    for recipe in recipes:
        if recipe.format not in floats:
            progress(f"converting the baseline to {recipe.format}", 0, 1)
            floats[recipe.format] = convert(baseline.model, _in_float32(recipe), dataset)
        with _as_file(floats[recipe.format], recipe) as path:
            costs = proxy.totals(count(path))
        dense = Baseline(weights_sha256=baseline.card.weights_sha256, costs=costs)
        job = Job(run, recipe, dense, dataset, progress)
        for subject in subjects:
            if subject is baseline and recipe.dtype == "float32":
                content = floats[recipe.format]
            else:
                progress(f"converting the {subject.card.role} model to {recipe.name}", 0, 1)
                content = convert(subject.model, _for_subject(recipe, subject, run), dataset)
            try:
                artifacts.append(finish(job, subject, content))
            except ExportError as error:
                if left_out is None or subject is subjects[-1] or recipe.dtype == "float32":
                    raise
                left_out(error)
    return artifacts


def _compressed(run: RunFolder, baseline: Subject, dataset: Dataset) -> Subject:
    """Load the compressed model of a run.

    Raises:
        ArtifactError: It is damaged, or was not made from the run's baseline.
    """
    compressed = load_subject(run.model_weights, run.model_card, dataset)
    if compressed.card.parent_sha256 != baseline.card.weights_sha256:
        raise ArtifactError(
            f"The two models in '{run.path}' do not belong together.",
            f"'{run.model_card.name}' names another parent than '{run.baseline_weights.name}'.",
            "Run 'edgeecg compress' again.",
        )
    return compressed


def load_subject(weights: Path, card_path: Path, dataset: Dataset) -> Subject:
    """Load one model of a run and let it answer the probe windows.

    Args:
        weights: A safetensors file.
        card_path: Its card.
        dataset: The records the run was made from.

    Raises:
        ArtifactError: A file is missing or damaged, or the weights are not the card's.
        SchemaError: The card is not a model card.
        ExportError: The records are others than those the model was trained on.
    """
    try:
        card = ModelCard.from_json(card_path.read_bytes(), str(card_path))
        found = files.sha256(weights)
    except OSError as error:
        raise ArtifactError(
            f"The model '{weights}' cannot be read.",
            f"The system said: {error.strerror}: {error.filename}.",
            "Run 'edgeecg compress' again, or restore the file from a copy.",
        ) from error
    if found != card.weights_sha256:
        raise ArtifactError(
            f"The weights '{weights}' are not those that '{card_path.name}' describes.",
            f"Their SHA-256 is {found[:12]}..., the card says {card.weights_sha256[:12]}....",
            "Run 'edgeecg compress' again, or restore both files from one copy.",
        )
    if dataset.summary.content_sha256 != card.data.content_sha256:
        raise ExportError(
            f"'{weights}' cannot be exported with these records.",
            f"It was trained on {_records(card.data)}; found are {_records(dataset.summary)}.",
            "Set EDGEECG_DATA to the records of the run, or run 'edgeecg compress' on these.",
        )
    model = models.load(weights, card)
    x = dataset.val.x[balanced(dataset.val.y, _PROBE_WINDOWS)]
    return Subject(card, model, ProbeSet(x, predict(model, x), dataset.task))


def convert(model: nn.Module, recipe: ExportRecipe, dataset: Dataset) -> bytes:
    """Convert a model, without a word on the terminal.

    Args:
        model: In evaluation mode.
        recipe: The target.
        dataset: Its training windows calibrate a quantised target.

    Returns:
        The content of the file, still without manifest.

    Raises:
        ExportError: The converter failed; names the target.
        ModuleNotFoundError: The converter is not installed.
    """
    chosen = balanced(dataset.train.y, recipe.calibration_windows)
    calibration: NDArray[np.float32] = dataset.train.x[chosen]
    leads, samples = dataset.train.x.shape[1:]
    try:
        with quiet():
            return exporter(recipe.format).export(model, recipe, calibration, (leads, samples))
    except (EdgeECGError, ModuleNotFoundError):
        raise
    except Exception as error:  # Whatever a converter raises means the same to the user.
        said = " ".join(str(error).split())[:300]
        raise ExportError(
            f"The conversion to '{recipe.name}' failed.",
            f"The converter raised {type(error).__name__}: {said}.",
            "Choose another target; --debug shows where the conversion stopped.",
        ) from error


def finish(job: Job, subject: Subject, content: bytes) -> Artifact:
    """Verify, score, describe and publish one converted model.

    Args:
        job: What it is for.
        subject: The model it was converted from.
        content: The file, still without manifest.

    Returns:
        The manifest as published beside the file.

    Raises:
        ExportError: The file does not agree with PyTorch, or not with itself once the manifest is
            in it; nothing was published.
        EdgeECGError: The disk is full or not writable.
    """
    recipe = job.recipe
    name = f"{subject.card.name}-{subject.card.role}-{recipe.name}"
    with _as_file(content, recipe) as path:
        verification = _verify.check(path, name, subject.probe, recipe)
        layers = count(path)
        test = _scores(job, subject.card, path, name)
    manifest = Artifact(
        name=name,
        role=subject.card.role,
        format=recipe.format,
        dtype=recipe.dtype,
        target=recipe.name,
        model=subject.card.name,
        run=job.run.name,
        parameters=subject.card.parameters,
        classes=subject.card.classes,
        input_shape=(1, *subject.probe.x.shape[1:]),
        preprocessing=subject.card.preprocessing,
        data=subject.card.data.source,
        task=job.dataset.task,
        class_map=subject.card.data.class_map,
        weights_sha256=subject.card.weights_sha256,
        layers=layers,
        costs=proxy.totals(layers),
        baseline=job.dense,
        verification=verification,
        test=test,
        versions={name: version(name) for name in exporter(recipe.format).PACKAGES},
        git_revision=runs.git_revision(),
    )
    final = exporter(recipe.format).embed(content, embedded(manifest))
    with _as_file(final, recipe) as path:
        again = _verify.check(path, name, subject.probe, recipe)
        if again != verification or _verify.load(path).manifest_json() != embedded(manifest):
            raise ExportError(
                f"The manifest could not be put into '{name}'.",
                "With it, the file gives other outputs or does not give the manifest back.",
                "Choose another target, and report this as a bug of edgeecg.",
            )
    published = manifest.model_copy(
        update={
            "file": f"{name}.{recipe.format}",
            "sha256": sha256(final).hexdigest(),
            "size_bytes": len(final),
        }
    )
    publish(job.run.artifacts, final, subject.probe, published)
    return published


def _scores(job: Job, card: ModelCard, path: Path, name: str) -> Scores:
    """Score a file on the test records, with the thresholds that its module was scored with."""
    session = _verify.load(path)
    chosen = [found.threshold for found in card.test.per_class.values()]
    known = [threshold for threshold in chosen if threshold is not None]

    def predict_with_file(x: NDArray[np.float32]) -> NDArray[np.float32]:
        def show(done: int) -> None:
            job.progress(f"scoring {name}", done, len(x))

        show(0)
        return _verify.outputs(session, x, show)

    thresholds = np.array(known) if known and len(known) == len(chosen) else None
    return score_predictor(predict_with_file, job.dataset, "test", thresholds=thresholds)


def _in_float32(recipe: ExportRecipe) -> ExportRecipe:
    return recipe.model_copy(update={"dtype": "float32", "calibration_windows": 0, "float_ops": ()})


def _for_subject(recipe: ExportRecipe, subject: Subject, run: RunFolder) -> ExportRecipe:
    """Return the recipe with the layers that the run found to suffer from int8.

    Raises:
        ExportError: Int8 breaks a guard of the run.
    """
    if subject.card.role != "compressed" or not run.quantization.is_file():
        return recipe
    log = QuantizationLog.from_json(run.quantization.read_bytes(), str(run.quantization))
    if log.kept == "none" and recipe.dtype != "float32":
        raise ExportError(
            f"The compressed model of '{run.name}' is not exported to '{recipe.name}'.",
            log.remark,
            "Choose --target tflite or onnx, or compress with another guard.",
        )
    return recipe.model_copy(update={"float_layers": log.float_layers})


def _records(data: DataSummary) -> str:
    return f"{data.source} records with class map {data.class_map} ({data.content_sha256[:12]}...)"


@contextlib.contextmanager
def _as_file(content: bytes, recipe: ExportRecipe) -> Generator[Path]:
    """Yield a file outside the run, for what reads files only; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="edgeecg-") as folder:
        path = Path(folder) / f"model.{recipe.format}"
        files.write_bytes(path, content)
        yield path
