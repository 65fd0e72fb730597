"""Damaged, old and hostile documents given to report, compare and battery."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from compared_files import write
from report_measurements import joules
from report_run import Builder

from edgeecg import cli
from edgeecg.reporting import reading
from edgeecg.schema import Role, Value

BATTERY = ["--capacity", "150mAh", "--voltage", "3.7"]
VERBS: dict[str, Callable[[str], list[str]]] = {
    "report": lambda name: ["report", name, "-o", "out.html"],
    "compare": lambda name: ["compare", "good.json", name, "-o", "out.html"],
    "battery": lambda name: ["battery", name, *BATTERY, "--picture", "out.png"],
}


@pytest.fixture
def here(full: Builder, monkeypatch: pytest.MonkeyPatch) -> Builder:
    """A folder with the run ``demo`` and the report ``good.json``."""
    monkeypatch.chdir(full.run.path.parent.parent)
    result = full.result(full.manifest("compressed"), 1e-3, energy=joules(1e-3))
    write(Path("good.json"), result)
    return full


def damaged(kind: str) -> str:
    text = Path("good.json").read_text(encoding="utf-8")
    document = json.loads(text)
    return {
        "truncated": text[: len(text) // 2],
        "of an older schema": json.dumps({**document, "schema": "edgeecg.bench/0"}),
        "without a schema": json.dumps({"results": []}),
        "with NaN": text.replace(
            f'"p50_s": {document["results"][0]["latency"]["p50_s"]}', '"p50_s": NaN'
        ),
        "empty": "",
        "binary": "\0\1\2",
        "nested too deeply": "[" * 100_000,
    }[kind]


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    "kind",
    [
        *("truncated", "of an older schema", "without a schema", "with NaN", "empty", "binary"),
        "nested too deeply",
    ],
)
def test_a_document_that_cannot_be_used_is_named_and_nothing_is_written(
    here: Builder, capsys: pytest.CaptureFixture[str], verb: str, kind: str
) -> None:
    Path("bad.json").write_text(damaged(kind), encoding="utf-8")
    assert cli.run(VERBS[verb]("bad.json")) == 1
    error = capsys.readouterr().err
    assert "bad.json" in error
    assert "To do:" in error
    assert not list(Path().glob("out.*"))


@pytest.mark.parametrize("dense_only", [False, True])
@pytest.mark.parametrize("verb", VERBS)
def test_a_damaged_measurement_of_a_run_is_named_beside_the_others(
    here: Builder, capsys: pytest.CaptureFixture[str], verb: str, dense_only: bool
) -> None:
    role: Role = "baseline" if dense_only else "compressed"
    here.write_bench(here.result(here.manifest(role), 1e-3, energy=joules(1e-3)))
    if dense_only:
        here.run.model_card.unlink()
        Path("good.json").write_text((here.run.bench / "bench.json").read_text(encoding="utf-8"))
    (here.run.bench / "later.json").write_text(damaged("truncated"), encoding="utf-8")
    assert cli.run(VERBS[verb]("demo")) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "later.json cannot be read" in printed


def test_a_run_whose_measurements_are_all_damaged_has_no_energy_and_says_why(
    here: Builder, capsys: pytest.CaptureFixture[str]
) -> None:
    (here.run.bench / "bench.json").write_text("{", encoding="utf-8")
    assert cli.run(VERBS["battery"]("demo")) == 1
    assert "bench.json cannot be read" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ["report", "good.json", "-o", "taken/out.html"],
        ["report", "good.json", "-o", "out.html", "--json", "taken/out.json"],
        ["report", "good.json", "-o", "out.html", "--markdown", "taken/out.md"],
        ["compare", "good.json", "good.json", "-o", "taken/out.html"],
        ["compare", "good.json", "good.json", "--json", "taken/out.json"],
        ["compare", "good.json", "good.json", "--markdown", "taken/out.md"],
        ["battery", "good.json", *BATTERY, "--picture", "taken/out.png"],
        ["battery", "good.json", *BATTERY, "--json", "taken/out.json"],
    ],
    ids=lambda arguments: f"{arguments[0]} {arguments[-2]}",
)
def test_an_output_that_cannot_be_written(
    here: Builder, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    Path("taken").write_text("a file", encoding="utf-8")
    assert cli.run(arguments) == 1
    assert "could not be written" in capsys.readouterr().err
    assert Path("taken").read_text(encoding="utf-8") == "a file"


@pytest.mark.parametrize("verb", VERBS)
def test_a_run_that_is_removed_while_it_is_read(
    here: Builder,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
) -> None:
    load = reading.load

    def removing(path: Path, value: type[Value]) -> Value:
        document = load(path, value)
        if here.run.path in path.resolve().parents:
            shutil.rmtree(here.run.path, ignore_errors=True)
        return document

    monkeypatch.setattr(reading, "load", removing)
    assert cli.run(VERBS[verb]("demo")) == 1
    error = capsys.readouterr().err
    assert "demo" in error
    assert "To do:" in error
    assert not list(Path().glob("out.*"))


def test_hostile_names_are_shown_as_they_are(
    here: Builder, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = "<script>alert(1)</script>[red]\x1b[2J"
    manifest = here.manifest("compressed", model=hostile, classes=("N", hostile, "V"), test=None)
    measured = here.result(manifest, energy=joules(1e-3))
    artifact = measured.artifact.model_copy(update={"file": f"{hostile}.tflite"})
    folder = Path("<b>")
    folder.mkdir()
    name = write(folder / "x.json", measured.model_copy(update={"artifact": artifact}))
    for arguments in (
        ["report", name, "-o", "out.html"],
        ["compare", name, name, "-o", "out.html"],
        ["battery", name, *BATTERY],
    ):
        assert cli.run(arguments) == 0
        captured = capsys.readouterr()
        assert "\x1b" not in captured.out + captured.err
        if arguments[0] != "battery":
            html = Path("out.html").read_text(encoding="utf-8")
            assert "<script>alert" not in html
            assert "<b>" not in html
