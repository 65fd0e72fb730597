"""Reports on several results: what is read, refused, left out and written."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from compared_files import write
from report_measurements import device, joules
from report_run import Builder
from report_scores import label_scores, sha

from edgeecg import cli
from edgeecg.errors import EdgeECGError
from edgeecg.reporting import reading, results as results_of
from edgeecg.reporting.html import document, results_page
from edgeecg.schema import Proxy, Value


@pytest.fixture
def here(full: Builder, monkeypatch: pytest.MonkeyPatch) -> Builder:
    monkeypatch.chdir(full.run.path.parent.parent)
    return full


def pair(builder: Builder, path: Path, **changes: Any) -> str:
    """Write a report of a dense file and an int8 one; return its path."""
    dense = builder.result(
        builder.manifest("baseline"),
        2e-3,
        proxy=Proxy(ideal=1, executed=1, macs=23_000_000, weight_bytes=1),
        **changes,
    )
    small = builder.result(
        builder.manifest("compressed", "int8"),
        0.5e-3,
        proxy=Proxy(ideal=0.05, executed=0.1, macs=6, weight_bytes=1),
        **changes,
    )
    return write(path, dense, small)


def page(*names: str) -> str:
    return document.render(results_page.page(results_of.read(names), "Report"))


def test_the_numbers_of_every_file_are_written(
    here: Builder, capsys: pytest.CaptureFixture[str]
) -> None:
    name = pair(here, Path("b.json"))
    arguments = ["report", name, "demo", "-o", "out.html", "--table", "t.csv", "--json", "-"]
    assert cli.run([*arguments, "--markdown", "r.md"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "edgeecg.report-results/1"
    small = next(each for each in found["variants"] if each["source"] == name and each["change"])
    # 0.5 ms of 2 ms; the executed proxy is 0.1.
    assert small["latency_ratio"] == pytest.approx(0.25)
    assert small["latency_over_proxy"] == pytest.approx(2.5)
    assert small["energy_tier"] == "not measured"
    assert "/sys/class/powercap" in small["energy_reason"]
    rows = list(csv.DictReader(io.StringIO(Path("t.csv").read_text(encoding="utf-8"))))
    assert len(rows) == len(found["variants"]) == 5
    assert float(rows[1]["p50_s"]) == 0.5e-3
    assert rows[1]["net_j"] == ""
    text = Path("r.md").read_text(encoding="utf-8")
    assert "| b.json, compressed tflite-int8 |" in text
    assert Path("out.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_a_run_can_be_named_without_an_option(
    here: Builder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        cli.run(["report", "demo", "-o", "page.html", "--table", "t.csv", "--markdown", "-"]) == 0
    )
    captured = capsys.readouterr()
    assert captured.out.startswith("## resnet1d\\_attn on MIT-BIH")
    assert "not measured" in captured.out
    assert "Report: page.html" in captured.err
    assert len(Path("t.csv").read_text(encoding="utf-8").splitlines()) == 4


def test_names_in_the_table_are_no_formulas(here: Builder) -> None:
    shutil.copytree("runs/demo", "runs/=cmd")
    assert cli.run(["report", "=cmd", "demo", "-o", "page.html", "--table", "t.csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(Path("t.csv").read_text(encoding="utf-8"))))
    assert {row["source"] for row in rows} == {"'=cmd", "demo"}
    assert all(float(row["change"]) < 0 for row in rows if row["change"].startswith("-"))


def test_runs_that_are_not_measured_or_exported_name_the_command(here: Builder) -> None:
    here.forget_measurements()
    shutil.copytree("runs/demo", "runs/other")
    shutil.rmtree("runs/other/artifacts")
    Path("more").mkdir()
    shutil.copytree("runs/demo", "more/my run")
    found = results_of.read(["demo", "more/my run", "other"])
    reasons = {each.source: each.energy_reason for each in found.rows}
    assert reasons == {
        "demo": "Not measured yet. Run: edgeecg bench --run demo",
        "more/my run": "Not measured yet. Run: edgeecg bench --run 'more/my run'",
    }
    (remark,) = found.left_out
    assert remark.text.endswith("Run: edgeecg export --run other --target tflite")
    text = unescape(page("demo", "more/my run", "other"))
    assert "edgeecg bench --run 'more/my run'" in text
    assert not re.search(r"edgeecg (bench|export)(?! --run| FILE)", text)


def test_a_label_of_a_run_without_files_is_refused(here: Builder) -> None:
    shutil.copytree("runs/demo", "runs/other")
    shutil.rmtree("runs/other/artifacts")
    with pytest.raises(EdgeECGError, match="'other' has no result 'tflite'"):
        results_of.read(["other#tflite"])


def test_a_folder_of_runs_gives_an_index_and_a_page_each(here: Builder) -> None:
    shutil.copytree(here.run.path, "runs/other")
    Path("runs/unfinished").mkdir()
    Path("runs/unfinished/config.json").write_text("{}", encoding="utf-8")
    assert cli.run(["report", "runs", "-o", "site"]) == 0
    assert sorted(path.name for path in Path("site").iterdir()) == [
        "demo.html",
        "index.html",
        "other.html",
    ]
    index = Path("site/index.html").read_text(encoding="utf-8")
    assert 'href="demo.html"' in index
    assert "The run &#39;runs/unfinished&#39; is not finished." in index


def test_one_file_of_a_run_is_reported_on_by_its_label(
    here: Builder, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = "demo#compressed-tflite-int8"
    assert cli.run(["report", chosen, "-o", "out.html", "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["label"] for each in found["variants"]] == ["compressed tflite-int8"]
    shutil.copytree("runs/demo", "runs/other#1")
    assert cli.run(["report", chosen, "other#1", "demo", "-o", "site"]) == 0
    index = Path("site/index.html").read_text(encoding="utf-8")
    pages = {"demo-compressed-tflite-int8.html", "demo.html", "other-1.html"}
    assert {path.name for path in Path("site").iterdir()} == {"index.html", *pages}
    assert set(re.findall(r'href="([^"#]+\.html)"', index)) == pages
    # A file that is named twice is shown once, on the page of the name that chose it.
    assert len(results_of.read([chosen, "other#1", "demo"]).variants) == 6
    alone = Path("site/demo-compressed-tflite-int8.html").read_text(encoding="utf-8")
    assert "compressed tflite-int8" in alone
    assert "baseline tflite" not in alone


def test_pages_of_equal_names_do_not_overwrite_each_other(here: Builder) -> None:
    for folder in ("a", "b", "index"):
        shutil.copytree(here.run.path, f"{folder}/index")
    assert cli.run(["report", "a/index", "b/index", "-o", "site"]) == 0
    names = {path.name for path in Path("site").iterdir()}
    assert names == {"index.html", "index-2.html", "index-3.html"}


def test_results_without_energy_say_why(here: Builder) -> None:
    html = page(pair(here, Path("b.json")))
    assert "Net energy not measured: This machine has no energy counter" in html
    assert "against net energy" not in html
    assert "The days of battery of" in html


def test_measured_energy_has_a_figure_and_days_of_battery(here: Builder) -> None:
    html = page(pair(here, Path("b.json"), energy=joules(2e-6)))
    assert "Macro-F1 against net energy, measured" in html
    assert "Days of battery with" in html
    assert "(measured) for each beat" in html


def test_one_variant_is_a_page_without_figures_of_several(here: Builder) -> None:
    name = write(Path("b.json"), here.result(here.manifest("compressed")))
    html = page(name)
    assert "One variant. There is no dense file" in html
    assert "Two scored variants of one data set are needed" in html


def test_mixed_data_sets_are_not_drawn_together(here: Builder) -> None:
    beats = pair(here, Path("beats.json"))
    record = here.manifest(
        "compressed", "int8", data="ptbxl", task="records", test=label_scores(1), sha256=sha("r")
    )
    other = here.manifest("baseline", data="ptbxl", task="records", test=label_scores(0))
    records = write(Path("records.json"), here.result(other), here.result(record))
    html = page(beats, records)
    assert "Mixed data:" in html
    assert "Macro-F1 against size (MIT-BIH Arrhythmia Database" in html
    assert "Macro AUROC against size (PTB-XL, 321 records)" in html


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"schema": "edgeecg.bench/0", "results": []}', "edgeecg.bench/0"),
        ('{"schema": "edgeecg.bench/1", "results": [', "not valid JSON"),
        ("[1, 2]", "holds a list"),
    ],
)
def test_what_is_no_result_is_refused_by_name(
    here: Builder, capsys: pytest.CaptureFixture[str], content: str, reason: str
) -> None:
    good = pair(here, Path("good.json"))
    Path("bad.json").write_text(content, encoding="utf-8")
    assert cli.run(["report", good, "bad.json", "-o", "out.html"]) == 1
    error = capsys.readouterr().err
    assert "bad.json" in error
    assert reason in error
    assert not Path("out.html").exists()


def test_a_number_that_is_none_is_refused(
    here: Builder, capsys: pytest.CaptureFixture[str]
) -> None:
    text = Path(pair(here, Path("b.json"))).read_text(encoding="utf-8")
    value = json.loads(text)["results"][0]["latency"]["p50_s"]
    Path("nan.json").write_text(text.replace(f'"p50_s": {value}', '"p50_s": NaN'), encoding="utf-8")
    assert "NaN" in Path("nan.json").read_text(encoding="utf-8")
    assert cli.run(["report", "nan.json", "-o", "out.html"]) == 1
    assert "nan.json" in capsys.readouterr().err


def test_hostile_names_are_text(here: Builder) -> None:
    hostile = "<script>alert(1)</script>"
    manifest = here.manifest("compressed", model=hostile, classes=("N", hostile, "V"), test=None)
    folder = Path("<b>")
    folder.mkdir()
    name = write(
        folder / "x.json",
        here.result(manifest, device=device(name=hostile)),
        here.result(here.manifest("baseline", model=hostile)),
    )
    html = page(name)
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert "&lt;b&gt;/x.json" in html


@pytest.mark.parametrize("target", ["taken/out.html", "taken/site"])
def test_a_folder_that_cannot_be_written(
    here: Builder, capsys: pytest.CaptureFixture[str], target: str
) -> None:
    Path("taken").write_text("a file", encoding="utf-8")
    assert cli.run(["report", pair(here, Path("b.json")), "-o", target]) == 1
    assert "could not be written" in capsys.readouterr().err
    assert Path("taken").read_text(encoding="utf-8") == "a file"


def test_a_run_that_is_removed_while_it_is_read(
    here: Builder, monkeypatch: pytest.MonkeyPatch, build: Callable[..., Builder]
) -> None:
    other = Path("runs/other")
    shutil.copytree(here.run.path, other)
    load = reading.load

    def removing(path: Path, value: type[Value]) -> Value:
        if other in path.parents or path.parent == other:
            shutil.rmtree(other, ignore_errors=True)
        return load(path, value)

    monkeypatch.setattr(reading, "load", removing)
    found = results_of.read(["runs"])
    assert found.names == ("runs/demo",)
    assert [each.subject for each in found.left_out] == ["runs/other"]
    with pytest.raises(EdgeECGError, match="no run"):
        results_of.read(["runs/other"])


@pytest.mark.parametrize(
    "arguments",
    [
        ["demo", "--run", "demo"],
        ["demo", "runs/demo", "--bench", "b.json"],
        ["demo", "--table", "t.xlsx"],
        ["runs", "--bench", "b.json"],
        ["demo", "--json", "-", "--markdown", "-"],
    ],
)
def test_options_that_do_not_fit_together(
    here: Builder, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert cli.run(["report", *arguments]) == 2
    assert "To do:" in capsys.readouterr().err


def test_a_folder_without_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty/run").mkdir(parents=True)
    Path("empty/run/config.json").write_text("{}", encoding="utf-8")
    assert cli.run(["report", "empty", "-o", "site"]) == 1
    assert "There is nothing to report on." in capsys.readouterr().err
