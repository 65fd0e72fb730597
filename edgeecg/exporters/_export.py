"""Exporting what a user names: a run, or the package's trained weights of a model."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from edgeecg import arguments, resources, runs
from edgeecg.compression import start
from edgeecg.compression.dense import packaged
from edgeecg.errors import UsageError
from edgeecg.evaluation.threads import limited_threads
from edgeecg.exporters._pipeline import OnLeftOut, export_run
from edgeecg.files import read_bytes
from edgeecg.models import architecture, load_custom
from edgeecg.progress import ProgressCallback, ignore
from edgeecg.runs import RunFolder
from edgeecg.schema import Artifact, ModelCard
from edgeecg.training.start import DataCallback, Listeners, as_trained, load_records


def export(
    run: str | Path | None = None,
    targets: Sequence[str] | str = ("tflite",),
    *,
    model: str | None = None,
    custom: str | None = None,
    threads: int = 1,
    on_progress: ProgressCallback | None = None,
    on_data: DataCallback | None = None,
    on_left_out: OnLeftOut | None = None,
    keep_going: bool = False,
    bench: Path | str | None = None,
) -> list[Artifact]:
    """Export the models of a run to each target, and check every file against PyTorch.

    Args:
        run: Name or path of a run; None for the newest.
        targets: Names of targets, files of the folder ``export/``.
        model: Name of a model whose trained weights come with the package, instead of a run.
        custom: For a run of a custom module: its file and function, ``"path/to/model.py:build"``.
        threads: Threads of PyTorch. Converted files are checked on one thread, as on a device.
        on_progress: Called with what is being done.
        on_data: Called with the data set, once it is loaded.
        on_left_out: Called with the error of a quantised baseline that is left out; without it, the
            error is raised.
        keep_going: Call ``on_left_out`` for every file that is refused, and go on with the next,
            unless not a single file can be written.
        bench: For targets that are searched: a file of ``edgeecg bench --json`` from the device,
            with the times of the operations of the float32 and the int8 file. None times files
            here.

    Returns:
        The manifests of the files, which lie in the run folder under ``artifacts/``.

    Raises:
        UnknownNameError: There is no such target or model.
        UsageError: Both a run and a model are named, or the run is of a custom module whose file
            is not named.
        ExportError: A conversion failed, or a file does not agree with PyTorch.
        DataError: The records of the run are missing.
    """
    arguments.at_least_one("threads", threads)
    names = arguments.listed("targets", targets, "targets=['tflite', 'onnx']")
    recipes = [resources.load_target(name) for name in dict.fromkeys(names)]
    bench = None if bench is None else Path(bench)
    if bench is not None:
        # Before records are read and models converted, which takes a minute.
        read_bytes(bench, str(bench), UsageError, "Give what 'edgeecg bench --json' wrote.")
    folder = run_to_export(run, model, custom)
    described = folder.model_card if folder.finished else folder.baseline_card
    card = ModelCard.from_file(described)
    module = None if custom is None else load_custom(custom)
    found = architecture(card.name, module)
    dataset = load_records(as_trained(card), found, Listeners(on_progress, on_data))
    progress = on_progress or ignore
    progress("loading the converters", 0, 1)
    with limited_threads(threads):
        return export_run(
            folder, recipes, dataset, progress, on_left_out, module, keep_going, bench
        )


def run_to_export(
    run: str | Path | None, model: str | None, custom: str | None = None
) -> RunFolder:
    """Return the folder of the models that are to be exported.

    A run of a search that has no test scores yet gets them.

    Args:
        run: Name or path of a run; None for the newest.
        model: Name of a model that comes with the package, instead of a run.
        custom: Where the file of the run's custom module lies, if it has one.

    Raises:
        UsageError: Both are named.
        EdgeECGError: There is no such run, or it is not finished.
    """
    if model is None:
        if run is None:
            return runs.newest()
        run = str(run)
        command = ["edgeecg", "export", "--run", run]
        command += [] if custom is None else ["--custom", custom]
        for path in (runs.RUNS / run, Path(run)):
            start.score_reduced(RunFolder(path), shlex.join(command), custom)
        return runs.exportable(run)
    if run is not None:
        raise UsageError(
            f"Both the model '{model}' and the run '{run}' are named.",
            "A model's name stands for the package's dense weights, --run for what a run made.",
            "Give one of the two.",
        )
    return packaged(model)
