"""The command line as a whole: exit codes, messages, and what a help text may import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from edgeecg import resources
from edgeecg.cli import _console, commands, run
from edgeecg.errors import EdgeECGError

HEAVY = ("torch", "numpy", "scipy", "wfdb", "onnx", "ai_edge_litert", "matplotlib")


def test_the_commands() -> None:
    assert {"bench", "compress", "export", "models", "report"} <= set(commands())


def test_the_package_runs_as_the_command_does() -> None:
    program = [sys.executable, "-m", "edgeecg"]
    done = subprocess.run([*program, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "Usage: edgeecg" in done.stdout
    assert subprocess.run([*program, "nonsense"], capture_output=True, check=False).returncode == 2


@pytest.mark.parametrize("group", [[], ["data"], ["emulator"]])
def test_the_list_of_commands_cuts_no_sentence(
    group: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*group, "--help"]) == 0
    listed = capsys.readouterr().out.partition("Commands:")[2].split("\n")
    sentences = [line for line in listed if line.strip()]
    assert sentences
    assert all(line.endswith(".") and not line.endswith("..") for line in sentences)


def test_wrong_usage_points_to_the_help_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "info"]) == 2
    assert capsys.readouterr().err.endswith("See: edgeecg data info --help\n")
    assert run(["no-such-command"]) == 2
    assert capsys.readouterr().err.endswith("See: edgeecg --help\n")


@pytest.mark.parametrize("command", commands())
def test_help_imports_nothing_heavy(command: str) -> None:
    code = (
        "import sys; from edgeecg.cli import run; status = run([sys.argv[1], '--help']);"
        f"loaded = [m for m in {HEAVY!r} if m in sys.modules]; print(loaded, file=sys.stderr);"
        "sys.exit(status or bool(loaded))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Usage: edgeecg" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["--version"], 0),
        (["--no-such-option"], 2),
        (["fly"], 2),
        (["compress", "--steps", "x"], 2),
    ],
)
def test_exit_codes(arguments: list[str], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == status
    assert "Traceback" not in capsys.readouterr().err


def test_models_json_goes_alone_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "--json", "-"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["resnet1d_attn"]["parameters"] == 417_892
    assert rows["cnn1d"]["parameters"] == 188_035
    assert rows["cnn1d"]["dataset"] == "mitdb"
    assert rows["cnn1d"]["classes"] == ["N", "S", "V"]
    # By hand: kernel x inputs x outputs x positions of each convolution, then the dense layers.
    by_hand = 15 * 32 * 256 + 7 * 32 * 64 * 128 + 5 * 64 * 128 * 64 + 1024 * 128 + 128 * 3
    assert rows["cnn1d"]["macs"] == by_hand


def test_models_name_the_licences_of_weights_and_data(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["models"]) == 0
    shown = capsys.readouterr().out
    assert "Weights: Apache-2.0. Trained on MIT-BIH Arrhythmia Database 1.0.0, ODC-By 1.0" in shown
    assert "Weights: Apache-2.0. Trained on PTB-XL 1.0.3, CC BY 4.0" in shown
    table, _, _ = shown.partition("  Weights:")
    assert max(map(len, table.splitlines())) <= 80


def test_an_unknown_model_lists_the_known_ones_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["compress", "resnet1d_atn"]) == 2
    said = capsys.readouterr().err
    assert "Did you mean 'resnet1d_attn'?" in said
    assert "cnn1d" in said
    assert not list(tmp_path.iterdir())


def test_options_out_of_range_write_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["compress", "--sparsity", "1.5", "--structure", "rows"]) == 2
    said = capsys.readouterr().err
    assert "sparsity" in said
    assert "structure" in said
    assert not list(tmp_path.iterdir())


def test_a_missing_data_folder_says_what_and_how_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGEECG_DATA", str(tmp_path / "nowhere"))
    assert run(["compress"]) == 1
    said = capsys.readouterr().err
    assert str(tmp_path / "nowhere") in said
    assert "edgeecg data fetch mitdb" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "not empty"),
        ("..", "no slash"),
        ("a/b", "no slash"),
        ("/etc/x", "no slash"),
        ("-rf", "taken for an option"),
        ("a\nb", "cannot be printed"),
        ("a\x1b[2J", "cannot be printed"),
    ],
)
def test_a_name_that_no_run_can_have_is_refused(
    name: str,
    why: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["compress", f"--name={name}"]) == 2
    said = capsys.readouterr().err
    assert "cannot be the name of a run" in said
    assert why in " ".join(said.split())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["export", "bench", "report"])
def test_commands_without_a_run_say_how_to_make_one(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run([command]) == 1
    assert "edgeecg compress" in capsys.readouterr().err


def test_nothing_to_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["compress", "--resume"]) == 1
    assert "nothing to resume" in capsys.readouterr().err


def test_a_traceback_only_with_debug(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run(["export"])
    assert "Traceback" not in capsys.readouterr().err
    run(["--debug", "export"])
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("command", commands())
def test_a_missing_package_names_the_extra_that_brings_it(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    extras = tomllib.loads((resources.root() / "pyproject.toml").read_text())["project"]
    extra = import_module(f"edgeecg.cli.{command}").EXTRA
    assert extra in extras["optional-dependencies"]

    def missing() -> None:
        raise ModuleNotFoundError("No module named 'nosuch.part'", name="nosuch.part")

    monkeypatch.setattr(f"edgeecg.cli.{command}.{command}", missing)
    assert run([command]) == 1
    said = capsys.readouterr().err
    assert "'nosuch'" in said
    assert f"edgeecg[{extra}]" in said


def test_an_interrupt_is_a_clean_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(**_: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr("edgeecg.models.catalogue", interrupted)
    assert run(["models"]) == 130
    said = capsys.readouterr().err
    assert "Interrupted" in said
    assert "--resume" in said
    assert "Traceback" not in said


def test_an_interrupt_before_the_program_is_loaded_is_a_clean_message() -> None:
    code = """
import sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupting())
from edgeecg.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "\nInterrupted.\n")


def test_a_full_disk_behind_the_output_is_a_clean_message() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "edgeecg", "trace", "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "No space is left" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_terminal_without_the_letters_shows_others() -> None:
    environment = {**os.environ, "LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "edgeecg", "battery", "x", "--capacity", "1µAh", "--voltage", "3"],
        capture_output=True,
        env=environment,
        check=False,
    )
    assert done.returncode in (1, 2)
    assert b"Error: " in done.stderr
    assert b"Traceback" not in done.stderr


def test_names_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    _console.output(None).print("runs/[bold]a [/x] :smile:", soft_wrap=True)
    assert capsys.readouterr().out == "runs/[bold]a [/x] :smile:\n"
    error = EdgeECGError("'[red]a' is missing.", "It says \x1b[2Jb\nc.", "Look for [/d].")
    _console.show_error(error)
    said = capsys.readouterr().err
    assert "Error: '[red]a' is missing.\n" in said
    assert "Look for [/d].\n" in said
    assert "\x1b" not in said
    assert len(said.splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["report", "a" * 300], "File name too long"),
        (["compress", "--name", "a" * 300, "--data", "synthetic"], "File name too long"),
    ],
)
def test_what_the_system_refuses_is_a_clean_message(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == 1
    shown = capsys.readouterr().err
    assert "To do:" in shown
    assert said in shown


def test_too_little_memory_is_a_clean_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def large(**_: object) -> object:
        raise MemoryError("Unable to allocate 8 TiB")

    monkeypatch.setattr("edgeecg.models.catalogue", large)
    assert run(["models"]) == 1
    assert "Why:   Unable to allocate 8 TiB." in capsys.readouterr().err


def test_a_command_is_printed_as_a_shell_takes_it() -> None:
    assert _console.command("report", Path("my runs/a b")) == "edgeecg report 'my runs/a b'"


@pytest.mark.parametrize("option", [["--seed", "-1"], ["--seed", "4294967296"], ["--threads", "0"]])
@pytest.mark.parametrize("command", ["train", "compress"])
def test_seeds_and_threads_are_checked_first(
    command: str,
    option: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run([command, "cnn1d", "--data", "synthetic", *option]) == 2
    assert option[0] in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_custom_module_is_trained_by_compress(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "my model.py:build"]) == 2
    assert "edgeecg compress 'my model.py:build'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "advice"),
    [
        ("config.json", "edgeecg compress --name 'my run' --resume"),
        ("training.json", "edgeecg train --name 'my run' --resume"),
        ("notes.txt", "No run was started in this folder: name another one."),
    ],
)
@pytest.mark.parametrize(
    "command", [["evaluate", "my run"], ["report", "my run"], ["export", "--run", "my run"]]
)
def test_a_run_without_a_model_says_how_to_get_one(
    command: list[str],
    file: str,
    advice: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs/my run").mkdir(parents=True)
    (Path("runs/my run") / file).write_text("{}")
    assert run(command) == 1
    assert advice in capsys.readouterr().err
    Path("runs/my run/artifacts").mkdir()
    assert run([*command[:-1], "runs/my run/artifacts"]) == 1
    of_the_run = file == "config.json"
    assert ("in the folder of a run: name 'my run'." in capsys.readouterr().err) == of_the_run


@pytest.mark.parametrize("command", ["train", "compress"])
def test_a_folder_for_runs_that_cannot_be_written_is_found_first(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def unread(*_: object) -> None:
        raise AssertionError("the records were read")

    monkeypatch.chdir(tmp_path)
    Path("runs").write_text("a file")
    monkeypatch.setattr("edgeecg.training.start.load_dataset", unread)
    assert run([command, "tiny_rhythm", "--data", "synthetic"]) == 1
    assert "could not be written" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["train", "compress"])
def test_what_cannot_be_resumed_is_named(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run([command, "--name", "mine", "--resume"]) == 1
    assert f"'runs/mine' holds no unfinished run of 'edgeecg {command}'" in capsys.readouterr().err
