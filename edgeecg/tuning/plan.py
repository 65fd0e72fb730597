"""Planning a search: a new one, or one that was started before."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgeecg.compression.start import configuration, load_named_custom
from edgeecg.data import Dataset
from edgeecg.errors import EdgeECGError, UsageError
from edgeecg.files import write_text
from edgeecg.models import Architecture, architecture
from edgeecg.runs import RUNS, RunFolder, new_run
from edgeecg.runs.options import Options, refuse_changes
from edgeecg.schema.search import Objective, Sampler, SearchConfig
from edgeecg.training.start import Listeners, load_records
from edgeecg.tuning import objectives, space, study

OBJECTIVES: tuple[Objective, ...] = ("macro_f1", "energy")
"""What is traded off where nothing is named."""


@dataclass(frozen=True)
class Request:
    """What a user asks for; None where nothing was said.

    Attributes:
        options: Settings that all trials share, as for ``edgeecg compress``.
        objectives: What is traded off.
        trials: How many.
        space: TOML file with the space.
        sampler: What proposes trials.
        prune: Whether hopeless trials are stopped.
        storage: URL of the database that holds the study.
    """

    options: Options
    objectives: tuple[str, ...] = ()
    trials: int | None = None
    space: Path | None = None
    sampler: Sampler | None = None
    prune: bool | None = None
    storage: str | None = None


@dataclass(frozen=True)
class Plan:
    """A search that can be performed.

    Attributes:
        name: Its name.
        config: What decides its outcome.
        dataset: The records.
        custom: The custom module, if it is of one.
    """

    name: str
    config: SearchConfig
    dataset: Dataset
    custom: Architecture | None

    @property
    def folder(self) -> Path:
        """The folder of the search; those of its trials lie beside it."""
        return RUNS / self.name

    @property
    def written(self) -> Path:
        """The file from which the search can be resumed."""
        return self.folder / "search.json"

    @property
    def dense(self) -> RunFolder:
        """The run of the dense model that every trial starts from."""
        return RunFolder(RUNS / f"{self.name}-dense")

    def run(self, number: int) -> RunFolder:
        """Return the run folder of a trial."""
        return RunFolder(RUNS / f"{self.name}-{number:03d}")


def started(name: str | None, request: Request, listeners: Listeners) -> Plan:
    """Check a new search, and load its records.

    Args:
        name: Its name; None for the model's name and the time.
        request: What is asked for.
        listeners: What is called while records are loaded.

    Raises:
        UsageError: The name is taken, or a part of the request cannot be.
        DataError: The records are missing.
    """
    base, custom = configuration(request.options)
    of = architecture(base.training.model, custom)
    found = objectives.named(request.objectives or OBJECTIVES)
    objectives.check(found, base, of)
    chosen = space.read(request.space or space.DEFAULT)
    folder = new_run(name, f"{base.training.model}-search")
    _refuse_taken(folder.name)
    space.check(base, chosen, custom)
    dataset = load_records(base.training, of, listeners)
    config = SearchConfig(
        base=base,
        space=chosen,
        objectives=found,
        trials=request.trials or 40,
        sampler=request.sampler or "tpe",
        seed=base.training.seed,
        prune=request.prune is not False,
        storage=request.storage,
        data_sha256=dataset.summary.content_sha256,
    )
    return Plan(folder.name, config, dataset, custom)


def resumed(name: str, request: Request, listeners: Listeners) -> Plan:
    """Find a search that was started before; what is asked for now must agree with it.

    The number of trials alone may change.

    Args:
        name: Its name.
        request: What is asked for.
        listeners: What is called while records are loaded.

    Raises:
        UsageError: The space, the objectives, the records or a setting differ.
        EdgeECGError: There is no such search.
    """
    path = RUNS / name / "search.json"
    if not path.is_file():
        raise EdgeECGError(
            f"There is no search '{name}'.",
            f"'{path}' does not exist.",
            f"Start it: edgeecg search MODEL --name {name}",
        )
    held = SearchConfig.from_json(path.read_bytes(), str(path))
    refuse_changes(name, held.base.training, request.options.table("training"))
    own = {key: value for key, value in request.options.values.items() if key != "training"}
    if "costs" in own:
        of_model = {"costs": own["costs"], "training": {"model": held.base.training.model}}
        own["costs"] = configuration(Options(of_model))[0].costs
    refuse_changes(name, held.base, Options(own, request.options.origins))
    custom = load_named_custom(held.base)
    dataset = load_records(
        held.base.training, architecture(held.base.training.model, custom), listeners
    )
    asked = {
        "objectives": objectives.named(request.objectives or held.objectives),
        "space": held.space if request.space is None else space.read(request.space),
        "sampler": request.sampler or held.sampler,
        "prune": held.prune if request.prune is None else request.prune,
        "data_sha256": dataset.summary.content_sha256,
    }
    now = held.model_copy(update=asked)
    study.refuse_other(name, held.model_dump(mode="json"), now.model_dump(mode="json"))
    trials = request.trials or held.trials
    return Plan(name, held.model_copy(update={"trials": trials}), dataset, custom)


def write(plan: Plan) -> None:
    """Write the plan into the folder of the search, from where it can be resumed.

    Raises:
        EdgeECGError: The disk is full.
    """
    write_text(plan.written, plan.config.to_json())


def _refuse_taken(name: str) -> None:
    """Refuse a name whose trials would go into folders that exist."""
    taken = sorted(path.name for path in RUNS.glob(f"{name}-*"))
    ours = [
        found for found in taken if found == f"{name}-dense" or found[len(name) + 1 :].isdigit()
    ]
    if ours:
        raise UsageError(
            f"The search cannot be named '{name}'.",
            f"Its trials would go into folders that exist: {ours[0]}.",
            "Choose another --name.",
        )
