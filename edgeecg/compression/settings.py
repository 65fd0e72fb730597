"""The configuration of a compression, from the settings that were given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from edgeecg import arguments
from edgeecg.costs import measured
from edgeecg.errors import UsageError
from edgeecg.files import sha256
from edgeecg.models import Architecture, architecture, build, layer_costs, load_custom
from edgeecg.models._custom import CustomArchitecture
from edgeecg.runs import trained
from edgeecg.runs.config_file import read_options
from edgeecg.runs.options import Options, configured, keyword_options
from edgeecg.schema import (
    CompressionConfig,
    CustomModule,
    MeasuredCosts,
    ModelCard,
    TrainingConfig,
)
from edgeecg.training.compatibility import check_draw
from edgeecg.training.start import as_trained

FINE_TUNING_OF_BEATS: Mapping[str, Any] = {
    "distill_alpha": 1.0,
    "finetune_windows": "wide",
    "finetune_norm": "frozen",
    "finetune_epochs": 4,
    "finetune_last_epochs": 20,
}
"""Defaults for beats: the compressed model learns from the dense model alone, as a function.

Chosen on DS1 by the fidelity to the dense model (``benchmarks/experiments/rare_beats.toml``).
"""

_BY_BUDGET = ("sparsity", "steps")
"""Settings that follow from a budget; the number of steps may be given beside it all the same."""

_LISTS = {"budgets": "budget={'energy': 0.2}", "guards": "guards=['S:recall>=0.5']"}
"""Settings that are lists of texts, each with an example."""


def sorted_options(values: Mapping[str, Any]) -> Options:
    """Return settings of a compression and of its training by the table that they belong to.

    Args:
        values: The settings; ``budgets`` as a mapping, too, and a single guard as a text.

    Raises:
        UnknownNameError: There is no setting of this name.
        UsageError: Budgets or guards are neither texts nor a mapping.
    """
    values = {key: _as_list(key, value) for key, value in values.items()}
    outer = set(CompressionConfig.model_fields)
    inner = {key: value for key, value in values.items() if key not in outer}
    known = {**TrainingConfig.model_fields, **CompressionConfig.model_fields}
    training = keyword_options(inner, known)
    own = keyword_options({key: values[key] for key in values if key in outer}, known)
    return nested(own, training)


def _as_list(key: str, value: object) -> object:
    if value is None or key not in _LISTS:
        return value
    return arguments.conditions(key, value, _LISTS[key])


def nested(own: Options, training: Options) -> Options:
    """Return the settings of a compression, with those of its training as a table in them."""
    return training.under("training").over(own)


def over_file(options: Options, path: Path) -> Options:
    """Return settings with those of a file below them.

    A budget replaces the sparsity of the file and its number of steps, which may not suit it, and
    a sparsity its budgets.

    Args:
        options: The settings that were given.
        path: TOML file with settings of a compression, or the ``config.json`` of a run.

    Raises:
        UsageError: The file cannot be read, or has a key or a value that cannot be.
    """
    file = read_options(path, CompressionConfig)
    if path.suffix == ".json" and file.values.get("budgets"):
        # A run keeps all settings; this one has no effect beside its budget.
        file = file.without(("sparsity",))
    replaced: tuple[str, ...] = ()
    if options.values.get("budgets"):
        replaced = _BY_BUDGET
    elif "sparsity" in options:
        replaced = ("budgets",)
    return options.over(file.without(replaced))


def decided_by_budget(options: Options) -> tuple[str, ...]:
    """Return the settings that follow from a budget that was given, and were not given beside it.

    Args:
        options: The settings that were given.
    """
    if not options.values.get("budgets"):
        return ()
    return tuple(key for key in _BY_BUDGET if key not in options)


def configuration(options: Options) -> tuple[CompressionConfig, Architecture | None]:
    """Return the configuration that settings amount to, and the custom module that they name.

    Raises:
        UsageError: Settings contradict each other or the model, or the layer costs are another
            model's.
        SchemaError: The report of layer costs is damaged.
    """
    _refuse_two_targets(options)
    options, custom = with_custom(options)
    training = options.table("training")
    if "start" in options:
        card_path = trained(str(options.values["start"])).baseline_card
        recipe = as_trained(ModelCard.from_file(card_path))
        if training.values.get("model", recipe.model) != recipe.model:
            raise UsageError(
                f"'{options.values['start']}' is no model '{training.values['model']}'.",
                f"The run that --start names has trained '{recipe.model}'.",
                "Leave the model out, or name another run.",
            )
    else:
        model = str(training.values.get("model", TrainingConfig().model))
        recipe = architecture(model, custom).RECIPE
    asked = configured(TrainingConfig, recipe, training)
    found = architecture(asked.model, custom)
    check_draw(found, asked, training)
    body = {
        **options.values,
        **measured_costs(options, found),
        "training": asked.model_dump(mode="json"),
    }
    defaults = _defaults(found, options.values)
    config = configured(CompressionConfig, defaults, Options(body, options.origins))
    _refuse_two_dense_models(config, options)
    return config, custom


def changed_defaults(
    config: CompressionConfig, given: Mapping[str, Any], of: Architecture
) -> dict[str, Any]:
    """Return the defaults of fine-tuning that are others once more settings are chosen.

    Args:
        config: A configuration of :func:`configuration`; a setting that differs from its default
            is left out.
        given: The settings that are chosen in addition.
        of: The architecture.
    """
    before = _defaults(of, {"distill": config.distill})
    after = _defaults(of, {"distill": config.distill, **given})
    return {
        name: getattr(after, name)
        for name in FINE_TUNING_OF_BEATS
        if name not in given and getattr(config, name) == getattr(before, name)
    }


def _defaults(of: Architecture, given: Mapping[str, Any]) -> CompressionConfig:
    """Return the settings where nothing is given.

    The defaults of the class are those of earlier versions, whose documents lack newer fields.

    Args:
        of: The architecture.
        given: What is given. A number of epochs holds for all steps, the last one too; without
            the dense model there is nothing to be fitted to.
    """
    if of.TASK != "beats" or not given.get("distill", True):
        return CompressionConfig(default_guards=True)
    tuning = dict(FINE_TUNING_OF_BEATS)
    if "finetune_epochs" in given:
        del tuning["finetune_last_epochs"]
    return CompressionConfig(default_guards=True, **tuning)


def measured_costs(options: Options, of: Architecture) -> dict[str, MeasuredCosts]:
    """Return the measured layer costs as a field of a configuration, if they are given.

    Raises:
        UsageError: They are not those of this model's dense float32 file.
        SchemaError: The report is damaged, or what was given is not layer costs.
    """
    if "costs" not in options:
        return {}
    given, dense = options.values["costs"], layer_costs(build(of), of.INPUT_SHAPE)
    if not isinstance(given, Mapping):
        return {"costs": measured.read(Path(str(given)), of.RECIPE.model, dense)}
    # A configuration file holds the costs themselves.
    found = MeasuredCosts.from_document(cast("object", given), options.called("costs"))
    measured.check(found, of.RECIPE.model, dense)
    return {"costs": found}


def refuse_other_file(what: str, custom: CustomModule) -> None:
    """Refuse to run a file that is not the one that a run or a search was started with.

    Args:
        what: What was started, ``"run"`` or ``"search"``.
        custom: The module that it was started with.

    Raises:
        UsageError: The file has changed.
    """
    path = Path(custom.file.rpartition(":")[0])
    if path.is_file() and sha256(path) != custom.sha256:
        raise UsageError(
            f"The {what} cannot go on with another module.",
            f"'{custom.file}' has changed since the {what} was started.",
            f"Put the old file back, or start a new {what}.",
        )


def with_moved_module(
    config: CompressionConfig, custom: CustomArchitecture | None
) -> CompressionConfig:
    """Return a configuration that names its custom module at the place where it lies now.

    Args:
        config: What a run or a search was started with.
        custom: The module that is given now; where it is another one, nothing is changed.
    """
    before, now = config.custom, None if custom is None else custom.origin
    if before is None or now is None:
        return config
    if (now.sha256, now.function) != (before.sha256, before.function):
        return config
    return config.model_copy(update={"custom": now})


def load_named_custom(config: CompressionConfig) -> CustomArchitecture | None:
    """Load the custom module that a configuration names; None where it names none."""
    return None if config.custom is None else load_custom(config.custom.file)


def with_custom(options: Options) -> tuple[Options, CustomArchitecture | None]:
    """Load the custom module that is given as the model, if one is; this runs its Python file.

    Args:
        options: The settings that were given.

    Returns:
        The settings, with the module's name in the place of the model; and the module, or None.
    """
    model = options.table("training").values.get("model")
    if model is None or ":" not in str(model):
        return options, None
    custom = load_custom(str(model))
    named = {
        "custom": custom.origin.model_dump(mode="json"),
        "training": {"model": custom.RECIPE.model},
    }
    return Options(named).over(options), custom


def model_name(options: Options) -> str:
    """Return how a run of these settings is called where it is given no name."""
    given_model = str(options.table("training").values.get("model", TrainingConfig().model))
    place, _, function = given_model.rpartition(":")
    return f"{Path(place).stem}.{function}" if place else given_model


def _refuse_two_targets(options: Options) -> None:
    """Refuse a sparsity beside a budget."""
    if options.values.get("budgets") and "sparsity" in options:
        raise UsageError(
            f"{options.called('budgets')} and {options.called('sparsity')} contradict each other.",
            "Both say how far the model is compressed.",
            "Give one of them.",
        )


def refuse_one_seed(options: Options) -> None:
    """Refuse a seed beside a number of seeds.

    Args:
        options: What was given on the command line, without a file: the number of seeds replaces
            the seed of that.

    Raises:
        UsageError: A seed was given.
    """
    training = options.table("training")
    if "seed" in training:
        raise UsageError(
            f"{training.called('seed')} and '--seeds' contradict each other.",
            "'--seeds 3' runs the seeds 0, 1 and 2.",
            "Give one of them.",
        )


def _refuse_two_dense_models(config: CompressionConfig, options: Options) -> None:
    """Refuse to train the dense model anew where it is that of a run."""
    if config.start is not None and config.retrain:
        raise UsageError(
            f"{options.called('start')} and {options.called('retrain')} contradict each other.",
            "The dense model is that of the run, or is trained from the beginning.",
            "Give one of them.",
        )
