from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from report_run import Builder

from edgeecg import cli


@pytest.fixture
def here(full: Builder, monkeypatch: pytest.MonkeyPatch) -> Builder:
    monkeypatch.chdir(full.run.path.parent.parent)
    monkeypatch.setenv("COLUMNS", "80")
    return full


def test_the_newest_run_is_reported_and_the_last_line_is_the_page(
    here: Builder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["report"]) == 0
    shown = capsys.readouterr().out
    assert shown.splitlines()[-1] == "Report: runs/demo/report.html"
    assert Path("runs/demo/report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert "compressed tflite-int8" in shown
    assert "/sys/class/powercap is absent" in shown
    assert "None" not in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_json_on_standard_output_stands_alone(
    here: Builder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["report", "--run", "demo", "--html", "page.html", "--json", "-"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["run"] == "demo"
    assert "Report: page.html" in captured.err
    assert Path("page.html").is_file()


def test_given_bench_files_stand_beside_those_of_the_run(
    here: Builder, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    moved = tmp_path / "pi.json"
    here.write_bench(here.result(here.manifest("baseline"), 33e-3), name="x").rename(moved)
    assert cli.run(["report", "--bench", str(moved), "--json", "-"]) == 0
    rows = json.loads(capsys.readouterr().out)["files"]
    # The run itself has a measurement of the baseline and one of the compressed file.
    found = [row["measured"]["p50_s"] for row in rows if row["measured"]]
    assert found == [33e-3, 0.84e-3, 0.42e-3]


def test_an_unknown_run_and_a_damaged_file_end_with_1(
    here: Builder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["report", "--run", "nothing"]) == 1
    here.run.compression_log.write_text("{", encoding="utf-8")
    assert cli.run(["report"]) == 1
    assert "compression.json" in capsys.readouterr().err
    assert not here.run.report.exists()


def test_without_plotly_the_extra_is_named(
    here: Builder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("edgeecg.reporting.html.document", "edgeecg.reporting.html.run_page"):
        monkeypatch.delitem(sys.modules, name, raising=False)
        monkeypatch.delattr(name, raising=False)
    monkeypatch.setitem(sys.modules, "plotly", None)
    assert cli.run(["report"]) == 1
    captured = capsys.readouterr()
    assert "edgeecg[report]" in captured.err
    assert "compressed tflite-int8" in captured.out
    assert not here.run.report.exists()


def test_brackets_and_escapes_in_names_are_plain_text(
    here: Builder, capsys: pytest.CaptureFixture[str]
) -> None:
    here.write_manifest(here.manifest("compressed", target="[red]x[/]\x1b[2J"))
    assert cli.run(["report"]) == 0
    shown = capsys.readouterr().out
    assert "[red]x[/]" in shown
    assert "\x1b" not in shown
