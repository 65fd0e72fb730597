"""Experiments as data: what ``experiments/NAME.toml`` may say."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import Field

from edgeecg import plugins
from edgeecg.errors import SchemaError, UnknownNameError
from edgeecg.files import read_toml
from edgeecg.schema.value import Value

from .tasks import Task

BENCHMARKS = Path(__file__).resolve().parents[1]
EXPERIMENTS = BENCHMARKS / "experiments"


class Run(Value):
    """One variant of an experiment, which every seed measures.

    Attributes:
        label: What tables call it.
        of: Take the rows from another experiment, ``"EXPERIMENT: LABEL"``; nothing is measured.
        model: The architecture.
        options: Settings of ``edgeecg compress``, or of ``edgeecg train`` where the kind trains,
            that are not at their default.
        targets: Export targets whose files are scored and timed.
        shown: The target whose file a row of a table is about; without it, the score is that of
            the PyTorch model, and size and time are those of the ``tflite`` file.
        score_each_step: Also score the test records after every step.
        pruner: Whose choice of channels it is.
        dense: The dense model of a beat model: each seed's own, or the package's weights.
    """

    label: str
    of: str | None = None
    model: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    targets: tuple[str, ...] = ()
    shown: str | None = None
    score_each_step: bool = False
    pruner: Literal["edgeecg", "torch-pruning"] = "edgeecg"
    dense: Literal["own", "package"] = "own"

    @property
    def cell(self) -> str:
        """What identifies a compression, without the seed: runs of the same options share it."""
        parts = [self.model or "", *([] if self.pruner == "edgeecg" else [self.pruner])]
        parts += [] if self.dense == "own" else [self.dense]
        for key, value in sorted(self.options.items()):
            held = value if isinstance(value, list) else [value]
            parts.append(f"{key}={'+'.join(map(str, held))}")
        return "_".join(parts)


class Table(Value):
    """One table that is made of the rows.

    Attributes:
        marker: ``<!-- MARKER -->`` on a page stands before the table.
        title: Heading in ``RESULTS.md``; a table without one is on other pages only.
        made_by: The function that makes it, ``"MODULE:FUNCTION"`` of ``harness/tables/``.
        also: Other experiments whose rows it needs.
        position: Place in ``RESULTS.md``, lowest first.
    """

    marker: str
    title: str | None = None
    made_by: str
    also: tuple[str, ...] = ()
    position: int = 1000


class Quick(Value):
    """What ``--quick`` measures of an experiment.

    Attributes:
        runs: Labels; all runs where left out.
        model: A small architecture in the place of that of the runs.
        settings: Settings of the kind that differ.
    """

    runs: tuple[str, ...] | None = None
    model: str | None = None
    settings: dict[str, Any] = Field(default_factory=dict)


class Experiment(Value):
    """One experiment.

    Attributes:
        name: The name of its file.
        title: What it shows, in words.
        kind: Module of ``harness/kinds/``, or of ``benchmarks/``, that measures it.
        seeds: Seeds that a row of a table needs.
        settings: Settings of the kind.
        runs: Its variants; ``[[run]]`` in the file.
        tables: Its tables; ``[[table]]`` in the file.
        quick: What ``--quick`` measures.
    """

    name: str
    title: str
    kind: str
    seeds: tuple[int, ...] = (0, 1, 2)
    settings: dict[str, Any] = Field(default_factory=dict)
    runs: tuple[Run, ...] = Field(default=(), alias="run")
    tables: tuple[Table, ...] = Field(default=(), alias="table")
    quick: Quick = Quick()

    def run(self, label: str) -> Run:
        """Return a run by its label.

        Raises:
            UnknownNameError: There is none of this label.
        """
        for each in self.runs:
            if each.label == label:
                return each
        raise UnknownNameError("run", label, [each.label for each in self.runs])

    def quickly(self) -> Experiment:
        """Return what ``--quick`` measures: one seed, few runs, small settings."""
        labels = self.quick.runs
        chosen = self.runs if labels is None else tuple(self.run(label) for label in labels)
        if self.quick.model is not None:
            small = {"model": self.quick.model}
            chosen = tuple(run.model_copy(update=small) for run in chosen)
        settings = {**self.settings, **self.quick.settings}
        return self.model_copy(
            update={"seeds": self.seeds[:1], "runs": chosen, "settings": settings}
        )


@dataclass(frozen=True)
class Context:
    """What a kind has to know beside the experiment.

    Attributes:
        quick: Measure at toy size.
        folder: Folder of all experiment files, for runs that refer to another experiment.
        until_s: ``time.monotonic()`` after which a task that can be interrupted stops.
    """

    quick: bool = False
    folder: Path = EXPERIMENTS
    until_s: float = float("inf")


class Kind(Protocol):
    """What a module that measures experiments offers.

    Attributes:
        PACKAGES: Packages whose versions belong into every row.
    """

    PACKAGES: tuple[str, ...]

    def tasks(self, experiment: Experiment, context: Context) -> Iterable[Task]:
        """Return everything that is to be measured, in order; measuring is the runner's part.

        Raises:
            EdgeECGError: The experiment asks for something that does not exist.
        """
        ...


def names(folder: Path = EXPERIMENTS) -> list[str]:
    """Return the names of all experiments."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def load(name: str, folder: Path = EXPERIMENTS) -> Experiment:
    """Read an experiment.

    Args:
        name: Its name, or the path of a file of one's own.
        folder: Folder of the experiment files.

    Raises:
        UnknownNameError: There is no such experiment.
        SchemaError: The file has an unknown key or a value that it cannot have.
    """
    path = Path(name) if name.endswith(".toml") else folder / f"{name}.toml"
    if not path.is_file():
        raise UnknownNameError("experiment", name, names(folder))
    document = read_toml(path, str(path), SchemaError)
    return Experiment.from_document({"name": path.stem, **document}, str(path))


def checked(experiment: Experiment) -> Experiment:
    """Return an experiment whose kind and models exist.

    Raises:
        UnknownNameError: One of them does not exist; says which do.
    """
    known, models = kind_names(), plugins.names("edgeecg.models")
    if experiment.kind not in known:
        raise UnknownNameError("kind of experiment", experiment.kind, known)
    for run in experiment.runs:
        if run.model is not None and run.model not in models:
            raise UnknownNameError("model", run.model, models)
    return experiment


def kind_names() -> list[str]:
    """Return the modules of ``kinds/`` and of ``benchmarks/`` that measure experiments."""
    modules = [*(BENCHMARKS / "harness" / "kinds").glob("[a-z]*.py"), *BENCHMARKS.glob("[a-z]*.py")]
    # What stands beside run.py need not be a kind.
    found = [path.stem for path in modules if "\ndef tasks(" in path.read_text(encoding="utf-8")]
    return sorted(found)


def kind(name: str) -> Kind:
    """Import the module of a kind."""
    inside = f"harness.kinds.{name}"
    found: Any = importlib.import_module(inside if importlib.util.find_spec(inside) else name)
    return found
