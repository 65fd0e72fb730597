"""Experiments on a Ray cluster: the rows that one process gives, also when a node is lost."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import run
from harness import cluster as measuring, rows, toy
from harness.provenance import KEYS
from ray_clusters import toy_cluster

_PATIENCE_S = 400

DENSE = """
title = "Dense models"
kind = "dense"
seeds = [0]
run = [{ label = "cnn1d", model = "cnn1d" }, { label = "resnet1d_attn", model = "resnet1d_attn" }]
"""
SMALLER = """
title = "A smaller model"
kind = "compression"
seeds = [0]
run = [{ label = "90 %", model = "cnn1d", options = { budgets = ["energy=0.9"] } }]
"""


def test_a_node_without_the_folder_or_the_records_is_refused(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    assert "does not see the folder" in str(measuring.described("pi", mark, None).fault)
    mark.touch()
    assert measuring.described("pi", mark, str(tmp_path)).fault is None
    fault = measuring.described("pi", mark, str(tmp_path / "none")).fault
    assert fault == f"It does not see the records in '{tmp_path / 'none'}'."


def test_an_address_that_nobody_answers_is_refused_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setattr(toy, "databases", lambda folder: None)  # pyright: ignore[reportUnknownLambdaType]
    (tmp_path / "dense.toml").write_text(DENSE)
    assert run.main([str(tmp_path / "dense.toml"), "--quick", "--ray", f"127.0.0.1:{port}"]) == 1
    said = capsys.readouterr()
    assert f"No Ray cluster answers at '127.0.0.1:{port}'" in said.err
    assert "dense:" not in said.out


def started(folder: Path, rows: str, *options: str) -> subprocess.Popen[str]:
    """Measure two experiments at toy size."""
    experiments = [str(folder / "dense.toml"), str(folder / "smaller.toml")]
    return subprocess.Popen(
        [sys.executable, run.__file__, *experiments, "--quick", "--keep", rows, *options],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def measured(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the rows without what differs between two processes, sorted."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(folder.glob("*.jsonl")):
        kept = [{k: v for k, v in row.items() if k not in KEYS} for row in rows.read(path)]
        for row in kept:
            for step in row.get("steps", []):
                del step["seconds"], step["pruning_seconds"]
        found[path.stem] = sorted(kept, key=str)
    return found


@pytest.mark.system
def test_a_cluster_that_loses_a_node_gives_the_rows_that_one_process_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (tmp_path / "dense.toml").write_text(DENSE)
    (tmp_path / "smaller.toml").write_text(SMALLER)
    alone = started(tmp_path, "alone")
    said, failed = alone.communicate(timeout=_PATIENCE_S)
    assert alone.returncode == 0, said + failed

    with toy_cluster() as cluster:
        spread = started(tmp_path, "spread", "--ray", cluster.address)
        assert spread.stdout is not None
        # Both nodes work when one is killed.
        first = [next(spread.stdout), next(spread.stdout)]
        assert first == ["dense: model cnn1d, seed 0\n", "dense: model resnet1d_attn, seed 0\n"]
        cluster.kill_a_node()
        said, failed = spread.communicate(timeout=_PATIENCE_S)
    assert spread.returncode == 0, said + failed
    assert "dense: 2 of 2 measured now" in said
    assert "smaller: 1 of 1 measured now" in said
    found = measured(tmp_path / "spread")
    assert {name: len(each) for name, each in found.items()} == {"dense": 2, "smaller": 1}
    assert found == measured(tmp_path / "alone")
