"""Shell completion: commands, options and choices."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def completed(words: str, tmp_path: Path) -> list[str]:
    """Return what bash would be offered after these words."""
    count = len(words.split()) - (not words.endswith(" "))
    environment = {
        **os.environ,
        "_EDGEECG_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(count),
    }
    script = "import sys; sys.argv[0] = 'edgeecg'; from edgeecg.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout.split()


def test_commands_options_and_choices_are_completed(tmp_path: Path) -> None:
    assert completed("edgeecg comp", tmp_path) == ["compare", "compress"]
    assert {"bench", "train", "meters", "devices"} <= set(completed("edgeecg ", tmp_path))
    assert "--energy-term" in completed("edgeecg compress --en", tmp_path)
    assert completed("edgeecg compress --structure bl", tmp_path) == ["blocks"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell(shell: str) -> None:
    script = (
        "import sys; sys.argv = ['edgeecg', '--show-completion']\n"
        "from edgeecg.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr


def test_every_command_writes_json() -> None:
    """Each command, and each of those of ``data``, has ``--json``."""
    script = (
        "import typer\n"
        "from edgeecg.cli import application\n"
        "group = typer.main.get_command(application([]))\n"
        "commands = {}\n"
        "for name, command in group.commands.items():\n"
        "    commands |= getattr(command, 'commands', {name: command})\n"
        "lacking = [name for name, command in commands.items()\n"
        "           if not any('--json' in each.opts for each in command.params)]\n"
        "assert len(commands) >= 12 and not lacking, lacking\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
