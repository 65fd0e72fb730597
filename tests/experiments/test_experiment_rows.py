"""Rows are kept when a process dies, and times of two machines are not divided by each other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from harness import rows, runner
from harness.experiment import Context, Experiment, Run
from harness.provenance import KEYS
from harness.runner import Outcome, Plan
from harness.tasks import Task

from edgeecg.errors import EdgeECGError, SchemaError, UnknownNameError

BENCHMARKS = Path(runner.__file__).resolve().parents[1]


class Measuring:
    """A kind with a task for each run and seed; a measured value is 10 times the seed."""

    PACKAGES = ("numpy",)

    def __init__(self, fails_at: int | None = None) -> None:
        self.measured: list[tuple[str, int]] = []
        self.fails_at = fails_at

    def tasks(self, experiment: Experiment, context: Context) -> Iterable[Task]:
        for run in experiment.runs:
            for seed in experiment.seeds:
                yield Task({"run": run.label, "seed": seed}, lambda r=run, s=seed: self.row(r, s))

    def row(self, run: Run, seed: int) -> list[dict[str, Any]]:
        if len(self.measured) == self.fails_at:
            raise KeyboardInterrupt
        self.measured.append((run.label, seed))
        return [{"value": 10 * seed}]


EXPERIMENT = Experiment.from_document(
    {
        "name": "mine",
        "title": "Mine",
        "kind": "fake",
        "seeds": [0, 1],
        "run": [{"label": "a"}, {"label": "b"}],
    },
    "mine.toml",
)


def perform(kind: Measuring, folder: Path, monkeypatch: pytest.MonkeyPatch, **plan: Any) -> Outcome:
    monkeypatch.setattr(runner, "kind", lambda name: kind)  # pyright: ignore[reportUnknownLambdaType]
    return runner.perform(EXPERIMENT, Context(), Plan(results=folder, **plan))


def test_every_row_has_its_key_and_its_provenance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert perform(Measuring(), tmp_path, monkeypatch) == Outcome(4, 4, 0)
    found = rows.read(tmp_path / "mine.jsonl")
    assert [(row["run"], row["seed"], row["value"]) for row in found] == [
        ("a", 0, 0),
        ("a", 1, 10),
        ("b", 0, 0),
        ("b", 1, 10),
    ]
    assert all(set(KEYS) <= set(row) for row in found)
    assert isinstance(found[0]["dirty"], bool)
    assert set(found[0]["versions"]) == {"python", "numpy"}


def test_what_is_measured_is_not_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Measuring(fails_at=3), Measuring()
    with pytest.raises(KeyboardInterrupt):
        perform(first, tmp_path, monkeypatch)
    assert perform(second, tmp_path, monkeypatch).measured == 1
    assert second.measured == [("b", 1)]


def test_the_task_of_an_unfinished_last_line_is_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    perform(Measuring(), tmp_path, monkeypatch)
    path = tmp_path / "mine.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    again = Measuring()
    perform(again, tmp_path, monkeypatch)
    assert again.measured == [("b", 1)]
    assert len(path.read_text(encoding="utf-8").splitlines()) == 4
    assert len(rows.read(path)) == 4


def test_a_killed_process_leaves_rows_that_the_next_one_goes_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "from harness import rows\n"
        f"path = Path({str(tmp_path / 'mine.jsonl')!r})\n"
        "rows.append(path, [{'run': 'a', 'seed': 0, 'value': 0}])\n"
        "opened = path.open('a')\n"
        'opened.write(\'{"run": "a", "seed": 1, "val\')\n'
        "opened.flush()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(BENCHMARKS)},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    again = Measuring()
    perform(again, tmp_path, monkeypatch)
    assert again.measured == [("a", 1), ("b", 0), ("b", 1)]


def test_nothing_is_begun_after_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert perform(Measuring(), tmp_path, monkeypatch, until_s=0.0) == Outcome(4, 0, 4)


def test_a_part_of_seeds_and_runs_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = Measuring()
    perform(kind, tmp_path, monkeypatch, seeds=[1], labels=["b"])
    assert kind.measured == [("b", 1)]
    with pytest.raises(UnknownNameError, match="no run named 'c'"):
        perform(kind, tmp_path, monkeypatch, labels=["c"])


def test_again_adds_rows_and_keeps_the_old_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    perform(Measuring(), tmp_path, monkeypatch)
    assert perform(Measuring(), tmp_path, monkeypatch, again=True).measured == 4
    assert len(rows.read(tmp_path / "mine.jsonl")) == 8


def test_a_task_with_another_number_of_rows_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = Measuring()
    monkeypatch.setattr(kind, "row", lambda run, seed: [{}, {}])  # pyright: ignore[reportUnknownLambdaType]
    with pytest.raises(EdgeECGError, match="It gave 2 rows and announced 1"):
        perform(kind, tmp_path, monkeypatch)
    assert not (tmp_path / "mine.jsonl").exists()


def test_rows_of_several_processes_are_all_kept(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    # Longer than what is written at once.
    text = "x" * 20_000

    def add(k: int) -> None:
        rows.append(path, [{"k": k, "text": text}])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(64)))
    found = rows.read(path)
    assert sorted(row["k"] for row in found) == list(range(64))
    assert all(row["text"] == text for row in found)


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"a": 1}\n{"a": \n{"a": 2}\n', encoding="utf-8")
    with pytest.raises(SchemaError, match="Line 2"):
        rows.read(path)


def test_times_of_two_machines_are_refused() -> None:
    one = {"machine": "x86_64, 2 cores", "cpu": "AMD EPYC"}
    rows.same_machine([one, dict(one)], "The ratio")
    with pytest.raises(EdgeECGError, match="2 machines: x86_64, 2 cores, AMD EPYC; x86_64, 2 co"):
        rows.same_machine([one, {**one, "cpu": "Intel Xeon"}], "The ratio")
