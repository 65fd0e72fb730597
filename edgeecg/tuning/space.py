"""The space of a search: reading it, checking it, and what a choice amounts to."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from edgeecg.compression import budget, pipeline, settings
from edgeecg.errors import UnknownNameError, UsageError
from edgeecg.files import read_toml
from edgeecg.models import Architecture, architecture, build
from edgeecg.schema import Budget, CompressionConfig
from edgeecg.schema.search import BudgetRange, Dimension, Range, Space

DEFAULT = Path(__file__).parent / "space.toml"
"""The space that is searched when none is given."""

_TODO = "Correct the file; 'edgeecg search --print-space' prints the default with explanations."

# A setting that has no effect unless another one has one of these values is not chosen. Beside a
# budget, units are ranked by their importance per cost saved.
_WITH_ENERGY: Mapping[str, tuple[Any, ...]] = {"method": ("energy", "taylor"), "budgets": ((),)}
_ONLY_WITH: Mapping[str, Mapping[str, tuple[Any, ...]]] = {
    "energy_term": _WITH_ENERGY,
    "alpha": _WITH_ENERGY,
    "beta": {"schedule": ("exponential",)},
    "depth_ratio": {"schedule": ("exponential",)},
    "distill_alpha": {"distill": (True,)},
    "temperature": {"distill": (True,)},
}


def read(path: Path) -> Space:
    """Read a space from a TOML file.

    Raises:
        UsageError: The file cannot be read, a key is unknown, a range is empty, or a value is none
            that the setting can have; names the key.
    """
    return parsed(read_toml(path, f"The space '{path}'", UsageError, _TODO), f"'{path}'")


def parsed(document: Mapping[str, Any], which: str) -> Space:
    """Return the space that a table describes.

    Args:
        document: The table.
        which: Which space it is, for messages: its file in quotes, or where the table stands.

    Raises:
        UsageError: A key is unknown, a range is empty, or a value is none that the setting can
            have; names the key.
    """
    for key in document:
        if key not in Space.model_fields:
            raise UnknownNameError(f"key of the space {which}", key, Space.model_fields)
    try:
        found = Space.model_validate(document)
    except ValidationError as error:
        raise _refused(which, document, error) from error
    _check_values(which, found)
    return found


def dimensions(space: Space) -> Iterator[tuple[str, Dimension | BudgetRange]]:
    """Yield the settings that the space gives, by name, in the order in which they are chosen."""
    for name in Space.model_fields:
        found: Dimension | BudgetRange | None = getattr(space, name)
        if found is not None:
            yield name, found


def applies(name: str, base: CompressionConfig, chosen: Mapping[str, Any]) -> bool:
    """Whether a setting has an effect, by what all trials have and what was chosen before.

    Args:
        name: Name of the setting.
        base: What all trials have in common.
        chosen: The settings that were chosen before.
    """
    budgets = (chosen["budget"],) if "budget" in chosen else base.budgets
    now = {**chosen, "budgets": budgets}
    needed = _ONLY_WITH.get(name, {})
    return all(now.get(other, getattr(base, other)) in values for other, values in needed.items())


def configured(
    base: CompressionConfig, space: Space, chosen: Mapping[str, Any], of: Architecture | None = None
) -> CompressionConfig:
    """Return the configuration of a trial.

    Args:
        base: What all trials have in common.
        space: Where the kind of the budget stands.
        chosen: What was chosen for this trial.
        of: The custom module, where the configuration is of one.

    Raises:
        EdgeECGError: The choices contradict each other.
    """
    changes = {name: value for name, value in chosen.items() if name != "budget"}
    if space.budget is not None:
        share = Budget(kind=space.budget.kind, share=float(chosen["budget"]))
        changes["budgets"] = (share,)
    defaults = settings.changed_defaults(base, chosen, architecture(base.training.model, of))
    body = {**base.model_dump(), **defaults, **changes}
    steps = int(chosen["steps"]) if "steps" in chosen else None
    return pipeline.planned(CompressionConfig.model_validate(body), of, steps)


def check(base: CompressionConfig, space: Space, custom: Architecture | None = None) -> None:
    """Check before any training that every corner of the space can be compressed.

    Args:
        base: What all trials have in common.
        space: The space.
        custom: The custom module, where the configuration is of one.

    Raises:
        UsageError: Parts of the space contradict each other, or its smallest budget is out of
            reach (the smallest reachable is named).
        EdgeECGError: The model cannot be pruned or quantised in a way that the space asks for.
    """
    if space.budget is not None and space.sparsity is not None:
        raise UsageError(
            "'budget' and 'sparsity' of the space contradict each other.",
            "A budget says how far the model is compressed, and the sparsity follows from it.",
            "Leave one of them out.",
        )
    if base.budgets and space.sparsity is not None:
        raise UsageError(
            "The 'sparsity' of the space would have no effect.",
            f"All trials have the budget '{base.budgets[0]}', and the sparsity follows from it.",
            "Leave one of them out.",
        )
    if base.budgets and space.budget is not None:
        raise UsageError(
            f"The budget '{base.budgets[0]}' that all trials share would have no effect.",
            "The space has a 'budget', too, and every trial draws its own from there.",
            "Leave out the budget of [base], or give a space without 'budget' (--space FILE, or "
            "[space] of the configuration file).",
        )
    for name in ("sparsity", "steps"):
        value, default = getattr(base, name), CompressionConfig.model_fields[name].default
        if space.budget is not None and getattr(space, name) is None and value != default:
            raise UsageError(
                f"'{name} = {value:g}' that all trials share would have no effect.",
                "Every trial draws a budget from the space, from which it follows.",
                f"Leave '{name}' out of [base]"
                + (", or move it to the space." if name == "steps" else "."),
            )
    of = architecture(base.training.model, custom)
    lowest = {name: _values(each)[0] for name, each in dimensions(space)}
    # The coarsest rounding leaves the most.
    lowest["round_to"] = max(_values(space.round_to, base.round_to))
    highest = {name: _highest(_values(each)) for name, each in dimensions(space)}
    for structure in _values(space.structure, base.structure):
        for quantize in _values(space.quantize, base.quantize):
            chosen = {**lowest, "structure": structure, "quantize": quantize}
            configured(
                base, space, {**highest, "structure": structure, "quantize": quantize}, custom
            )
            config = configured(base, space, chosen, custom)
            dense = build(of)
            goal = budget.goal(dense, of, config)
            if goal is not None and quantize == _values(space.quantize, base.quantize)[0]:
                budget.check_reachable(dense, config, goal)


def check_choice(space: Space, trials: int) -> None:
    """Refuse a space in which all trials would be alike.

    Args:
        space: The space.
        trials: How many there will be.

    Raises:
        UsageError: No setting has two values.
    """
    if trials > 1 and all(len(set(_values(each))) < 2 for _, each in dimensions(space)):
        raise UsageError(
            "The space has nothing to choose.",
            f"No setting has two values, so that all {trials} trials would be alike.",
            "Give a setting several values or a range; or use 'edgeecg compress'.",
        )


def _values(dimension: Dimension | BudgetRange | None, default: Any = None) -> tuple[Any, ...]:
    """Return the choices of a dimension, or the two ends of a range."""
    if dimension is None:
        return (default,)
    if isinstance(dimension, Range):
        ends = (dimension.low, dimension.high)
        return tuple(map(int, ends)) if dimension.whole else ends
    return dimension if isinstance(dimension, tuple) else (dimension,)


def _highest(values: tuple[Any, ...]) -> Any:
    """Return the largest of some numbers; of other values, the last one."""
    numbers = all(isinstance(value, (int, float)) for value in values)
    return max(values) if numbers else values[-1]


def _check_values(which: str, space: Space) -> None:
    """Refuse values that the setting cannot have.

    Raises:
        UsageError: There is one; names the key.
    """
    for name, dimension in dimensions(space):
        if name == "budget":
            continue
        if isinstance(dimension, Range):
            _check_range(which, name, dimension)
        for value in _values(dimension):
            try:
                CompressionConfig.model_validate({name: value})
            except ValidationError as error:
                raise UsageError(
                    f"'{name}' of the space {which} cannot be {value!r}.",
                    f"{error.errors()[0]['msg']}.",
                    _TODO,
                ) from error


def _check_range(which: str, name: str, found: Range) -> None:
    """Refuse a range of a setting that is no number, or of broken numbers for a whole one."""
    kind = CompressionConfig.model_fields[name].annotation
    if kind is float or (kind is int and found.whole):
        return
    if kind is int:
        why = "The setting is a whole number."
        low, high = math.ceil(found.low), max(math.ceil(found.low), math.floor(found.high))
        todo = f"Write {name} = {{ low = {low}, high = {high}, whole = true }}."
    else:
        example = "[true, false]" if kind is bool else '["...", "..."]'
        why = "The setting is not a number."
        todo = f"List the values to choose from: {name} = {example}."
    raise UsageError(f"The range of '{name}' in the space {which} does not fit.", why, todo)


def _refused(which: str, document: Mapping[str, Any], error: ValidationError) -> UsageError:
    fault = error.errors()[0]
    name = str(fault["loc"][0])
    value = document[name]
    if value == []:
        why = "The list is empty."
    else:
        # A part of a range is the last of the places; the form of the value stands before it.
        place = [str(part) for part in fault["loc"][1:] if part not in ("range", "list", "value")]
        message = fault["msg"].removeprefix("Value error, ")
        why = f"'{place[-1]}': {message}." if place else f"{message}."
        why = why[0].upper() + why[1:]
    shown = cast("object", value)
    return UsageError(f"'{name}' of the space {which} does not fit: {shown}.", why, _TODO)
