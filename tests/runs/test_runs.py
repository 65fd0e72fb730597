"""What a run says about the code that made it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from edgeecg import runs


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=tests", "-c", "user.email=tests@localhost")
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


WRITTEN = ("benchmarks/results/table.json", "benchmarks/RESULTS.md", "docs/images/table.svg")
"""What an experiment writes."""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with a program, a result and pages in it, all committed."""
    for name in ("edgeecg/runs.py", *WRITTEN):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "First")
    return tmp_path


def test_changed_code_is_marked_and_new_results_and_pages_are_not(checkout: Path) -> None:
    head = git(checkout, "rev-parse", "--short=12", "HEAD")
    assert runs.git_revision(checkout) == head
    for name in WRITTEN:
        (checkout / name).write_text("2\n")
    assert runs.git_revision(checkout) == head
    (checkout / "edgeecg" / "runs.py").write_text("2\n")
    assert runs.git_revision(checkout) == f"{head}+"


def test_outside_a_checkout_there_is_no_revision(tmp_path: Path) -> None:
    assert runs.git_revision(tmp_path) is None
