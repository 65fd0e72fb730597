"""The documentation: its links lead somewhere, its commands exist, its marked code runs.

A code block after ``<!-- run -->`` is run by the fast tests, one after ``<!-- run slowly -->`` by
the system tests. The blocks of a page are run in order, in one folder. ``<!-- run: NAME -->`` and
``<!-- run slowly: NAME -->`` write the block to a file of this name instead. ``<!-- run by TEST
-->`` names the test file that runs a block which needs more than an empty folder. After
``<!-- output -->`` stand lines that the block run before prints.
"""

from __future__ import annotations

import ast
import functools
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer.main

from edgeecg.cli import application

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "benchmarks/README.md")),
    ROOT / "benchmarks" / "RESULTS.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
_BLOCK = re.compile(
    r"(?:^<!-- (?P<when>run|run slowly|run by [\w./]+|output)(?:: (?P<file>[\w.]+))? -->\n)?"
    r"^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A code block of a page."""

    language: str
    text: str
    when: str | None
    file: str | None


def blocks(page: Path) -> list[Block]:
    return [
        Block(found["language"], found["text"], found["when"], found["file"])
        for found in _BLOCK.finditer(page.read_text(encoding="utf-8"))
    ]


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings, as MkDocs and GitHub make them."""
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    plain = [re.sub(r"[^\w\s-]", "", heading.lower()) for heading in _HEADING.findall(text)]
    return {re.sub(r"\s+", "-", heading.strip()) for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page: Path) -> None:
    broken: list[str] = []
    for link in _LINK.findall(_BLOCK.sub("", page.read_text(encoding="utf-8"))):
        if link.startswith(("https://", "http://")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


@functools.cache
def whole_program() -> Any:
    """Return the command of the whole program."""
    return typer.main.get_command(application([]))


def commands(page: Path) -> list[list[str]]:
    """Return the command lines of edgeecg in the code blocks of a page."""
    found: list[list[str]] = []
    for block in blocks(page):
        if block.language:
            continue
        for line in block.text.splitlines():
            command = re.match(r"(?:\$ )?(?:\w+=\S+ |env/bin/)*edgeecg (.*)", line)
            if command:
                found.append(shlex.split(command[1], comments=True))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_their_options_exist(page: Path) -> None:
    program = whole_program()
    for words in commands(page):
        command = program
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
        asked = {word.partition("=")[0] for word in words if re.match("--[a-z]", word)}
        assert asked <= known | {"--help"}, words
        assert not getattr(command, "commands", None) or asked, words


def parse_errors(page: Path) -> list[str]:
    """Return what is wrong with the blocks of a page that have a language."""
    parse: dict[str, Callable[[str], object]] = {
        "python": ast.parse,
        "toml": tomllib.loads,
        "json": json.loads,
    }
    found: list[str] = []
    for block in blocks(page):
        try:
            parse.get(block.language, str)(block.text)
        except (SyntaxError, ValueError) as error:  # Those of tomllib and json are ValueErrors.
            found.append(f"{block.text}\n{error}")
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_toml_and_json_blocks_can_be_parsed(page: Path) -> None:
    assert parse_errors(page) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_python_block_is_run_by_a_test(page: Path) -> None:
    assert [
        block.text for block in blocks(page) if block.language == "python" and not block.when
    ] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_tests_that_run_a_block_exist_and_read_its_page(page: Path) -> None:
    for block in blocks(page):
        if block.when and block.when.startswith("run by "):
            test = ROOT / block.when.removeprefix("run by ")
            assert page.name in test.read_text(encoding="utf-8")


def failures(page: Path, when: str, folder: Path) -> list[str]:
    """Run the blocks of a page that are marked so, in their order.

    Returns:
        What failed, and what is shown as output and was not printed.
    """
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    environment.pop("EDGEECG_DATA", None)
    found: list[str] = []
    printed: list[str] | None = None
    for block in blocks(page):
        if block.when == "output":
            if printed is not None:
                shown = block.text.splitlines()
                found += [f"not printed: {line}" for line in shown if line not in printed]
            continue
        if block.when != when:
            # The output of a block that is not run now is not known.
            printed = None if block.when else printed
            continue
        if block.file:
            (folder / block.file).write_text(block.text, encoding="utf-8")
            continue
        program = [sys.executable, "-c"] if block.language == "python" else ["sh", "-e", "-c"]
        done = subprocess.run(
            [*program, block.text],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if done.returncode:
            found.append(f"{block.text}\n{done.stdout}\n{done.stderr}")
        printed = done.stdout.replace("\N{NO-BREAK SPACE}", " ").splitlines()
    return found


def _marked(when: str) -> list[Path]:
    return [page for page in PAGES if any(block.when == when for block in blocks(page))]


@pytest.mark.parametrize("page", _marked("run"), ids=lambda page: page.stem)
def test_marked_blocks_run(page: Path, tmp_path: Path) -> None:
    assert failures(page, "run", tmp_path) == []


@pytest.mark.system
@pytest.mark.parametrize("page", _marked("run slowly"), ids=lambda page: page.stem)
def test_blocks_that_take_longer_run(page: Path, tmp_path: Path) -> None:
    assert failures(page, "run slowly", tmp_path) == []


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    """Return a page on which every check above finds something."""
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- run -->\n```python\nraise SystemExit(3)\n```\n"
        "<!-- run -->\n```\nfalse\n```\n"
        "<!-- run: kept.txt -->\n```\nas it is\n```\n"
        "<!-- run -->\n```\necho of today\n```\n<!-- output -->\n```\nof today\nof then\n```\n"
        "```toml\na = \n```\n```json\n{\n```\n",
        encoding="utf-8",
    )
    return page


def test_blocks_that_fail_are_found(faulty: Path, tmp_path: Path) -> None:
    first, second, third = failures(faulty, "run", tmp_path)
    assert "raise SystemExit(3)" in first
    assert "false" in second
    assert third == "not printed: of then"
    assert (tmp_path / "kept.txt").read_text(encoding="utf-8") == "as it is\n"


def test_blocks_that_cannot_be_parsed_are_found(faulty: Path) -> None:
    assert [each.splitlines()[0] for each in parse_errors(faulty)] == ["a = ", "{"]


def test_the_readme_can_be_read_to_its_end() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) <= 150
    first_screen = readme[: readme.index("## ")]
    assert "make demo" in first_screen
    assert "[device]" in first_screen


def test_no_page_names_a_document_that_readers_do_not_have() -> None:
    pages = [*PAGES, *(ROOT / "benchmarks").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.toml")]
    named = [page for page in pages if "seed document" in page.read_text(encoding="utf-8").lower()]
    assert named == []
