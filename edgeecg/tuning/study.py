"""The study: Optuna proposes trials, and its storage keeps their outcomes.

A new sampler is made for every draw, from the seed, the number of the trial and the name of the
parameter. What is proposed then depends on the finished trials alone, so that a search on one
worker that was killed proposes the same trials after it is resumed.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study as OptunaStudy, StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState
from pydantic import ValidationError

from edgeecg.errors import EdgeECGError, UsageError
from edgeecg.schema.search import (
    SCORES,
    BudgetRange,
    Dimension,
    Range,
    Sampler,
    SearchConfig,
    TrialState as State,
)
from edgeecg.tuning import space

STARTUP = 10
"""Trials that are drawn at random before the sampler learns from them."""

JOURNAL = "optuna.jsonl"
"""The file of the study in the folder of the search."""

_CONFIG = "edgeecg"
_FAILED = "failed"
_REASON = "reason"
_MAY_CHANGE = ("trials", "retries")
_SECONDS = "seconds"
_MISSING = object()


class RepeatableSampler(BaseSampler):
    """A sampler whose draws depend on seed, trial and parameter, and not on earlier draws."""

    def __init__(self, kind: Sampler, seed: int) -> None:
        """Keep what samplers are made from.

        Args:
            kind: Which one.
            seed: Of the search.
        """
        self._kind: Sampler = kind
        self._seed = seed

    def _fresh(self, number: int, parameter: str = "") -> BaseSampler:
        text = f"{self._seed}/{number}/{parameter}"
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
        if self._kind == "random":
            return RandomSampler(seed=seed)
        if self._kind == "nsga2":
            return NSGAIISampler(seed=seed, population_size=STARTUP)
        return TPESampler(seed=seed, n_startup_trials=STARTUP, multivariate=False)

    def infer_relative_search_space(
        self, study: OptunaStudy, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return the parameters that are drawn together."""
        return self._fresh(trial.number).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: OptunaStudy, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw these."""
        # NSGA-II keeps the parents of a generation when it first chooses them, and reads them in
        # another order later: the second call draws as every later one would.
        self._fresh(trial.number).sample_relative(study, trial, search_space)
        return self._fresh(trial.number).sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: OptunaStudy,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Draw one parameter by itself."""
        sampler = self._fresh(trial.number, param_name)
        return sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self,
        study: OptunaStudy,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Pass the outcome on."""
        self._fresh(trial.number).after_trial(study, trial, state, values)


class Study:
    """The trials of one search, in their storage."""

    def __init__(self, name: str, folder: Path, config: SearchConfig, known: int = 0) -> None:
        """Open the study, or create it. The caller holds the lock of the search.

        Args:
            name: Name of the search.
            folder: Its folder, for the journal file.
            config: What decides its outcome.
            known: How many trials of it have ended, as far as is known.

        Raises:
            UsageError: The storage holds a study of this name with another space, other objectives
                or other records.
            EdgeECGError: The storage cannot be opened, or does not hold a study whose trials are
                known.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._config = config
        directions = [
            StudyDirection.MAXIMIZE if each in SCORES else StudyDirection.MINIMIZE
            for each in config.objectives
        ]
        try:
            storage = _storage(config.storage, folder)
            if known and name not in optuna.get_all_study_names(storage):
                raise _lost(name, known, folder)
            self._study = optuna.create_study(
                storage=storage,
                sampler=RepeatableSampler(config.sampler, config.seed),
                study_name=name,
                directions=directions,
                load_if_exists=True,
            )
            self._agree(name)
        except EdgeECGError:
            raise
        except Exception as error:  # Drivers of databases raise what they like.
            raise EdgeECGError(
                f"The study '{name}' cannot be opened.",
                f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else '-'}.",
                _remedy(error, config.storage, folder),
            ) from error

    def _agree(self, name: str) -> None:
        """Write the configuration into a new study; compare it with that of an old one."""
        # The URL of a database may hold a password.
        now = self._config.model_copy(update={"storage": None})
        held = self._study.user_attrs.get(_CONFIG)
        if held is None and not self._study.get_trials(deepcopy=False):
            document = now.model_dump(mode="json", exclude={"storage"})
            self._study.set_user_attr(_CONFIG, json.dumps(document))
            return
        refuse_other(name, _parsed(held), now)

    @property
    def trials(self) -> list[FrozenTrial]:
        """All trials, in the order of their numbers."""
        return self._study.get_trials(deepcopy=False)

    def unfinished(self) -> list[FrozenTrial]:
        """Return the trials that were proposed and have not ended."""
        return [trial for trial in self.trials if not trial.state.is_finished()]

    def propose(self) -> FrozenTrial:
        """Add the next trial, and return it with its parameters."""
        return self.completed_draws(self._study.ask().number)

    def completed_draws(self, number: int) -> FrozenTrial:
        """Draw the parameters that a trial still lacks: a kill may have come between two draws.

        Args:
            number: Of an unfinished trial.
        """
        trial = Trial(self._study, self.trials[number]._trial_id)  # pyright: ignore[reportPrivateUsage]
        chosen: dict[str, Any] = {}
        for name, dimension in space.dimensions(self._config.space):
            if space.applies(name, self._config.base, chosen):
                chosen[name] = _suggested(trial, name, dimension)
        return self.trials[number]

    def chosen(self, number: int) -> dict[str, Any]:
        """Return the settings of a trial, those with one possible value included."""
        params, found = self.trials[number].params, {}
        for name, dimension in space.dimensions(self._config.space):
            if space.applies(name, self._config.base, found):
                fixed = None if isinstance(dimension, (Range, tuple)) else dimension
                found[name] = params.get(name, fixed)
        return found

    def complete(self, number: int, values: Sequence[float], seconds: float) -> None:
        """Keep the values of a trial."""
        self._close(number, seconds, None, TrialState.COMPLETE, values)

    def prune(self, number: int, reason: str, seconds: float) -> None:
        """Keep that a trial was stopped early."""
        self._close(number, seconds, reason, TrialState.PRUNED)

    def fail(self, number: int, reason: str, seconds: float) -> None:
        """Keep that a trial failed."""
        # TPE does not see trials in Optuna's state FAIL, and would propose their settings most:
        # of these it has the fewest. It counts pruned trials among the worst.
        self._close(number, seconds, reason, TrialState.PRUNED, failed=True)

    def _close(
        self,
        number: int,
        seconds: float,
        reason: str | None,
        state: TrialState,
        values: Sequence[float] | None = None,
        failed: bool = False,
    ) -> None:
        storage, found = self._study._storage, self.trials[number]  # pyright: ignore[reportPrivateUsage]
        kept = {_SECONDS: seconds, _REASON: reason, _FAILED: failed}
        for key, value in kept.items():
            storage.set_trial_user_attr(found._trial_id, key, value)  # pyright: ignore[reportPrivateUsage]
        self._study.tell(number, values, state=state)


def _lost(name: str, known: int, folder: Path) -> EdgeECGError:
    return EdgeECGError(
        f"The trials of the search '{name}' are not in its storage.",
        f"'{folder / 'front.json'}' lists {known}, and the storage holds no study of this name: "
        "the folder was renamed, or the study was removed or damaged.",
        "Rename the folder back, or restore the study; or start a new search under another --name.",
    )


def _remedy(error: Exception, url: str | None, folder: Path) -> str:
    """Return what to do about a storage that cannot be opened."""
    if url is None and isinstance(error, OSError):
        return f"Let '{folder}' be writable, on a file system with symbolic links."
    if url is None:
        return f"'{folder / JOURNAL}' is damaged: restore it from a copy, or start a new search."
    if isinstance(error, ImportError):
        return "Install the driver of this database, e.g. pip install psycopg2-binary."
    return "Check the URL of --storage and that its database can be reached."


def state_of(trial: FrozenTrial) -> State:
    """Return how a trial has ended.

    Args:
        trial: One that has ended.
    """
    if trial.state == TrialState.COMPLETE:
        return "complete"
    # Searches of earlier versions hold Optuna's state FAIL.
    failed = trial.state == TrialState.FAIL or trial.user_attrs.get(_FAILED, False)
    return "failed" if failed else "pruned"


def reason_of(trial: FrozenTrial) -> str | None:
    """Return why a trial is not complete, or None."""
    return trial.user_attrs.get(_REASON)


def seconds_of(trial: FrozenTrial) -> float:
    """Return how long a trial took."""
    return float(trial.user_attrs.get(_SECONDS, 0.0))


def _parsed(held: str | None) -> SearchConfig | None:
    """Return a configuration that a storage holds; None where it is not one of a search."""
    if held is None:
        return None
    try:
        # Settings that an earlier version did not have get their defaults.
        return SearchConfig.model_validate_json(held)
    except ValidationError:
        return None


def refuse_other(name: str, held: SearchConfig | None, now: SearchConfig) -> None:
    """Refuse to go on with a study that was started with something else.

    Args:
        name: Name of the search.
        held: The configuration that it was started with; None where that is not known.
        now: What is asked for now.

    Raises:
        UsageError: They differ; names what.
    """
    before = {} if held is None else _compared(held)
    differing = [
        key
        for key, value in _compared(now).items()
        if key not in _MAY_CHANGE and before.get(key, _MISSING) != value
    ]
    if not differing:
        return
    words = {"data_sha256": "other records", "base": "other settings of the trials"}
    listed = ", ".join(words.get(key, f"another '{key}'") for key in differing)
    raise UsageError(
        f"The study '{name}' is of another search.",
        f"It was started with {listed}.",
        "Choose another --name; or go on with it as it was started, by --resume NAME alone.",
    )


def _compared(config: SearchConfig) -> dict[str, Any]:
    """Return what decides the outcome of a search: a custom module may lie elsewhere by now."""
    base = config.base
    if base.custom is not None:
        custom = base.custom.model_copy(update={"file": base.custom.function})
        base = base.model_copy(update={"custom": custom})
    return config.model_copy(update={"base": base}).model_dump(mode="json")


def _storage(url: str | None, folder: Path) -> BaseStorage:
    with warnings.catch_warnings():
        # The journal is marked experimental in some versions of Optuna.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if url is not None:
            return RDBStorage(url)
        folder.mkdir(parents=True, exist_ok=True)
        # Optuna locks the journal by a symbolic link to the path that it is given.
        path = folder.resolve() / JOURNAL
        # Whoever opens the study holds the lock of the search: this one is of a killed process.
        path.with_name(f"{path.name}.lock").unlink(missing_ok=True)
        _drop_torn_line(path)
        return JournalStorage(JournalFileBackend(str(path)))


def _drop_torn_line(path: Path) -> None:
    """Cut off what a full disk left of the last line; Optuna would append to it."""
    if path.is_file():
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.truncate(path, whole)


def _suggested(trial: Trial, name: str, dimension: Dimension | BudgetRange) -> Any:
    if isinstance(dimension, Range):
        if dimension.whole:
            low, high = int(dimension.low), int(dimension.high)
            return trial.suggest_int(name, low, high, log=dimension.log)
        return trial.suggest_float(name, dimension.low, dimension.high, log=dimension.log)
    if isinstance(dimension, tuple):
        return trial.suggest_categorical(name, dimension)
    return dimension
