"""Writing the variants of a report to a table: comma-separated values or Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import UnionType
from typing import Any, get_args

from edgeecg.errors import MissingDependencyError, UsageError
from edgeecg.files import csv_text, replacing, write_text
from edgeecg.reporting.variant_rows import ResultsReport, VariantRow

SUFFIXES = (".csv", ".parquet")
"""Suffixes of the tables that can be written."""


def check(path: Path) -> None:
    """Check that a table can be written, before anything is computed.

    Args:
        path: The file to write.

    Raises:
        UsageError: Its suffix is none of :data:`SUFFIXES`.
        MissingDependencyError: pyarrow, which writes Parquet, is not installed.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(
            f"The table '{path}' cannot be written.",
            f"Its suffix is '{path.suffix}'; {' and '.join(SUFFIXES)} can be written.",
            "Give e.g. --table variants.csv",
        )
    if suffix == ".parquet":
        try:
            import pyarrow.parquet  # noqa: F401  # pyright: ignore[reportUnusedImport]
        except ModuleNotFoundError as error:
            raise MissingDependencyError("pyarrow", "parquet", "a Parquet table") from error


def write(path: Path, rows: Sequence[VariantRow]) -> None:
    """Write a row for each variant, in SI units; what is unknown is empty or null.

    Args:
        path: The file to write; its suffix is one of :data:`SUFFIXES`.
        rows: The variants.

    Raises:
        UsageError: The suffix is another one.
        MissingDependencyError: pyarrow, which writes Parquet, is not installed.
        EdgeECGError: The file cannot be written.
    """
    check(path)
    if path.suffix.lower() == ".csv":
        write_text(path, _as_csv(rows))
    else:
        _write_parquet(path, rows)


def _as_csv(rows: Sequence[VariantRow]) -> str:
    names = list(VariantRow.model_fields)
    return csv_text(names, ([getattr(each, name) for name in names] for each in rows))


def _write_parquet(path: Path, rows: Sequence[VariantRow]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    arrow: Any = pa
    kinds: dict[type, Any] = {
        str: arrow.string(),
        bool: arrow.bool_(),
        int: arrow.int64(),
        float: arrow.float64(),
    }
    # The types are stated, since a column without a single value has none of its own.
    fields = [
        (name, kinds[_kind(field.annotation)]) for name, field in VariantRow.model_fields.items()
    ]
    schema = arrow.schema(fields, metadata={"schema": ResultsReport.version})
    values = [{name: getattr(each, name) for name, _ in fields} for each in rows]
    with replacing(path) as beside:
        parquet.write_table(arrow.Table.from_pylist(values, schema=schema), beside)


def _kind(annotation: Any) -> type:
    """Return the type of a field that may be None."""
    kinds = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    return next(kind for kind in kinds if kind is not type(None))
