"""From a finished run to verified files: the baseline and the compressed model in each target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from edgeecg.costs import proxy
from edgeecg.costs.counting import count
from edgeecg.data import Dataset
from edgeecg.errors import ArtifactError, EdgeECGError, ExportError
from edgeecg.exporters import _rejection, _search
from edgeecg.exporters._checked_file import ExportJob, as_file, name_of, verify_and_publish
from edgeecg.exporters._float32 import Conversions, in_float32
from edgeecg.exporters._limits import MissedLimitError
from edgeecg.exporters._source_model import SourceModel, load_sources
from edgeecg.exporters._validation import ValidationScores
from edgeecg.models import Architecture
from edgeecg.progress import ProgressCallback
from edgeecg.runs import RunFolder
from edgeecg.schema import (
    Artifact,
    Baseline,
    ExportRecipe,
    Format,
    QuantizationLog,
    Rejection,
)

OnLeftOut = Callable[[EdgeECGError], None]
"""Called with the reason when a file is not written."""


def export_run(
    run: RunFolder,
    recipes: Sequence[ExportRecipe],
    dataset: Dataset,
    progress: ProgressCallback,
    on_left_out: OnLeftOut | None = None,
    custom: Architecture | None = None,
    keep_going: bool = False,
    bench: Path | None = None,
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
        keep_going: Call ``on_left_out`` for every file that is refused and every format that the
            baseline cannot be converted to, and go on with the next, unless not a single file can
            be written.
        bench: A file of ``edgeecg bench --json`` with the operation times of another device, for
            targets that are searched; None to time files here.

    Returns:
        The manifests of the files written, baseline first within each target.

    Raises:
        ArtifactError: A model of the run is damaged, or its two models do not belong together.
        ExportError: The records are not those of the run, a conversion failed, or a file does not
            agree with PyTorch; files that were exported before are kept.
        EdgeECGError: The disk is full or not writable.
    """
    sources = load_sources(run, dataset, custom)
    conversions, validation = Conversions(dataset), ValidationScores(dataset)
    # None: the baseline cannot be converted to the format.
    dense: dict[Format, Baseline | None] = {}
    refused: list[EdgeECGError] = []
    artifacts: list[Artifact] = []

    def leave_out(error: EdgeECGError, needed: bool) -> None:
        if on_left_out is None or (needed and not keep_going):
            raise error
        on_left_out(error)
        refused.append(error)

    for recipe in recipes:
        if recipe.format not in dense:
            progress(f"converting the baseline to {recipe.format}", 0, 1)
            dense[recipe.format] = None
            try:
                dense[recipe.format] = _dense(sources[0], recipe, conversions)
            except (ExportError, ArtifactError) as error:
                leave_out(error, needed=True)
        costs = dense[recipe.format]
        if costs is None:
            continue
        job = ExportJob(run, recipe, costs, dataset, progress, conversions, validation, bench)
        for source in sources:
            try:
                artifacts.append(_export_model(job, source))
            except (ExportError, ArtifactError) as error:
                leave_out(error, source is sources[-1] or recipe.dtype == "float32")
    if refused and not artifacts:
        raise refused[-1]
    return artifacts


def _dense(baseline: SourceModel, recipe: ExportRecipe, conversions: Conversions) -> Baseline:
    """Return what the baseline costs in a format in float32."""
    with as_file(conversions.file(baseline.model, in_float32(recipe)), recipe) as path:
        costs = proxy.totals(count(path))
    return Baseline(weights_sha256=baseline.card.weights_sha256, costs=costs)


def _export_model(job: ExportJob, source: SourceModel) -> Artifact:
    """Convert one model to one target, and publish the file or the reason why not."""
    job.progress(f"converting the {source.card.role} model to {job.recipe.name}", 0, 1)
    job = replace(job, recipe=_kept_in_float(job.recipe, source, job.run))
    try:
        if job.recipe.search:
            found = _search.fastest(job, source)
            job, content = replace(job, recipe=found.recipe), found.content
        else:
            content = job.conversions.file(source.model, job.recipe)
        return verify_and_publish(job, source, content)
    except MissedLimitError as error:
        raise _rejected(job, source, error) from error


def _rejected(job: ExportJob, source: SourceModel, error: MissedLimitError) -> MissedLimitError:
    """Write why a file was refused into the run folder, and return the error with the layers."""
    name = name_of(job, source)
    calibration = job.conversions.calibration(job.recipe)
    found = _rejection.differences(source.model, job.recipe, calibration, source.probe.x)
    why = error.why + _rejection.where_it_starts(found)
    rejection = Rejection(
        name=name,
        target=job.recipe.name,
        what=error.what,
        why=why,
        todo=error.todo,
        differences=found,
    )
    suffixes = (".json", f".{job.recipe.format}", ".probe.npz")
    earlier = [job.run.artifacts / (name + suffix) for suffix in suffixes]
    _rejection.reject(job.run.artifacts / (name + _rejection.SUFFIX), rejection, earlier)
    return MissedLimitError(error.what, why, error.todo)


def _kept_in_float(recipe: ExportRecipe, source: SourceModel, run: RunFolder) -> ExportRecipe:
    """Return the recipe with the layers that the run found to lose accuracy in int8.

    Raises:
        ExportError: Int8 violates a guard of the run.
    """
    if source.card.role != "compressed" or not run.quantization.is_file():
        return recipe
    log = QuantizationLog.from_file(run.quantization)
    if log.kept == "none" and recipe.dtype == "int8":
        raise ExportError(
            f"The compressed model of '{run.name}' is not exported to '{recipe.name}'.",
            log.remark,
            "Choose --target tflite or onnx, or compress with another guard.",
        )
    return recipe.model_copy(update={"float_layers": log.float_layers})
