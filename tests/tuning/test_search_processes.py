"""Real searches on toy records: a killed search, killed workers, a cluster that loses a node."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import psutil
import pytest
import toy_records
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from ray_clusters import toy_cluster
from small_searches import SPACE, give

import edgeecg
from edgeecg.errors import EdgeECGError
from edgeecg.schema import CompressionLog, ModelCard
from edgeecg.tuning import cluster as cluster_module

pytestmark = pytest.mark.system

TRIALS = 6
_HERE = Path(__file__).parent
_PATIENCE_S = 400
_HEARING_CTRL_C = (
    "import runpy, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    f"sys.argv[0] = {str(_HERE / 'toy_search.py')!r}; runpy.run_path(sys.argv[0], "
    "run_name='__main__')"
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a space and a dense model that has learned something."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    prepare(tmp_path, monkeypatch)
    return tmp_path


def prepare(folder: Path, patch: pytest.MonkeyPatch) -> None:
    patch.chdir(folder)
    give(patch, toy_records.dataset())
    (folder / "space.toml").write_text(SPACE, encoding="utf-8")
    small: dict[str, Any] = {"epoch_windows": 256, "batch_size": 32, "average": 0.5}
    edgeecg.train("cnn1d", name="dense", epochs=2, **small)


def search(*options: str, program: tuple[str, ...] | None = None) -> subprocess.Popen[str]:
    """Start a search in the present folder."""
    return subprocess.Popen(
        [sys.executable, *(program or (str(_HERE / "toy_search.py"),)), "search", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def started(*options: str, **others: Any) -> subprocess.Popen[str]:
    """Start a new search of six trials."""
    new = ("cnn1d", "--start", "dense", "--space", "space.toml", "--name", "S")
    return search(*new, "--trials", str(TRIALS), *options, **others)


def finished(process: subprocess.Popen[str], status: int = 0) -> str:
    """Wait for the end of a search; return what it wrote to standard error."""
    out, said = process.communicate(timeout=_PATIENCE_S)
    assert process.returncode == status, out + said
    return said


def wait_until(process: subprocess.Popen[str], reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not reached():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def front() -> dict[str, Any]:
    return json.loads(Path("runs/S/front.json").read_text(encoding="utf-8"))


def outcome(document: dict[str, Any]) -> Any:
    """Return what a search found, without how long it took."""
    trials = [{**trial, "seconds": None} for trial in document["trials"]]
    return document["front"], trials


def in_the_middle_of(number: int) -> Callable[[], bool]:
    journal = Path(f"runs/S-{number:03d}/log.jsonl")
    return lambda: journal.exists() and '"event": "step"' in journal.read_text(encoding="utf-8")


def test_a_search_that_is_killed_and_interrupted_finds_what_an_undisturbed_one_finds(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = started()
    wait_until(killed, in_the_middle_of(2))
    killed.kill()
    killed.communicate()
    interrupted = search("--resume", "S", program=("-c", _HEARING_CTRL_C))
    wait_until(interrupted, in_the_middle_of(4))
    interrupted.send_signal(signal.SIGINT)
    said = finished(interrupted, 130)
    assert "Interrupted" in said
    assert "'edgeecg search'" in said
    assert "Traceback" not in said
    finished(search("--resume", "S"))
    disturbed = front()
    # The trial that was killed went on from its checkpoint.
    events = Path("runs/S-002/log.jsonl").read_text(encoding="utf-8").splitlines()
    kinds = [json.loads(line)["event"] for line in events]
    assert kinds.index("step") < kinds.index("resume")
    assert kinds.count("start") == 1

    quiet = tmp_path_factory.mktemp("quiet")
    prepare(quiet, monkeypatch)
    finished(started())
    assert outcome(front()) == outcome(disturbed)
    assert len(disturbed["trials"]) == TRIALS
    # Scores differ, so that equal ones say something.
    assert len({tuple(trial["values"] or ()) for trial in disturbed["trials"]}) > 2


def test_a_run_of_a_search_can_be_exported_and_reported() -> None:
    finished(started("--trials", "3", "--no-prune"))
    found = front()
    assert [trial["state"] for trial in found["trials"]] == ["complete"] * 3
    for trial in found["trials"]:
        name = trial["run"]
        assert Path(f"runs/{name}/model.json").is_file() == (name in found["front"])
        edgeecg.export(name, ["onnx"])
        edgeecg.report(name)
        card = ModelCard.from_json(Path(f"runs/{name}/model.json").read_bytes(), "card")
        log = CompressionLog.from_json(Path(f"runs/{name}/compression.json").read_bytes(), "log")
        assert card.test.split == "test"
        assert log.steps


def test_a_killed_worker_costs_no_trial() -> None:
    process = started("--workers", "2", "--no-prune")
    wait_until(process, in_the_middle_of(1))
    children = psutil.Process(process.pid).children()
    workers = [child for child in children if "spawn_main" in " ".join(child.cmdline())]
    assert len(workers) == 2
    workers[0].kill()
    finished(process)
    trials = front()["trials"]
    assert [trial["run"] for trial in trials] == [f"S-00{number}" for number in range(TRIALS)]
    assert [trial["state"] for trial in trials] == ["complete"] * TRIALS
    assert not [worker for worker in workers if worker.is_running()]


@pytest.mark.alone  # Its overhead is measured.
def test_a_cluster_that_loses_a_node_finishes_every_trial() -> None:
    with toy_cluster() as cluster:
        process = started("--ray", cluster.address, "--no-prune")
        wait_until(process, lambda: Path("runs/S/front.json").exists() and bool(front()["trials"]))
        cluster.kill_a_node()
        finished(process)
    trials = front()["trials"]
    assert [trial["run"] for trial in trials] == [f"S-00{number}" for number in range(TRIALS)]
    assert [trial["state"] for trial in trials] == ["complete"] * TRIALS
    assert Path(f"runs/{front()['front'][0]}/model.json").is_file()
    # What a busy machine adds differs; what Ray and the search cost is in each of them.
    assert min(overheads(trials)[-2:]) < 2.0


def overheads(trials: list[dict[str, Any]]) -> list[float]:
    """Return the seconds between the ends of two trials that neither of them worked."""
    storage = JournalStorage(JournalFileBackend("runs/S/optuna.jsonl"))
    ended = optuna.load_study(study_name="S", storage=storage).trials
    order = sorted(ended, key=lambda trial: trial.datetime_complete or 0)  # pyright: ignore[reportArgumentType]
    times = [trial.datetime_complete for trial in order]
    return [
        (now - before).total_seconds() - trials[trial.number]["seconds"]
        for before, now, trial in zip(times[:-1], times[1:], order[1:], strict=True)
        if before is not None and now is not None
    ]


def test_an_address_where_something_else_answers_is_refused_within_30_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits = cluster_module._CONNECT_S + cluster_module._JOIN_S  # pyright: ignore[reportPrivateUsage]
    assert waits < 28
    monkeypatch.setattr(cluster_module, "_JOIN_S", 6.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(EdgeECGError, match=f"No Ray cluster answers at '127.0.0.1:{port}'"):
            cluster_module.join(f"127.0.0.1:{port}")
