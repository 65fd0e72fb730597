"""A user's own training: train, evaluate, compress from it; in one process and in two."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from system_program import run_in

pytestmark = pytest.mark.system

TRAIN = ("train", "cnn1d", "--data", "synthetic", "--epochs", "2", "--epoch-windows", "512")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    said = run_in(folder)(*TRAIN, "--name", "mine").stdout
    assert "SYNTHETIC" in said
    assert "edgeecg compress --start mine" in said
    return folder


def test_a_run_evaluates_to_the_scores_on_its_card(trained: Path) -> None:
    said = run_in(trained)("evaluate", "runs/mine", "--data", "synthetic", "--json", "-").stdout
    document = json.loads(said)
    card = json.loads((trained / "runs/mine/baseline.json").read_text())
    assert document["data"] == "synthetic"
    assert document["split"] == "test"
    assert document["n"] == card["test"]["n"]
    assert document["macro_f1"] == pytest.approx(card["test"]["macro_f1"], abs=1e-6)
    assert {"recall", "precision", "f1"} <= set(document["per_class"]["S"])


def test_compression_starts_from_it(trained: Path) -> None:
    edgeecg = run_in(trained)
    options = ("--data", "synthetic", "--steps", "1", "--finetune-epochs", "1")
    edgeecg("compress", "--start", "mine", "--name", "small", *options)
    dense, small = (
        json.loads((trained / f"runs/{path}").read_text())
        for path in ("mine/baseline.json", "small/model.json")
    )
    assert small["parent_sha256"] == dense["weights_sha256"]
    assert small["parameters"] < dense["parameters"]


def test_another_model_cannot_start_from_it(trained: Path) -> None:
    said = run_in(trained)("compress", "bilstm", "--start", "mine", status=2).stderr
    assert "has trained 'cnn1d'" in said
    assert not (trained / "runs" / "bilstm").exists()


def test_the_same_seed_trains_the_same_weights(trained: Path) -> None:
    run_in(trained)(*TRAIN, "--name", "again")
    first, second = (
        (trained / f"runs/{name}/baseline.safetensors").read_bytes() for name in ("mine", "again")
    )
    assert first == second


def test_two_processes_train_one_model(tmp_path: Path) -> None:
    code = """
        import sys
        from accelerate import PartialState
        from edgeecg.cli import run

        status = run(sys.argv[1:])
        state = PartialState()
        print(f"process {state.process_index} of {state.num_processes}", flush=True)
        state.destroy_process_group()
        sys.exit(status)
    """
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(code))
    launched = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2")
    done = subprocess.run(
        [*launched, str(program), *TRAIN],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "process 0 of 2" in done.stdout
    assert "process 1 of 2" in done.stdout
    # The name holds the time, and both have the same.
    (run,) = (tmp_path / "runs").iterdir()
    card = json.loads((run / "baseline.json").read_text())
    assert card["test"]["macro_f1"] > 0.4
