"""Exports models to every target, dense and compressed, and times the files beside each other.

A model is compressed once, in the run folder ``runs/export-LABEL-SEED``; of a model without budgets
the weights of the package are exported alone. Three kinds of rows:

- ``what: files``, a row for each role: the file of one target with its size, its operations, its
  agreement with PyTorch and its scores, or why it was refused. Other programs may run meanwhile.
- ``what: times``: all files of a model and PyTorch, timed in rounds in one call. Nothing else may
  run meanwhile. Files that were not exported yet are written for it, unchecked and not scored.
- ``what: instructions``: those of an inference of every TFLite file on each emulated core. Other
  programs may run meanwhile. Needs the image of ``edgeecg emulator build``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_args

import edgeecg
from edgeecg import models, resources
from edgeecg.benchmark import instructions
from edgeecg.compression.dense import packaged
from edgeecg.devices.emulator.cores import PREFIX
from edgeecg.errors import EdgeECGError, ExportError
from edgeecg.exporters._float32 import Conversions
from edgeecg.files import write_bytes
from edgeecg.runs import RUNS, RunFolder
from edgeecg.schema import Artifact, ModelCard, Rejection, Role
from edgeecg.training.start import as_trained, load_records

from ..dense_models import toy_training
from ..experiment import Context, Experiment, Run
from ..rounds import Ready, Rounds, file_ready, module_ready, timed
from ..tasks import Task

PACKAGES = (
    *("torch", "torch-pruning", "litert-torch", "ai-edge-quantizer", "ai-edge-litert"),
    *("onnx", "onnxscript", "onnxruntime"),
)
ROLES: tuple[Role, ...] = get_args(Role)
_REFUSED = ".rejected"


def tasks(experiment: Experiment, context: Context) -> Iterable[Task]:
    """Return a task for each target of a model, and one for the times of all its files.

    Another one counts the instructions of its TFLite files, where the settings name a core.
    """
    settings = experiment.settings
    targets = settings["targets"] or resources.target_names()
    rounds = Rounds(settings["rounds"], settings["seconds"])
    for seed in experiment.seeds:
        for run in experiment.runs:
            for target in targets:
                key = {"what": "files", "run": run.label, "seed": seed, "target": target}
                made = partial(_file_rows, run, seed, target, context.quick)
                yield Task(key, made, rows=len(ROLES) if _budgets(run) else 1)
        for run in experiment.runs:
            made = partial(_times_row, run, seed, targets, rounds, context.quick)
            yield Task({"what": "times", "run": run.label, "seed": seed}, made)
        for run in experiment.runs if settings["cores"] else ():
            made = partial(_instructions_row, run, seed, targets, settings["cores"], context.quick)
            yield Task({"what": "instructions", "run": run.label, "seed": seed}, made)


def _budgets(run: Run) -> Sequence[str]:
    return run.options.get("budgets", ())


def models_of(run: Run, seed: int, quick: bool) -> RunFolder:
    """Return the run folder of a model. Compress it unless that is done; go on if it was begun.

    Args:
        run: The model, and what it is compressed to; without budgets the dense model alone.
        seed: Decides all that compression draws.
        quick: Compress at toy size.
    """
    if not _budgets(run):
        return packaged(run.model or "")
    folder = RunFolder(Path(RUNS) / f"export-{run.label}-{seed}")
    if folder.finished:
        return folder
    if folder.config.is_file():
        edgeecg.compress(name=folder.name, resume=True)
        return folder
    options = dict(run.options)
    budgets: Sequence[str] = options.pop("budgets")
    if quick:
        options |= {"steps": 1, "finetune_epochs": 1, "retries": 0, **toy_training(run.model or "")}
        budgets = ()
    edgeecg.compress(run.model, name=folder.name, budget=budgets, seed=seed, **options)
    return folder


def _file_rows(run: Run, seed: int, target: str, quick: bool) -> list[dict[str, Any]]:
    folder = models_of(run, seed, quick)
    failures = exported(folder, [target])
    return [_file_row(folder, role, target, failures) for role in _roles(folder)]


def exported(folder: RunFolder, targets: Sequence[str]) -> list[EdgeECGError]:
    """Export the models of a run anew, and return the errors about files that were not written."""
    for target in targets:
        for role in _roles(folder):
            for path in _paths(folder, role, target):
                path.unlink(missing_ok=True)
    failures: list[EdgeECGError] = []
    try:
        edgeecg.export(folder.name, targets, keep_going=True, on_left_out=failures.append)
    except ExportError as error:
        # Not a single file could be written.
        if error not in failures:
            failures.append(error)
    return failures


def _roles(folder: RunFolder) -> tuple[Role, ...]:
    return ROLES if folder.model_card.is_file() else ("baseline",)


def _paths(folder: RunFolder, role: Role, target: str) -> list[Path]:
    stem = folder.artifacts / f"{_card(folder, role).name}-{role}-{target}"
    return [Path(f"{stem}{suffix}") for suffix in (".json", ".tflite", ".onnx", _REFUSED)]


def _card(folder: RunFolder, role: Role) -> ModelCard:
    path = folder.baseline_card if role == "baseline" else folder.model_card
    return ModelCard.from_file(path)


def _file_row(
    folder: RunFolder, role: Role, target: str, failures: Sequence[EdgeECGError]
) -> dict[str, Any]:
    """Return what is known of one file, or why there is none."""
    card = _card(folder, role)
    metric, score = card.test.headline
    known = {
        "role": role,
        "model": card.name,
        "parameters": card.parameters,
        "metric": metric,
        "score_of_pytorch": score,
        "windows": card.test.n,
        # The process that compressed may be another one than that which exported.
        "made_by": card.git_revision,
    }
    manifest, *_, refused = _paths(folder, role, target)
    if not manifest.is_file():
        return known | {"refused": reason(refused, role, failures)}
    made = Artifact.from_file(manifest)
    if made.test is None:
        raise ValueError(f"{manifest} has no score")
    return known | {
        "refused": None,
        "format": made.format,
        "dtype": made.dtype,
        "sha256": made.sha256,
        "size_bytes": made.size_bytes,
        "ops": len(made.layers),
        "macs": made.costs.macs,
        "probes": made.verification.n,
        "same_labels": made.verification.label_agreement,
        "max_abs_diff": made.verification.max_abs_diff,
        "score": made.test.headline[1],
        "validation": None if made.validation is None else made.validation.model_dump(),
        "float_ops": made.float_ops,
        "float_layers": made.float_layers,
    }


def reason(refused: Path, role: Role, failures: Sequence[EdgeECGError]) -> str:
    """Return why a file was not written.

    Args:
        refused: Its ``.rejected`` file, which need not exist.
        role: Its role.
        failures: What :func:`exported` returned.
    """
    if refused.is_file():
        return Rejection.from_file(refused).why
    of_role = [error for error in failures if role in error.what] or list(failures)
    return of_role[-1].why if of_role else "It was not written."


def _times_row(
    run: Run, seed: int, targets: Sequence[str], rounds: Rounds, quick: bool
) -> list[dict[str, Any]]:
    """Time all files of a model and PyTorch in rounds; ratios are to its float32 TFLite file."""
    folder = models_of(run, seed, quick)
    ready: dict[str, Ready] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for role in _roles(folder):
            found = _files(folder, role, targets, Path(temporary))
            ready |= {f"{role}-{target}": partial(file_ready, path) for target, path in found}
            card = _card(folder, role)
            shape = models.architecture(card.name).INPUT_SHAPE
            module = models.load(_weights(folder, role), card)
            ready[f"{role}-pytorch"] = partial(module_ready, module, shape)
        references = {name: f"{name.partition('-')[0]}-tflite" for name in ready}
        return [{"rounds": rounds.count, "files": timed(ready, references, rounds)}]


def _instructions_row(
    run: Run, seed: int, targets: Sequence[str], cores: Sequence[str], quick: bool
) -> list[dict[str, Any]]:
    """Count the instructions of all TFLite files of a model on every core."""
    folder = models_of(run, seed, quick)
    countable = [each for each in targets if resources.load_target(each).format == "tflite"]
    with tempfile.TemporaryDirectory() as temporary:
        paths = {
            f"{role}-{target}": path
            for role in _roles(folder)
            for target, path in _files(folder, role, countable, Path(temporary))
        }
        reports = {
            core: instructions.count(list(paths.values()), PREFIX + core, operations=False)
            for core in cores
        }
    files: dict[str, dict[str, Any]] = {name: {} for name in paths}
    for core, report in reports.items():
        for name, result in zip(files, report.results, strict=True):
            files[name] |= {
                "sha256": result.artifact.sha256,
                "runtime": result.runtime,
                core: result.instructions.per_inference,
            }
    used = next(iter(reports.values()))
    return [
        {
            "emulated": True,
            "emulator": used.results[0].instructions.emulator,
            "kernel": used.image.kernel,
            "image": used.image.recipe,
            "files": files,
        }
    ]


def _weights(folder: RunFolder, role: Role) -> Path:
    return folder.baseline_weights if role == "baseline" else folder.model_weights


def _files(
    folder: RunFolder, role: Role, targets: Sequence[str], temporary: Path
) -> list[tuple[str, Path]]:
    """Return the files to time: those of the run, and what has not been exported yet.

    The latter are written without a check and without a score, which takes longest. Refused files
    are left out, and so are targets that are searched.
    """
    found: list[tuple[str, Path]] = []
    missing: list[str] = []
    for target in targets:
        manifest, *files, refused = _paths(folder, role, target)
        there = [path for path in files if path.is_file() and manifest.is_file()]
        found += [(target, path) for path in there]
        if not there and not refused.is_file() and not resources.load_target(target).search:
            missing.append(target)
    if missing:
        card = _card(folder, role)
        model = models.load(_weights(folder, role), card)
        dataset = load_records(as_trained(card), models.architecture(card.name))
        conversions = Conversions(dataset)
        for target in missing:
            recipe = resources.load_target(target)
            path = temporary / f"{role}-{target}.{recipe.format}"
            write_bytes(path, conversions.file(model, recipe))
            found.append((target, path))
    return found
