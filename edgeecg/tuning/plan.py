"""Planning a search: a new one, or one that was started before."""

from __future__ import annotations

import glob
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeecg.compression import guards, settings
from edgeecg.data import Dataset
from edgeecg.errors import EdgeECGError, UsageError
from edgeecg.files import write_text
from edgeecg.models import Architecture, architecture
from edgeecg.runs import RUNS, RunFolder, given_name, new_run
from edgeecg.runs.config_file import read_options
from edgeecg.runs.options import Options, configured, keyword_options, refuse_changes
from edgeecg.schema import CompressionConfig, TrainingConfig
from edgeecg.schema.search import SearchConfig, Space
from edgeecg.training.class_weights import check_classes
from edgeecg.training.start import Listeners, load_records
from edgeecg.tuning import objectives, space, study

# Settings that a program gives under these names are those of the trials.
_OF_TRIALS = ("base", "seed", "data_sha256")


@dataclass(frozen=True)
class Plan:
    """A search that can be performed.

    Attributes:
        name: Its name.
        config: What was asked for.
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
        return RunFolder(self.folder).search

    @property
    def dense(self) -> RunFolder:
        """The run of the dense model that every trial starts from."""
        return RunFolder(RUNS / f"{self.name}-dense")

    def run(self, number: int) -> RunFolder:
        """Return the run folder of a trial."""
        return RunFolder(RUNS / f"{self.name}-{number:03d}")


def sorted_options(values: Mapping[str, Any]) -> Options:
    """Return settings of a search and of its trials by the table that they belong to.

    Raises:
        UnknownNameError: There is no setting of this name.
    """
    searched = [name for name in SearchConfig.model_fields if name not in _OF_TRIALS]
    fields = {**TrainingConfig.model_fields, **CompressionConfig.model_fields}
    known = {**fields, **{name: SearchConfig.model_fields[name] for name in searched}}
    asked = keyword_options(values, known)
    own = {key: value for key, value in asked.values.items() if key in searched}
    shared = {key: value for key, value in asked.values.items() if key not in searched}
    origins = {key: asked.origins[key] for key in own}
    return settings.sorted_options(shared).under("base").over(Options(own, origins))


def configuration(options: Options) -> tuple[SearchConfig, Architecture | None]:
    """Return the configuration that settings amount to, and the custom module that they name.

    Args:
        options: The settings that were given; ``space`` as a table or as the path of a TOML file.

    Raises:
        UsageError: Settings contradict each other, or one has a value that it cannot have.
        SchemaError: The report of layer costs is damaged.
    """
    base, custom = settings.configuration(options.table("base"))
    own = _own(options)
    chosen = own.pop("space", None) or space.read(space.DEFAULT)
    defaults = SearchConfig(base=base, space=chosen, seed=base.training.seed)
    config = configured(SearchConfig, defaults, Options(own, options.origins))
    objectives.check(config.objectives, base, architecture(base.training.model, custom))
    _refuse_gpus_alone(config)
    return config, custom


def started(name: str | None, options: Options, listeners: Listeners) -> Plan:
    """Check a new search, and load its records.

    Args:
        name: Its name; None for the model's name and the time.
        options: The settings that were given, as for :func:`configuration`.
        listeners: What is called while records are loaded.

    Raises:
        UsageError: The name is taken, or a setting cannot be.
        DataError: The records are missing.
    """
    config, custom = configuration(options)
    base = config.base
    folder = new_run(name, f"{base.training.model}-search")
    _refuse_taken(folder.name)
    # A name may be too long for the folder of the dense model alone.
    new_run(f"{folder.name}-dense", base.training.model)
    space.check_choice(config.space, config.trials)
    space.check(base, config.space, custom)
    dataset = load_records(base.training, architecture(base.training.model, custom), listeners)
    check_classes(dataset)
    guards.check_support(base.guards, dataset)
    loaded = config.model_copy(update={"data_sha256": dataset.summary.content_sha256})
    if config.data_sha256 not in (None, loaded.data_sha256):
        raise UsageError(
            "The records are not those of the configuration.",
            f"{options.called('data_sha256')} is the hash of other records.",
            "Leave it out, or give the records that it belongs to.",
        )
    return Plan(folder.name, loaded, dataset, custom)


def resumed(name: str, options: Options, listeners: Listeners) -> Plan:
    """Find a search that was started before; what is asked for now must agree with it.

    The number of trials may change, and where and for how long they are performed.

    Args:
        name: Its name.
        options: The settings that were given, as for :func:`configuration`.
        listeners: What is called while records are loaded.

    Raises:
        UsageError: The space, the objectives, the records or a setting differ.
        EdgeECGError: There is no such search.
    """
    name = given_name(name)
    path = RunFolder(RUNS / name).search
    if not path.is_file():
        raise EdgeECGError(
            f"There is no search '{name}'.",
            f"'{path}' does not exist.",
            f"Start it: edgeecg search MODEL --name {shlex.quote(name)}",
        )
    held = SearchConfig.from_file(path)
    asked, custom = settings.with_custom(options.table("base"))
    if held.base.custom is not None and custom is None:
        settings.refuse_other_file("search", held.base.custom)
        custom = settings.load_named_custom(held.base)
    held = held.model_copy(update={"base": settings.with_moved_module(held.base, custom)})
    _refuse_other_trials(name, held.base, asked, custom)
    own = _own(options)
    changed = configured(SearchConfig, held, Options(own, options.origins))
    _refuse_gpus_alone(changed)
    dataset = load_records(
        held.base.training, architecture(held.base.training.model, custom), listeners
    )
    now = changed.model_copy(update={"data_sha256": dataset.summary.content_sha256})
    study.refuse_other(name, held, now)
    return Plan(name, now, dataset, custom)


def over_file(asked: Options, path: Path) -> Options:
    """Return settings over those of a file; a seed that is asked for is that of the sampler, too.

    Args:
        asked: The settings that were given.
        path: TOML file, or the ``search.json`` of another search.

    Raises:
        UsageError: The file cannot be read, or holds something else.
    """
    of_file = read_options(path, SearchConfig)
    if "seed" in asked.table("base").table("training"):
        of_file = of_file.without(["seed"])
    return asked.over(of_file)


def _refuse_gpus_alone(config: SearchConfig) -> None:
    if config.gpus and config.ray is None:
        raise UsageError(
            "--gpus cannot be used without --ray.",
            "It says what a trial takes of a Ray cluster.",
            "Give --ray, too, or leave --gpus out.",
        )


def write(plan: Plan) -> None:
    """Write the plan into the folder of the search, from where it can be resumed.

    Raises:
        EdgeECGError: The disk is full.
    """
    write_text(plan.written, plan.config.to_json())


def _own(options: Options) -> dict[str, Any]:
    """Return the settings of the search itself, with objectives that exist and the space read.

    Raises:
        UsageError: An objective or a key of the space is unknown, or a value is none that the
            setting can have.
    """
    own = {key: value for key, value in options.values.items() if key != "base"}
    if "objectives" in own:
        own["objectives"] = objectives.named(own["objectives"])
    if "space" in own:
        own["space"] = _space(own["space"])
    return own


def _space(given: Any) -> Space:
    if isinstance(given, Space):
        return given
    if isinstance(given, Mapping):
        return space.parsed(given, "of the configuration")  # pyright: ignore[reportUnknownArgumentType]
    return space.read(Path(given))


def _refuse_other_trials(
    name: str, held: CompressionConfig, asked: Options, custom: Architecture | None
) -> None:
    """Refuse settings of the trials that differ from those that a search was started with."""
    refuse_changes(name, held.training, asked.table("training"))
    own = {key: value for key, value in asked.values.items() if key != "training"}
    own |= settings.measured_costs(asked, architecture(held.training.model, custom))
    refuse_changes(name, held, Options(own, asked.origins))


def _refuse_taken(name: str) -> None:
    """Refuse a name whose trials would go into folders that exist."""
    taken = sorted(path.name for path in RUNS.glob(f"{glob.escape(name)}-*"))
    # Trials have three digits or more; NAME-0 is a run of 'edgeecg compress --seeds'.
    ours = [
        found
        for found in taken
        if found == f"{name}-dense" or re.fullmatch(r"\d{3,}", found[len(name) + 1 :])
    ]
    if ours:
        raise UsageError(
            f"The search cannot be named '{name}'.",
            f"Its trials would go into folders that exist: {ours[0]}.",
            "Choose another --name.",
        )
