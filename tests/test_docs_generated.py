"""The generated pages: the notebook runs and is shown, and the command line is listed whole."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main

from edgeecg.cli import application

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "docs" / "examples" / "notebook.ipynb"


@functools.cache
def hooks() -> Any:
    """Return the module that MkDocs calls."""
    spec = importlib.util.spec_from_file_location("hooks", ROOT / "docs" / "hooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cells(kind: str) -> list[dict[str, Any]]:
    document = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return [cell for cell in document["cells"] if cell["cell_type"] == kind]


def test_the_page_of_the_notebook_shows_text_code_and_outputs() -> None:
    page = hooks().notebook(
        {
            "cells": [
                {"cell_type": "markdown", "source": ["# Title\n", "Text."]},
                {
                    "cell_type": "code",
                    "source": ["print(2 * 3)\n", "plot()"],
                    "outputs": [
                        {"output_type": "stream", "name": "stdout", "text": ["6\n"]},
                        {"output_type": "stream", "name": "stderr", "text": ["a warning\n"]},
                        {"output_type": "display_data", "data": {"image/png": "iVBOR\n"}},
                    ],
                },
            ]
        }
    )
    assert page == (
        "# Title\nText.\n\n```python\nprint(2 * 3)\nplot()\n```\n\n```text\n6\n```\n\n"
        "![Figure](data:image/png;base64,iVBOR)\n"
    )


def test_the_stored_notebook_was_run_without_an_error() -> None:
    found = cells("code")
    assert [cell["execution_count"] for cell in found] == list(range(1, len(found) + 1))
    outputs = [output for cell in found for output in cell["outputs"]]
    assert {output["output_type"] for output in outputs} <= {"stream", "display_data"}
    assert any("image/png" in output.get("data", {}) for output in outputs)


def test_links_of_the_notebook_lead_to_pages() -> None:
    text = "".join(line for cell in cells("markdown") for line in cell["source"])
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    assert links
    assert [link for link in links if not (ROOT / "docs" / link).is_file()] == []


@pytest.mark.system
def test_the_notebook_runs(tmp_path: Path) -> None:
    program = (
        "import sys, nbformat\n"
        "from nbclient import NotebookClient\n"
        "made = nbformat.read(sys.argv[1], 4)\n"
        "place = {'metadata': {'path': sys.argv[2]}}\n"
        "NotebookClient(made, timeout=600, kernel_name='python3', resources=place).execute()\n"
        "print(''.join(o.get('text', '') for c in made.cells for o in c.get('outputs', [])))\n"
    )
    environment = {key: value for key, value in os.environ.items() if key != "EDGEECG_DATA"}
    done = subprocess.run(
        [sys.executable, "-c", program, str(NOTEBOOK), str(tmp_path)],
        # What it finds as `python3` is the Python of the tests.
        env=environment | {"PYTHONPATH": str(ROOT), "JUPYTER_PLATFORM_DIRS": "1"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    proxies = [float(each) for each in re.findall(r"executed proxy (\S+)", done.stdout)]
    assert proxies[-1] <= 0.5
    assert "energy:        not measured" in done.stdout
    assert (tmp_path / "runs" / "notebook").is_dir()


@pytest.mark.system
@pytest.mark.parametrize("example", sorted((ROOT / "docs" / "examples").glob("*.py")))
def test_an_example_runs_to_its_last_line(example: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(example)],
        cwd=tmp_path,
        env={key: value for key, value in os.environ.items() if key != "EDGEECG_DATA"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = done.stdout.splitlines()[-1].rpartition(": ")[2]
    assert (tmp_path / report).is_file()


def test_every_command_and_option_is_on_the_page_of_the_command_line() -> None:
    page = hooks().command_line()
    program: Any = typer.main.get_command(application([]))
    for name, command in program.commands.items():
        assert f"## edgeecg {name}\n" in page
        hidden = [each for each in command.params if getattr(each, "hidden", False)]
        options = {option for each in command.params if each not in hidden for option in each.opts}
        assert [o for o in options if o.startswith("--") and o not in page] == []
