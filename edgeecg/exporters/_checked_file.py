"""One converted model: checked against the limits of its target, scored, described, published."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Generator
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeecg import files, runs
from edgeecg.costs import number_types, proxy, tflite_file
from edgeecg.costs.counting import count
from edgeecg.data import Dataset
from edgeecg.data.windows.filters import for_devices
from edgeecg.errors import ExportError
from edgeecg.evaluation.metrics import score_predictor
from edgeecg.evaluation.multilabel import stored_thresholds
from edgeecg.exporters import _float_lstm, _speed, _verify, exporter
from edgeecg.exporters._float32 import Conversions, in_float32
from edgeecg.exporters._limits import check_score, check_speed
from edgeecg.exporters._publish import embedded, publish
from edgeecg.exporters._source_model import SourceModel
from edgeecg.exporters._validation import ValidationScores
from edgeecg.progress import ProgressCallback
from edgeecg.runs import RunFolder
from edgeecg.schema import (
    Artifact,
    Baseline,
    DType,
    ExportRecipe,
    ModelCard,
    ScoreDrop,
    Scores,
    Speed,
)


@dataclass(frozen=True)
class ExportJob:
    """What the files of one target have in common.

    Attributes:
        run: The run that the models belong to; the files are written to its ``artifacts/``.
        recipe: The target.
        dense: The baseline that their proxies are relative to.
        dataset: The records of the run.
        progress: Called while the files are made.
        conversions: The float32 conversions of the models.
        validation: Compares the files' scores with the models'.
        bench: Operation times of another device for a target that is searched, or None to time
            files here.
    """

    run: RunFolder
    recipe: ExportRecipe
    dense: Baseline
    dataset: Dataset
    progress: ProgressCallback
    conversions: Conversions
    validation: ValidationScores
    bench: Path | None = None


def name_of(job: ExportJob, source: SourceModel) -> str:
    """Return the stem of a file's name."""
    return f"{source.card.name}-{source.card.role}-{job.recipe.name}"


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
    name = name_of(job, source)
    with as_file(content, recipe) as path:
        verification = _verify.check(path, name, source.probe, recipe)
        validation = _validated(job, source, path, name)
        speed = _timed(job, source, path, name)
        layers = count(path)
        test = _scores(job, source.card, path, name)
    manifest = Artifact(
        name=name,
        dtype=_dtype(content, recipe),
        layers=layers,
        costs=proxy.totals(layers),
        verification=verification,
        validation=validation,
        test=test,
        float_reasons=_float_lstm.reasons(content, recipe, layers),
        **_origin(job, source),
    )
    final = _with_manifest(manifest, content, source, recipe)
    published = manifest.model_copy(
        update={
            "file": f"{name}.{recipe.format}",
            "sha256": sha256(final).hexdigest(),
            "size_bytes": len(final),
            "speed": speed,
        }
    )
    publish(job.run.artifacts, final, source.probe, published)
    return published


def _origin(job: ExportJob, source: SourceModel) -> dict[str, Any]:
    """Return the fields of a manifest that say what the file was made from, and by what."""
    card, recipe = source.card, job.recipe
    return {
        "role": card.role,
        "format": recipe.format,
        "target": recipe.name,
        "model": card.name,
        "run": job.run.name,
        "parameters": card.parameters,
        "classes": card.classes,
        "input_shape": (1, *source.probe.x.shape[1:]),
        "preprocessing": card.preprocessing,
        "filters": for_devices(card.preprocessing),
        "data": card.data.source,
        "task": job.dataset.task,
        "class_map": card.data.class_map,
        "min_likelihood": card.training.min_likelihood,
        "weights_sha256": card.weights_sha256,
        "baseline": job.dense,
        "float_layers": recipe.float_layers,
        "float_ops": recipe.float_ops,
        "versions": {name: version(name) for name in exporter(recipe.format).PACKAGES},
        "git_revision": runs.git_revision(),
    }


def _with_manifest(
    manifest: Artifact, content: bytes, source: SourceModel, recipe: ExportRecipe
) -> bytes:
    """Return the file with its manifest in it.

    Raises:
        ExportError: It then has other outputs, or the manifest cannot be read back.
    """
    text = embedded(manifest)
    final = exporter(recipe.format).embed(content, text)
    with as_file(final, recipe) as path:
        again = _verify.check(path, manifest.name, source.probe, recipe)
        if again != manifest.verification or _verify.load(path).manifest_json() != text:
            raise ExportError(
                f"The manifest could not be embedded into '{manifest.name}'.",
                "With it, the file has other outputs, or the manifest cannot be read back.",
                "Choose another target, and report this as a bug of edgeecg.",
            )
    return final


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


def _validated(job: ExportJob, source: SourceModel, path: Path, name: str) -> ScoreDrop | None:
    """Compare a file's validation score with its model's, where the target limits the drop."""
    if job.recipe.max_score_drop is None or not len(job.dataset.val.y):
        return None
    job.progress(f"scoring {name} on the validation records", 0, 1)
    drop = job.validation.compare(source.model, path)
    check_score(name, job.recipe, drop)
    return drop


def _timed(job: ExportJob, source: SourceModel, path: Path, name: str) -> Speed | None:
    """Time a file beside the float32 file of its model; a float32 file is that file."""
    if job.recipe.dtype == "float32":
        return None
    content = job.conversions.file(source.model, in_float32(job.recipe))
    with as_file(content, job.recipe) as float32:
        speed = _speed.compare(path, float32, source.probe.x[:1])
    # Times of another device decided instead of those of this machine.
    if job.bench is None:
        check_speed(name, job.recipe, speed)
    return speed


def _dtype(content: bytes, recipe: ExportRecipe) -> DType:
    """Return the type of the weights; a search may have left all of them in float32."""
    if not recipe.search:
        return recipe.dtype
    with as_file(content, recipe) as path:
        return number_types.of_tflite(tflite_file.read(path)).weights


@contextlib.contextmanager
def as_file(content: bytes, recipe: ExportRecipe) -> Generator[Path]:
    """Yield a temporary file with this content."""
    with tempfile.TemporaryDirectory(prefix="edgeecg-") as folder:
        path = Path(folder) / f"model.{recipe.format}"
        files.write_bytes(path, content)
        yield path
