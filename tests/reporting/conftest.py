"""Run folders to report on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from report_run import Builder

from edgeecg.runs import RunFolder
from edgeecg.schema import Source


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Builder]:
    """Make a builder for ``tmp_path/runs/demo``."""

    def make(source: Source = "mitdb") -> Builder:
        return Builder(RunFolder(tmp_path / "runs" / "demo"), source)

    return make


@pytest.fixture
def full(build: Callable[..., Builder]) -> Builder:
    """A finished, exported and measured run."""
    builder = build()
    builder.write_all()
    return builder
