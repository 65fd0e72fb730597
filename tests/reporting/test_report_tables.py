"""The tables of variants: comma-separated values and Parquet."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import pytest
from report_run import Builder

from edgeecg import cli


@pytest.fixture
def here(full: Builder, monkeypatch: pytest.MonkeyPatch) -> Builder:
    monkeypatch.chdir(full.run.path.parent.parent)
    return full


def test_both_formats_hold_the_same_values(here: Builder) -> None:
    import pyarrow.parquet as parquet

    read: Any = parquet.read_table
    for name in ("t.csv", "t.parquet"):
        assert cli.run(["report", "demo", "-o", "page.html", "--table", name]) == 0
    with Path("t.csv").open(encoding="utf-8") as opened:
        expected = list(csv.DictReader(opened))
    table = read("t.parquet")
    found = [
        {name: "" if value is None else str(value) for name, value in row.items()}
        for row in table.to_pylist()
    ]
    assert found == expected
    assert len(found) == 3
    kinds = {field.name: str(field.type) for field in table.schema}
    # No energy was measured: a column without a value has its type all the same.
    assert kinds["net_j"] == kinds["p50_s"] == "double"
    assert table.column("net_j").null_count == 3
    assert kinds["size_bytes"] == "int64"
    assert kinds["label"] == "string"
    assert table.schema.metadata[b"schema"] == b"edgeecg.report-results/1"


def test_without_pyarrow_the_extra_is_named_before_anything_is_written(
    here: Builder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert cli.run(["report", "demo", "-o", "page.html", "--table", "t.parquet"]) == 1
    error = capsys.readouterr().err
    assert "A Parquet table needs the package 'pyarrow'." in error
    assert "edgeecg[parquet]" in error
    assert not Path("page.html").exists()
    assert cli.run(["report", "demo", "-o", "page.html", "--table", "t.csv"]) == 0


def test_a_table_that_cannot_be_written(here: Builder, capsys: pytest.CaptureFixture[str]) -> None:
    Path("taken").write_text("a file", encoding="utf-8")
    for name in ("taken/t.csv", "taken/t.parquet"):
        assert cli.run(["report", "demo", "-o", "page.html", "--table", name]) == 1
        assert f"{name} could not be written" in capsys.readouterr().err
