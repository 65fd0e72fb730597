"""``edgeecg compare`` on the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from compared_files import write
from report_measurements import device, joules
from report_run import Builder
from report_scores import sha

from edgeecg import cli
from edgeecg.reporting import markdown

Files = dict[str, str]


@pytest.fixture
def files(full: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    """Reports of one file: the reference, a slower one, an equal one, and one of a board."""
    monkeypatch.chdir(tmp_path)
    manifest = full.manifest("compressed")
    results = {
        "main": full.result(manifest, 1e-3, energy=joules(5e-3)),
        "slow": full.result(manifest, 1.2e-3, energy=joules(5.05e-3)),
        "same": full.result(manifest, 1e-3, energy=joules(5e-3)),
        "board": full.result(manifest, 9e-3, device=device(name="raspberry-pi-5")),
    }
    return {name: write(tmp_path / f"{name}.json", result) for name, result in results.items()}


@pytest.mark.parametrize(
    ("other", "conditions", "status"),
    [
        ("slow", [], 0),
        ("slow", ["p50 > 1.05x"], 1),
        ("slow", ["p50 > 1.5x", "size > 1.0x", "recall.S < -0.02", "macro_f1 < -0.01"], 0),
        ("slow", ["size > 1.0x", "p50 > 1.05x"], 1),
        # 1.01 times the energy is within its interval.
        ("slow", ["energy > 1.005x"], 0),
        ("same", ["p50 > 1.0x", "energy > 1.0x"], 0),
        ("slow", ["p50 > much"], 2),
        ("slow", ["p5O > 1.05x"], 2),
        ("slow", ["instructions > 1.01x"], 2),
        ("slow", ["recall.Z < 0"], 2),
        ("board", [], 2),
        ("board", ["p50 > 1.05x"], 2),
        ("board", ["energy > 1.05x"], 2),
        ("board", ["size > 1.0x"], 0),
    ],
)
def test_exit_status(files: Files, other: str, conditions: list[str], status: int) -> None:
    options = [part for each in conditions for part in ("--fail-if", each)]
    assert cli.run(["compare", files["main"], files[other], *options]) == status


def test_the_failed_condition_is_named(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["compare", files["main"], files["slow"], "--fail-if", "p50 > 1.05x"]) == 1
    (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("Failed")]
    assert "'p50 > 1.05x'" in line
    assert "p50 is 1.2x of the reference" in line
    assert "compressed tflite" in line


def test_a_tie_does_not_fail_unless_asked_for(
    files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["compare", files["main"], files["slow"], "--fail-if", "energy > 1.005x"]
    assert cli.run(arguments) == 0
    assert "its interval does not rule out that nothing changed" in capsys.readouterr().err
    assert cli.run([*arguments, "--fail-on-ties"]) == 1


def test_a_refusal_names_its_reason_and_force_overrides_it(
    files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["compare", files["main"], files["board"]]
    assert cli.run(arguments) == 2
    assert "Other devices (x86-64 and raspberry-pi-5)" in capsys.readouterr().err
    assert cli.run([*arguments, "--force"]) == 0
    shown = capsys.readouterr().out
    assert "9.00 ×" in shown.replace("\N{NO-BREAK SPACE}", " ")
    assert "worse, forced" in shown
    assert cli.run([*arguments, "--force", "--fail-if", "p50 > 1.05x"]) == 1


def test_the_table_fits_a_terminal_and_the_last_line_is_the_next_command(
    files: Files, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.run(["compare", "main.json", "slow.json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "Next: edgeecg compare main.json slow.json --fail-if 'p50 > 1.05x'"
    assert max(map(len, lines[:-1])) <= 80
    (p50,) = [line for line in lines if line.strip().startswith("p50")]
    assert p50.split() == [
        "p50",
        "1.00",
        "ms",
        "1.20",
        "ms",
        "1.20",
        "×",
        *p50.split()[7:9],
        "worse",
    ]
    assert "None" not in "".join(lines)


def test_json_and_markdown_stand_alone_on_standard_output(
    files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["compare", files["main"], files["slow"], "--fail-if", "p50 > 1.05x"]
    assert cli.run([*arguments, "--json", "-"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["failed"] is True
    assert document["conditions"][0]["outcome"] == "failed"
    assert cli.run([*arguments, "--markdown", "-"]) == 1
    text = capsys.readouterr().out
    assert text.startswith("- Failed: 'p50 \\> 1.05x'")
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in table} == {7}
    assert any("p50 | 1.00 ms | 1.20 ms | 1.20 ×" in line for line in table)
    assert cli.run([*arguments, "--markdown", "-", "--json", "-"]) == 2


def test_markdown_shows_hostile_names_as_they_are(
    full: Builder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "<script>alert(1)</script>|[x](http://y)\x1b[2J"
    for source, p50_s in (("a", 1e-3), ("b", 2e-3)):
        manifest = full.manifest("compressed", target=name, sha256=sha(source))
        write(tmp_path / f"{source}.json", full.result(manifest, p50_s))
    paths = [str(tmp_path / f"{source}.json") for source in "ab"]
    assert cli.run(["compare", *paths, "--markdown", str(tmp_path / "x.md")]) == 0
    assert "\x1b" not in capsys.readouterr().out
    text = (tmp_path / "x.md").read_text(encoding="utf-8")
    assert "\\<script\\>" in text
    assert "<script>" not in text
    assert "\\|\\[x\\](http" in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        # GitHub notifies nobody, and makes no links.
        ("@octocat, (@org/team)", "@\u200boctocat, (@\u200borg/team)"),
        ("https://x.example", "https:\\//x.example"),
        ("see www.x.example", "see www\\.x.example"),
        ("![](x)", "!\\[\\](x)"),
        ("pi@lab, 3 @ 5 V: 1.0", "pi@lab, 3 @ 5 V: 1.0"),
    ],
)
def test_markdown_has_no_mentions_or_links_from_names(text: str, written: str) -> None:
    assert markdown.escaped(text) == written


def test_one_result_alone_is_wrong_usage(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["compare", files["main"]]) == 2
    assert "Two results at least" in capsys.readouterr().err


def test_a_device_without_pytorch_can_compare(files: Files) -> None:
    script = (
        "import sys\n"
        "from edgeecg.cli import run\n"
        f"status = run(['compare', {files['main']!r}, {files['slow']!r}])\n"
        "heavy = {'torch', 'pandas', 'scipy', 'matplotlib', 'jinja2'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "sys.exit(status)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


def test_the_page_has_the_tables_the_outcomes_and_a_figure(
    full: Builder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(full.run.path.parent.parent)
    first = write(Path("a.json"), full.result(full.manifest("compressed"), 1e-3))
    slower = write(Path("b.json"), full.result(full.manifest("compressed"), 2e-3))
    arguments = ["compare", first, slower, "--fail-if", "p50 > 1.05x", "-o", "page.html"]
    assert cli.run(arguments) == 1
    html = Path("page.html").read_text(encoding="utf-8")
    assert "Comparison with a.json, compressed tflite" in html
    assert "One pair of results; B is, quantity by quantity: 1 worse, " in html
    assert "Failed: &#39;p50 &gt; 1.05x&#39;" in html
    assert "Costs, B over A (less is better)" in html
    assert "p50: 2.00" in html


def test_the_page_of_several_pairs_counts_their_verdicts(
    full: Builder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(full.run.path.parent.parent)
    names = [
        write(Path(f"{name}.json"), full.result(full.manifest("compressed"), p50_s))
        for name, p50_s in (("a", 1e-3), ("b", 2e-3), ("c", 3e-3))
    ]
    assert cli.run(["compare", *names, "-o", "page.html"]) == 0
    html = Path("page.html").read_text(encoding="utf-8")
    assert "2 pairs of results; B is, quantity by quantity: 2 worse, " in html


def test_the_next_command_asks_for_what_the_results_have(
    full: Builder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(full.run.path.parent.parent)
    model = f"{full.run.name}#compressed-model"
    assert cli.run(["compare", model, model]) == 0
    assert capsys.readouterr().out.rstrip().endswith("--fail-if 'macro_f1 < -0.01'")
