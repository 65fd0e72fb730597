"""The run folder on disk: which file is where, and which run or artifact is the newest."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from edgeecg.errors import ON_A_WORKSTATION, EdgeECGError, UsageError, measures_only
from edgeecg.files import check_writable
from edgeecg.schema import MODEL_SUFFIXES

RUNS = Path("runs")

_LONGEST_NAME = 255
"""Bytes, on the usual file systems of Linux, macOS and Windows."""


@dataclass(frozen=True)
class RunFolder:
    """``runs/NAME/``: everything one ``edgeecg compress`` produced, and what followed from it.

    Attributes:
        path: The folder.
    """

    path: Path

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.name

    @property
    def shell_name(self) -> str:
        """What ``--run`` takes, as a shell reads it: the name of a run in ``runs/``, or a path."""
        # A name with a dash in front would be an option.
        alone = self.in_runs and not self.name.startswith("-")
        return shlex.quote(self.name if alone else str(self.path))

    @property
    def in_runs(self) -> bool:
        """Whether it lies in the ``runs/`` of the present folder, where it has a name."""
        return self.path.parent.absolute() == RUNS.absolute()

    @property
    def config(self) -> Path:
        """CompressionConfig: what was asked for; written first."""
        return self.path / "config.json"

    @property
    def training(self) -> Path:
        """TrainingConfig of a run that 'edgeecg train' started; written first."""
        return self.path / "training.json"

    @property
    def model_weights(self) -> Path:
        """Weights of the compressed model (safetensors)."""
        return self.path / "model.safetensors"

    @property
    def model_card(self) -> Path:
        """ModelCard of the compressed model; written last, so its presence means "finished"."""
        return self.path / "model.json"

    @property
    def baseline_weights(self) -> Path:
        """Weights of the dense baseline (safetensors)."""
        return self.path / "baseline.safetensors"

    @property
    def baseline_card(self) -> Path:
        """ModelCard of the dense baseline."""
        return self.path / "baseline.json"

    @property
    def compression_log(self) -> Path:
        """CompressionLog: every finished step."""
        return self.path / "compression.json"

    @property
    def quantization(self) -> Path:
        """QuantizationLog: what int8 did to the compressed model; only where it was asked for."""
        return self.path / "quantization.json"

    @property
    def events(self) -> Path:
        """One JSON object a line: what happened when."""
        return self.path / "log.jsonl"

    @property
    def baseline_checkpoint(self) -> Path:
        """State of unfinished baseline training, after its last whole epoch."""
        return self.path / "checkpoint-baseline.safetensors"

    @property
    def checkpoint(self) -> Path:
        """State of unfinished compression, after its last whole step."""
        return self.path / "checkpoint.safetensors"

    @property
    def lock(self) -> Path:
        """Held by the process that works on the run."""
        return self.path / ".lock"

    @property
    def artifacts(self) -> Path:
        """Folder of exported files, their manifests (``.json``) and probe sets (``.probe.npz``)."""
        return self.path / "artifacts"

    @property
    def bench(self) -> Path:
        """Folder of bench reports and counts of instructions."""
        return self.path / "bench"

    @property
    def report(self) -> Path:
        """The HTML page."""
        return self.path / "report.html"

    @property
    def search(self) -> Path:
        """SearchConfig, where the folder is that of a search and not of a run."""
        return self.path / "search.json"

    @property
    def finished(self) -> bool:
        """Whether compression ran to its end."""
        return self.model_card.is_file()

    @property
    def reduced(self) -> bool:
        """Whether compression is over, and only the test scores and the card are missing."""
        return self.compression_log.is_file() and self.model_weights.is_file() and not self.finished

    @property
    def of_search(self) -> bool:
        """Whether it has the name of a search's trial, NAME-000 and so on, beside that search."""
        search, _, number = self.name.rpartition("-")
        is_number = len(number) >= 3 and number.isdecimal()
        return (
            is_number and bool(search) and RunFolder(self.path.with_name(search)).search.is_file()
        )

    @property
    def dense_only(self) -> bool:
        """Whether it holds a finished dense model, and nobody asked for a compressed one."""
        return self.baseline_card.is_file() and not self.config.is_file() and not self.finished

    def artifact_files(self) -> list[Path]:
        """Return the exported model files, baseline first, then by name."""
        found = [path for path in self.artifacts.glob("*") if path.suffix in MODEL_SUFFIXES]
        return sorted(found, key=lambda path: ("-baseline-" not in path.name, path.stem))

    def bench_files(self) -> list[Path]:
        """Return the bench reports and counts of instructions of this run, oldest first."""
        return sorted(self.bench.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)


def new_run(name: str | None, model: str) -> RunFolder:
    """Choose a run folder, which is not there yet, or in which no run was started.

    Args:
        name: Name of the run; None for the model's name and the time.
        model: Name of the model.

    Raises:
        UsageError: The name cannot be a folder's, or is taken.
        EdgeECGError: The folder cannot be made or written to.
    """
    if name is not None and (why := _misnamed(name)):
        raise UsageError(f"{name!r} cannot be the name of a run.", why, "Choose another --name.")
    if name is not None and (length := len(os.fsencode(name))) > _LONGEST_NAME:
        raise EdgeECGError(
            f"The folder of the run {name!r} cannot be made.",
            f"File name too long: it has {length} bytes, and may have {_LONGEST_NAME}.",
            "Choose another --name.",
        )
    run = RunFolder(RUNS / (name or f"{model}-{datetime.now():%Y%m%d-%H%M%S}"))
    # A process that was killed before it wrote its settings leaves hidden files alone.
    if run.path.is_file() or any(run.path.glob("[!.]*")):
        raise UsageError(
            f"There is a run named '{run.name}' already.",
            "A run is never overwritten.",
            "Choose another --name, or go on with it by --resume.",
        )
    check_writable(run.config)
    return run


def _misnamed(name: str) -> str | None:
    """Return why a new run cannot have a name, or None where it can."""
    if name in ("", ".", "..") or Path(name).name != name:
        return f"It names a folder under '{RUNS}/', so it holds no slash and is not empty."
    if name.startswith("-"):
        return "In a command line, a name with a dash in front is taken for an option."
    if not name.isprintable():
        return "It holds a line break or another character that cannot be printed."
    return None


def newest(runs: Path = RUNS) -> RunFolder:
    """Return the finished run that was written last.

    Raises:
        EdgeECGError: There is no finished run; says how to make one.
    """
    finished = [run for path in sorted(runs.glob("*")) if (run := RunFolder(path)).finished]
    if not finished:
        raise EdgeECGError(
            f"There is no finished run in '{runs}/'.",
            "This command works on what 'edgeecg compress' left there.",
            ON_A_WORKSTATION
            if measures_only()
            else "Run 'edgeecg compress' first (or 'edgeecg compress --resume' to finish one).",
        )
    return max(finished, key=lambda run: run.model_card.stat().st_mtime_ns)


def named(name: str, runs: Path = RUNS) -> RunFolder:
    """Return the run with this name, or the run folder at this path.

    Raises:
        EdgeECGError: There is no such run, or it is not finished.
    """
    for path in (runs / name, Path(name)):
        if path.is_dir():
            run = RunFolder(path)
            if run.finished:
                return run
            raise _unfinished(run)
    known = ", ".join(sorted(path.name for path in runs.glob("*"))) or "none"
    raise EdgeECGError(
        f"There is no run '{name}'.",
        f"The runs in '{runs}/' are: {known}.",
        "Name one of them, or leave the name out for the newest.",
    )


def _unfinished(run: RunFolder) -> EdgeECGError:
    """Return the error of a run without a compressed model, or of what is no run."""
    if run.search.is_file():
        what, why = f"'{run.path}' is a search.", "Each of its trials is a run."
    elif run.dense_only:
        what, why = f"The run '{run.path}' holds a dense model only.", "Nothing was compressed."
    elif run.reduced:
        what = f"The run '{run.path}' is a trial of a search, not scored on the test records yet."
        why = "A search scores the trials of its front alone."
    else:
        what = f"The run '{run.path}' is not finished."
        why = f"'{run.model_card.name}' is not there yet."
    return EdgeECGError(what, why, how_to_finish(run))


def how_to_finish(run: RunFolder) -> str:
    """Return what to do with a run that has no compressed model.

    Args:
        run: The run.
    """
    if run.search.is_file():
        return f"Name one of its trials, such as {_trial_of(run)}; front.json lists them."
    if run.reduced:
        return f"Score it: edgeecg export --run {run.shell_name}"
    if run.dense_only:
        return f"Compress its dense model: edgeecg compress --start {run.shell_name}"
    if run.config.is_file():
        return _how_to_resume(run, "compress")
    if run.training.is_file():
        return _how_to_resume(run, "train")
    parent = RunFolder(run.path.absolute().parent)
    if parent.finished or parent.baseline_card.is_file() or parent.config.is_file():
        return f"It lies in the folder of a run: name {parent.shell_name}."
    return "No run was started in this folder: name another one."


def _how_to_resume(run: RunFolder, verb: str) -> str:
    """Return how to go on with a run, which is possible by its name in ``runs/`` alone."""
    command = f"edgeecg {verb} --name {shlex.quote(run.name)} --resume"
    if run.in_runs:
        return f"Go on with: {command}"
    runs = run.path.absolute().parent
    if runs.name == RUNS.name:
        return f"Go on with: cd {shlex.quote(str(runs.parent))} && {command}"
    return f"Move it to '{RUNS / run.name}' and go on with: {command}"


def _trial_of(search: RunFolder) -> str:
    """Return the first trial of a search's front, or the name that its first trial will have."""
    from edgeecg.schema import Front

    front = search.path / "front.json"
    first = Front.from_file(front).front[:1] if front.is_file() else ()
    trial = first[0] if first else f"{search.name}-000"
    return RunFolder(search.path.with_name(trial)).shell_name


def exportable(name: str, runs: Path = RUNS) -> RunFolder:
    """Return the run with this name, or at this path: a finished one, or one of a dense model.

    Raises:
        EdgeECGError: There is no such run, or it is not finished.
    """
    dense = (run for path in (runs / name, Path(name)) if (run := RunFolder(path)).dense_only)
    return next(dense, None) or named(name, runs)


def trained(name: str, runs: Path = RUNS) -> RunFolder:
    """Return the run with this name, or at this path, that holds a trained dense model.

    Raises:
        EdgeECGError: There is none, or its training is not finished.
    """
    for path in (runs / name, Path(name)):
        if RunFolder(path).baseline_card.is_file():
            return RunFolder(path)
    raise EdgeECGError(
        f"There is no trained model in a run '{name}'.",
        f"Neither '{runs / name}' nor '{name}' holds a 'baseline.json'.",
        f"Train one: edgeecg train --name {shlex.quote(name)} (or go on with it by --resume).",
    )


def newest_untrained(name: str | None = None) -> RunFolder:
    """Return the run with this name, or the one of 'edgeecg train' that was started last.

    Raises:
        EdgeECGError: There is no such run, or its training is finished.
    """
    started = [RunFolder(path.parent) for path in sorted(RUNS.glob("*/training.json"))]
    wanted = [
        run for run in started if name in (None, run.name) and not run.baseline_card.is_file()
    ]
    if not wanted:
        finished = any(run.name == name for run in started)
        raise EdgeECGError(
            "There is nothing to resume.",
            f"The training of '{name}' is finished."
            if finished
            else f"'{RUNS / (name or '')}' holds no unfinished run of 'edgeecg train'.",
            "Go on with 'edgeecg compress --start NAME', or start with 'edgeecg train'.",
        )
    return max(wanted, key=lambda run: run.training.stat().st_mtime_ns)


def newest_unfinished(name: str | None = None) -> RunFolder:
    """Return the run with this name, or the unfinished run that was started last.

    Trials of a search have to be named: 'edgeecg search --resume' goes on with them, and going on
    here scores the test records.

    Raises:
        EdgeECGError: There is no such run, or it is finished already.
    """
    started = [RunFolder(path.parent) for path in sorted(RUNS.glob("*/config.json"))]
    wanted = [
        run
        for run in started
        if not run.finished and (run.name == name if name is not None else not run.of_search)
    ]
    if not wanted:
        finished = any(run.name == name for run in started)
        raise EdgeECGError(
            "There is nothing to resume.",
            f"The run '{name}' is finished."
            if finished
            else f"'{RUNS / (name or '')}' holds no unfinished run of 'edgeecg compress'.",
            "Go on with 'edgeecg export', or start a run with 'edgeecg compress'.",
        )
    return max(wanted, key=lambda run: run.config.stat().st_mtime_ns)
