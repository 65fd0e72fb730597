"""Options of the command line, made from the fields of configuration classes."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import typer
from pydantic import BeforeValidator
from pydantic.fields import FieldInfo

from edgeecg.runs.options import Options, given
from edgeecg.schema import Value
from edgeecg.schema.options import can_be_none, option_of

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", help="File with settings, e.g. of --print-config; options override it."
    ),
]
"""The option of commands with a configuration class that names a file."""

PrintConfig = Annotated[
    bool,
    typer.Option(
        "--print-config", help="Print all settings with their defaults as TOML, and exit."
    ),
]
"""The option of commands with a configuration class that prints the settings."""

Custom = Annotated[
    str | None,
    typer.Option("--custom", "--own", help="For a run of a custom module: path/to/model.py:build."),
]
"""The option of commands that load the model of a run; ``--own`` is its earlier name."""

Threads = Annotated[
    int, typer.Option(min=1, max=256, help="Threads of PyTorch, or of the runtime of a file.")
]
"""The option of commands without a configuration class that run a model."""

_Command = TypeVar("_Command", bound=Callable[..., Any])


def with_options(
    *kinds: type[Value], only: Mapping[type[Value], Collection[str]] | None = None
) -> Callable[[_Command], _Command]:
    """Give a command the options that the fields of configuration classes describe.

    The function of the command takes a parameter ``options``: what was given on the command line,
    as a list with a dictionary for each class. It is no option itself.

    Args:
        kinds: The classes; a field is an option if its ``setting`` names one.
        only: Names of the fields of a class that this command has, where it does not have all.
    """
    names = {kind: _options(kind, (only or {}).get(kind)) for kind in kinds}

    def decorate(command: _Command) -> _Command:
        signature = inspect.signature(command, eval_str=True)
        fields = [(kind, name) for kind in kinds for name in names[kind]]
        made = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=_annotation(kind.model_fields[name]),
            )
            for kind, name in fields
        ]

        @functools.wraps(command)
        def with_dictionaries(**arguments: Any) -> Any:
            found: list[dict[str, Any]] = [
                {
                    name: value
                    for name in names[kind]
                    if (value := arguments.pop(name)) is not None and value != []
                }
                for kind in kinds
            ]
            return command(**arguments, options=found)

        own = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for name, parameter in signature.parameters.items()
            if name != "options"
        ]
        # Arguments first, then the options of the classes, then the command's own.
        first = [each for each in own if _is_argument(each)]
        rest = [each for each in own if not _is_argument(each)]
        parameters = [*first, *made, *rest]
        with_dictionaries.__signature__ = signature.replace(parameters=parameters)  # pyright: ignore[reportAttributeAccessIssue]
        with_dictionaries.__annotations__ = {each.name: each.annotation for each in parameters}
        del with_dictionaries.__wrapped__
        return with_dictionaries  # pyright: ignore[reportReturnType]

    return decorate


def given_options(kind: type[Value], values: Mapping[str, Any]) -> Options:
    """Return settings from the command line, named by their options in messages.

    Args:
        kind: The configuration class.
        values: What was given, by the names of its fields; None for what was not.
    """
    kept = given(values)
    return Options(kept, {name: _named(kind, name) for name in kept})


def _named(kind: type[Value], name: str) -> str:
    option = option_of(kind.model_fields[name]) or name
    return f"'{option.partition('/')[0]}'"


def _options(kind: type[Value], only: Collection[str] | None) -> list[str]:
    return [
        name
        for name, field in kind.model_fields.items()
        if option_of(field) and (only is None or name in only)
    ]


def _is_argument(parameter: inspect.Parameter) -> bool:
    marks = get_args(parameter.annotation)
    return any(isinstance(mark, typer.models.ArgumentInfo) for mark in marks)


def _annotation(field: FieldInfo) -> Any:
    flag = option_of(field)
    assert flag is not None  # Only options come here.
    text = field.description or ""
    kind = _kind(field.annotation)
    if kind in (int, float) and any(isinstance(each, BeforeValidator) for each in field.metadata):
        # The class itself parses what the command line gives, e.g. 3% or none.
        number = "INTEGER" if kind is int else "FLOAT"
        metavar = f"{number}|none" if can_be_none(field) else None
        return Annotated[str | None, typer.Option(flag, help=text, metavar=metavar)]
    if get_origin(kind) is Literal:
        # The class checks the choice, so that all faults of a command line are named at once.
        choices = [str(each) for each in get_args(kind)]
        return Annotated[
            str | None,
            typer.Option(
                flag, help=text, metavar="|".join(choices), autocompletion=lambda: choices
            ),
        ]
    # A list is an option that may be repeated.
    metavar = "FILE" if kind is Path else "TEXT" if kind == list[str] else None
    return Annotated[kind | None, typer.Option(flag, help=text, metavar=metavar)]


def _kind(annotation: Any) -> Any:
    """Return what the command line reads for a field: texts, for what the class parses itself."""
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        (present,) = [each for each in get_args(annotation) if each is not type(None)]
        return _kind(present)
    if origin is Annotated:
        return _kind(get_args(annotation)[0])
    if origin is Literal:
        return annotation
    if origin in (tuple, list, dict):
        return list[str]
    if isinstance(annotation, type) and issubclass(annotation, Value):
        return Path
    return annotation
