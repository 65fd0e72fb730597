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

from edgeecg import files, runs
from edgeecg.costs import proxy
from edgeecg.costs.counting import count
from edgeecg.data import Dataset
from edgeecg.data.windows.filters import for_devices
from edgeecg.errors import EdgeECGError, ExportError
from edgeecg.evaluation.metrics import score_predictor
from edgeecg.evaluation.multilabel import stored_thresholds
from edgeecg.exporters import _verify, exporter
from edgeecg.exporters._native_output import quiet
from edgeecg.exporters._publish import embedded, publish
from edgeecg.exporters._source_model import SourceModel, load_sources
from edgeecg.models import Architecture
from edgeecg.progress import ProgressCallback
from edgeecg.runs import RunFolder
from edgeecg.schema import (
    Artifact,
    Baseline,
    ExportRecipe,
    Format,
    ModelCard,
    QuantizationLog,
    Scores,
)
from edgeecg.training.sampling import balanced_subset

OnLeftOut = Callable[[ExportError], None]
"""Called with the reason when a file is not written."""


@dataclass(frozen=True)
class ExportJob:
    """What the files of one target have in common.

    Attributes:
        run: The run that the models belong to; the files are written to its ``artifacts/``.
        recipe: The target.
        dense: The baseline that their proxies are relative to.
        dataset: The records of the run.
        progress: Called while the files are made.
    """

    run: RunFolder
    recipe: ExportRecipe
    dense: Baseline
    dataset: Dataset
    progress: ProgressCallback


def export_run(
    run: RunFolder,
    recipes: Sequence[ExportRecipe],
    dataset: Dataset,
    progress: ProgressCallback,
    on_left_out: OnLeftOut | None = None,
    custom: Architecture | None = None,
    keep_going: bool = False,
) -> list[Artifact]:
    """Export the baseline and, where there is one, the compressed model of a run to each target.

    A baseline that loses too much accuracy in a quantised target is left out if there is a
    compressed model, since the baseline was not prepared for int8.

    Args:
        run: A finished run, or one of a dense model alone; the files are written to its
            ``artifacts/``.
        recipes: The targets.
        dataset: The records of the run: train calibrates, val verifies, test scores.
        progress: Called while the files are made.
        on_left_out: Called when a baseline is left out; None raises the error instead.
        custom: The custom module, where the run is of one.
        keep_going: Call ``on_left_out`` for every file that is refused, and go on with the next,
            unless not a single file can be written.

    Returns:
        The manifests of the files written, baseline first within each target.

    Raises:
        ArtifactError: A model of the run is damaged, or its two models do not belong together.
        ExportError: The records are not those of the run, a conversion failed, or a file does not
            agree with PyTorch; files that were exported before are kept.
        EdgeECGError: The disk is full or not writable.
    """
    sources = load_sources(run, dataset, custom)
    baseline = sources[0]
    floats: dict[Format, bytes] = {}
    refused: ExportError | None = None
    artifacts: list[Artifact] = []
    for recipe in recipes:
        if recipe.format not in floats:
            progress(f"converting the baseline to {recipe.format}", 0, 1)
            floats[recipe.format] = convert(baseline.model, _in_float32(recipe), dataset)
        with _as_file(floats[recipe.format], recipe) as path:
            costs = proxy.totals(count(path))
        dense = Baseline(weights_sha256=baseline.card.weights_sha256, costs=costs)
        job = ExportJob(run, recipe, dense, dataset, progress)
        for source in sources:
            try:
                if source is baseline and recipe.dtype == "float32":
                    content = floats[recipe.format]
                else:
                    progress(f"converting the {source.card.role} model to {recipe.name}", 0, 1)
                    content = convert(source.model, _kept_in_float(recipe, source, run), dataset)
                artifacts.append(verify_and_publish(job, source, content))
            except ExportError as error:
                needed = source is sources[-1] or recipe.dtype == "float32"
                if on_left_out is None or (needed and not keep_going):
                    raise
                on_left_out(error)
                refused = error
    if refused is not None and not artifacts:
        raise refused
    return artifacts


def convert(model: nn.Module, recipe: ExportRecipe, dataset: Dataset) -> bytes:
    """Convert a model; nothing is printed.

    Args:
        model: In evaluation mode.
        recipe: The target.
        dataset: Its training windows are used to calibrate a quantised target.

    Returns:
        The content of the file, without manifest.

    Raises:
        ExportError: The converter failed; names the target.
        ModuleNotFoundError: The converter is not installed.
    """
    chosen = balanced_subset(dataset.train.y, recipe.calibration_windows)
    calibration: NDArray[np.float32] = dataset.train.x[chosen]
    leads, samples = dataset.train.x.shape[1:]
    try:
        with quiet():
            return exporter(recipe.format).export(model, recipe, calibration, (leads, samples))
    except (EdgeECGError, ModuleNotFoundError):
        raise
    except Exception as error:  # A converter may raise anything.
        message = " ".join(str(error).split())[:300]
        raise ExportError(
            f"The conversion to '{recipe.name}' failed.",
            f"The converter raised {type(error).__name__}: {message}.",
            "Choose another target; --debug shows where the conversion stopped.",
        ) from error


def verify_and_publish(job: ExportJob, source: SourceModel, content: bytes) -> Artifact:
    """Verify, score, describe and publish one converted model.

    Args:
        job: The target and the run.
        source: The model that was converted.
        content: The content of the file, without manifest.

    Returns:
        The manifest as written beside the file.

    Raises:
        ExportError: The file does not agree with PyTorch, or embedding the manifest changed its
            outputs; nothing was published.
        EdgeECGError: The disk is full or not writable.
    """
    recipe = job.recipe
    name = f"{source.card.name}-{source.card.role}-{recipe.name}"
    with _as_file(content, recipe) as path:
        verification = _verify.check(path, name, source.probe, recipe)
        layers = count(path)
        test = _scores(job, source.card, path, name)
    manifest = Artifact(
        name=name,
        role=source.card.role,
        format=recipe.format,
        dtype=recipe.dtype,
        target=recipe.name,
        model=source.card.name,
        run=job.run.name,
        parameters=source.card.parameters,
        classes=source.card.classes,
        input_shape=(1, *source.probe.x.shape[1:]),
        preprocessing=source.card.preprocessing,
        filters=for_devices(source.card.preprocessing),
        data=source.card.data.source,
        task=job.dataset.task,
        class_map=source.card.data.class_map,
        min_likelihood=source.card.training.min_likelihood,
        weights_sha256=source.card.weights_sha256,
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
        again = _verify.check(path, name, source.probe, recipe)
        if again != verification or _verify.load(path).manifest_json() != embedded(manifest):
            raise ExportError(
                f"The manifest could not be embedded into '{name}'.",
                "With it, the file has other outputs, or the manifest cannot be read back.",
                "Choose another target, and report this as a bug of edgeecg.",
            )
    published = manifest.model_copy(
        update={
            "file": f"{name}.{recipe.format}",
            "sha256": sha256(final).hexdigest(),
            "size_bytes": len(final),
        }
    )
    publish(job.run.artifacts, final, source.probe, published)
    return published


def _scores(job: ExportJob, card: ModelCard, path: Path, name: str) -> Scores:
    """Score a file on the test records, with the decision thresholds of its model."""
    session = _verify.load(path)

    def predict_with_file(x: NDArray[np.float32]) -> NDArray[np.float32]:
        def show(done: int) -> None:
            job.progress(f"scoring {name}", done, len(x))

        show(0)
        return _verify.outputs(session, x, show)

    thresholds = stored_thresholds(card.test)
    return score_predictor(predict_with_file, job.dataset, "test", thresholds=thresholds)


def _in_float32(recipe: ExportRecipe) -> ExportRecipe:
    changes = {"dtype": "float32", "activation_dtype": None, "calibration_windows": 0}
    return recipe.model_copy(update={**changes, "float_ops": ()})


def _kept_in_float(recipe: ExportRecipe, source: SourceModel, run: RunFolder) -> ExportRecipe:
    """Return the recipe with the layers that the run found to lose accuracy in int8.

    Raises:
        ExportError: Int8 violates a guard of the run.
    """
    if source.card.role != "compressed" or not run.quantization.is_file():
        return recipe
    log = QuantizationLog.from_json(run.quantization.read_bytes(), str(run.quantization))
    if log.kept == "none" and recipe.dtype == "int8":
        raise ExportError(
            f"The compressed model of '{run.name}' is not exported to '{recipe.name}'.",
            log.remark,
            "Choose --target tflite or onnx, or compress with another guard.",
        )
    return recipe.model_copy(update={"float_layers": log.float_layers})


@contextlib.contextmanager
def _as_file(content: bytes, recipe: ExportRecipe) -> Generator[Path]:
    """Yield a temporary file with this content."""
    with tempfile.TemporaryDirectory(prefix="edgeecg-") as folder:
        path = Path(folder) / f"model.{recipe.format}"
        files.write_bytes(path, content)
        yield path
