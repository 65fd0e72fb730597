"""Configuration files: the settings of a command as TOML, each with its description."""

from __future__ import annotations

import json
import re
import textwrap
import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from edgeecg.errors import SchemaError, UsageError
from edgeecg.files import read_bytes, read_toml
from edgeecg.runs.options import Options
from edgeecg.schema import Value
from edgeecg.schema.options import NONE, can_be_none

_WIDTH = 98
_FIELDS_OF_A_LINE = 5


def read_options(path: Path, kind: type[Value]) -> Options:
    """Read the settings that a file gives.

    Args:
        path: A TOML file with settings of ``kind``; tables are nested configurations. Or, with the
            suffix ``.json``, the document that a run folder keeps of them.
        kind: The configuration class.

    Raises:
        UsageError: The file cannot be read or is not TOML; or a key is unknown or has a value of
            the wrong type or out of range: names the key, the file and the line. Or the JSON file
            is not the document of these settings.
    """
    if path.suffix == ".json" and kind.version:
        return _kept(path, kind)
    document = read_toml(path, f"The configuration file '{path}'", UsageError)
    text = path.read_text(encoding="utf-8")
    try:
        kind.model_validate(document)
    except ValidationError as error:
        raise _refused(path, text, error) from error
    document = kind.renamed(document)
    origins = {
        name: f"'{name}' ({path.name}, line {_line(text, name.split('.'))})"
        for name in _dotted(document)
    }
    return Options(document, origins)


def _kept(path: Path, kind: type[Value]) -> Options:
    """Read the settings that a run folder keeps of what was asked for.

    Raises:
        UsageError: The file cannot be read, or is not the document of these settings.
    """
    shown = f"The configuration file '{path}'"
    content = read_bytes(path, shown, UsageError, "Check its name, and that you may read it.")
    try:
        config = kind.from_json(content, shown)
    except SchemaError as error:
        raise UsageError(error.what, error.why, error.todo) from error
    # As TOML it says "none" where a number is switched off, and omits what is not set.
    document = tomllib.loads(written(config, path.name))
    return Options(document, {name: f"'{name}' ({path.name})" for name in _dotted(document)})


def written(config: Value, title: str, commented: Collection[str] = ()) -> str:
    """Return a configuration as TOML, each setting below its description.

    A setting that is not set is commented out.

    Args:
        config: The values.
        title: First line of the file.
        commented: Names of settings that are commented out, as they contradict another.
    """
    return f"# {title}\n" + "".join(_table(config, "", commented))


def _table(config: Value, prefix: str, commented: Collection[str] = ()) -> Iterator[str]:
    fields = {name: field for name, field in type(config).model_fields.items()}
    nested = {name for name in fields if _is_table(getattr(config, name))}
    for name in fields:
        if name in nested:
            continue
        line = _line_of(name, getattr(config, name), fields[name])
        yield f"\n{_comment(fields[name])}{'# ' if name in commented else ''}{line}"
    for name in fields:
        if name in nested:
            value: Value = getattr(config, name)
            yield f"\n{_comment(fields[name])}[{prefix}{name}]\n"
            yield from _table(value, f"{prefix}{name}.")


def _is_table(value: object) -> bool:
    """Whether a value becomes a table of its own; one with few fields stands on one line."""
    return isinstance(value, Value) and len(type(value).model_fields) > _FIELDS_OF_A_LINE


def _comment(field: FieldInfo) -> str:
    text = field.description or ""
    choices = [_toml(each) for each in _choices(field.annotation)]
    if choices:
        text = f"{text} One of {', '.join(choices)}."
    lines = textwrap.wrap(text.strip(), _WIDTH, break_on_hyphens=False)
    return "".join(f"# {line}\n" for line in lines)


def _choices(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return ()


def _line_of(name: str, value: object, field: FieldInfo) -> str:
    if value is None and can_be_none(field):
        value = NONE
    if value is None:
        return f"# {name} =\n"
    return f"{name} = {_toml(value)}\n"


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{_key(str(k))} = {_toml(v)}" for k, v in value.items())  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_toml(each) for each in value)}]"  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, Value):
        text = value.as_text()
        return (
            _toml(value.model_dump(mode="json", exclude_none=True))
            if text is None
            else _quoted(text)
        )
    if isinstance(value, (Path, str)):
        return _quoted(str(value))
    return json.dumps(value)


def _key(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z0-9_-]+", text) else _quoted(text)


def _quoted(text: str) -> str:
    # JSON's escapes are TOML's, except that TOML wants the delete character escaped, too.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _dotted(table: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in table.items():
        yield f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _dotted(value, f"{prefix}{key}.")  # pyright: ignore[reportUnknownArgumentType]


def _refused(path: Path, text: str, error: ValidationError) -> UsageError:
    faults: list[str] = []
    for fault in error.errors():
        place = [str(part) for part in fault["loc"]]
        said = "there is no such setting" if fault["type"] == "extra_forbidden" else fault["msg"]
        keys = [part for part in place if not part.isdigit()]
        faults.append(f"line {_line(text, keys)}, '{'.'.join(place)}': {said}")
    return UsageError(
        f"The configuration file '{path}' does not fit.",
        f"{'; '.join(faults)}.",
        "Correct the keys named; the option --print-config of the command shows all of them.",
    )


def _line(text: str, keys: list[str]) -> int:
    """Return the 1-based line on which a key of a table is set, or the table's own."""
    table: list[str] = []
    nearest = 1
    for number, line in enumerate(text.splitlines(), start=1):
        heading = re.fullmatch(r"\s*\[\s*([\w.\-\"]+)\s*\]\s*(#.*)?", line)
        if heading:
            table = heading[1].replace('"', "").split(".")
            if table == keys[: len(table)]:
                nearest = number
            if table == keys:
                return number
            continue
        found = re.match(r"\s*([\w.\-\"]+)\s*=", line)
        if found:
            name = [*table, *found[1].replace('"', "").split(".")]
            if name == keys[: len(name)]:
                return number
    return nearest
