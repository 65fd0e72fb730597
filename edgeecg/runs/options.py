"""Settings that a user has given, on the command line, in a file or in a program, and where."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any, TypeVar, cast, get_args

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from edgeecg.errors import SchemaError, UnknownNameError, UsageError
from edgeecg.schema import Value
from edgeecg.schema.options import NONE, can_be_none, option_of

_Config = TypeVar("_Config", bound=Value)


@dataclass(frozen=True)
class Options:
    """Settings that were given; all others keep their defaults.

    Attributes:
        values: The settings by their names in the configuration class, tables nested.
        origins: Where each was given, for messages, by dotted name: ``"'--epochs'"``, or
            ``"'epochs' (run.toml, line 3)"``.
    """

    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    origins: Mapping[str, str] = field(default_factory=dict[str, str])

    def __contains__(self, key: str) -> bool:
        """Whether a setting of the outermost table was given."""
        return key in self.values

    def table(self, key: str) -> Options:
        """Return what was given for a nested table."""
        start = f"{key}."
        origins = {
            name.removeprefix(start): origin
            for name, origin in self.origins.items()
            if name.startswith(start)
        }
        return Options(self.values.get(key, {}), origins)

    def under(self, key: str) -> Options:
        """Return these as a nested table of this name."""
        origins = {f"{key}.{name}": origin for name, origin in self.origins.items()}
        return Options({key: dict(self.values)} if self.values else {}, origins)

    def over(self, others: Options) -> Options:
        """Return both, these in the place of the others where both give a setting."""
        return Options(merged(others.values, self.values), {**others.origins, **self.origins})

    def without(self, keys: Collection[str]) -> Options:
        """Return these without some settings of the outermost table."""
        kept = {key: value for key, value in self.values.items() if key not in keys}
        origins = {key: said for key, said in self.origins.items() if key not in keys}
        return Options(kept, origins)

    def called(self, key: str) -> str:
        """Return how a message names a setting."""
        return self.origins.get(key, f"'{key}'")


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return two nested tables as one; what ``above`` holds replaces what ``below`` holds."""
    found = dict(below)
    for key, value in above.items():
        held = found.get(key)
        if isinstance(held, Mapping) and isinstance(value, Mapping):
            found[key] = merged(held, value)  # pyright: ignore[reportUnknownArgumentType]
        else:
            found[key] = value
    return found


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that are neither None nor an empty list."""
    return {
        key: value
        for key, value in values.items()
        if value is not None and not (isinstance(value, list) and not value)
    }


def keyword_options(values: Mapping[str, Any], known: Mapping[str, FieldInfo]) -> Options:
    """Return the settings that a program gave as keyword arguments.

    Args:
        values: None switches off a number that may be None, and is ``"none"`` where a setting has
            that choice; another setting keeps its default.
        known: The fields of all settings.

    Raises:
        UnknownNameError: There is no setting of this name.
    """
    for key in values:
        if key not in known:
            raise UnknownNameError("setting", key, known)
    off = {key: None for key, value in values.items() if value is None and can_be_none(known[key])}
    chosen = {key: _plain(value, known[key]) for key, value in values.items()}
    kept = {**given(chosen), **off}
    return Options(kept, {key: f"'{key}'" for key in kept})


def _plain(value: object, field: FieldInfo) -> object:
    """Return a number of NumPy as one of Python, and None as the choice ``"none"``."""
    if value is None and NONE in get_args(field.annotation):
        return NONE
    if isinstance(value, Integral):
        return value if isinstance(value, int) else int(value)
    if isinstance(value, Real):
        return float(value)
    return value


def configured(kind: type[_Config], defaults: Value, options: Options) -> _Config:
    """Return a configuration: the defaults, with what was given in their place.

    Raises:
        UsageError: A setting has a value that it cannot have.
    """
    body = merged(defaults.model_dump(mode="json"), options.values)
    try:
        return kind.from_document({**body, "schema": kind.version}, source="The configuration")
    except SchemaError as error:
        raise UsageError(
            "The options do not fit.",
            _why(error, options),
            "Correct what is named; --help describes each option.",
        ) from error


def _why(error: SchemaError, options: Options) -> str:
    """Return the faults of a configuration, each setting named as the user gave it."""
    cause = error.__cause__
    if not isinstance(cause, ValidationError):
        return error.why
    faults: list[str] = []
    for fault in cause.errors():
        name = ".".join(part for part in fault["loc"] if isinstance(part, str))
        shown = options.called(name)
        if name not in shown:
            shown = f"{shown} ({name})"
        said = fault["msg"].removeprefix("Value error, ")
        came = fault["input"]
        if said == fault["msg"] and isinstance(came, (str, int, float)):
            said = f"{said} (given: {came})"
        faults.append(f"{shown}: {said}")
    return f"{'; '.join(dict.fromkeys(faults))}."


def refuse_changes(run: str, config: Value, options: Options) -> None:
    """Refuse settings that differ from those that a run was started with.

    Args:
        run: Name of the run.
        config: What it was started with.
        options: What is given now.

    Raises:
        UsageError: They differ.
    """
    wanted = configured(type(config), config, options)
    fields = type(config).model_fields
    changed = [
        f"{options.called(key)} was {_as_given(fields[key], before)} and is now "
        f"{_as_given(fields[key], now)}"
        for key in options.values
        if (before := getattr(config, key)) != (now := getattr(wanted, key))
    ]
    if changed:
        raise UsageError(
            f"The run '{run}' cannot be resumed with other options.",
            f"{'; '.join(changed)}.",
            "Leave these options out, or start a new run.",
        )


def _as_given(field: FieldInfo, value: object) -> str:
    """Return a value as it is written on the command line."""
    if isinstance(value, bool):
        on, _, off = (option_of(field) or "").partition("/")
        return (on if value else off) or "not given"
    if isinstance(value, Mapping):
        value = [f"{key}={each}" for key, each in cast("Mapping[str, object]", value).items()]
    if isinstance(value, (list, tuple)):
        value = ", ".join(str(each) for each in cast("Sequence[object]", value)) or None
    if value is None:
        return NONE if can_be_none(field) else "not given"
    return f"{value:g}" if isinstance(value, float) else str(value)
