"""A real SIGKILL in the middle of a real ``edgeecg compress``, then ``--resume``."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from system_program import SMALL, command, run_in

from edgeecg.files import sha256

pytestmark = pytest.mark.system

_PATIENCE_S = 240

_HEARING_CTRL_C = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("edgeecg", run_name="__main__", alter_sys=True)
"""
"""``edgeecg``, also where a shell has its background jobs ignore Ctrl-C. In the child and not by
``preexec_fn``, whose fork JAX warns of in a process that has loaded it."""


def start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _HEARING_CTRL_C, "compress", "--name", "killed", *SMALL],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(process: subprocess.Popen[str], path: Path) -> None:
    """Wait for a file to appear; the program announces its stages by what it writes."""
    deadline = time.monotonic() + _PATIENCE_S
    while not path.exists():
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("moment", ["checkpoint-baseline.safetensors", "checkpoint.safetensors"])
def test_killed_and_resumed_ends_with_the_same_weights(
    story: Path, tmp_path: Path, moment: str
) -> None:
    process = start(tmp_path)
    wait_until(process, tmp_path / "runs" / "killed" / moment)
    process.kill()
    process.communicate()
    run_in(tmp_path)("compress", "--resume")
    for name in ("baseline.safetensors", "model.safetensors"):
        assert sha256(tmp_path / "runs/killed" / name) == sha256(story / "runs/small" / name)


def test_ctrl_c_is_a_clean_message_and_resume_works(story: Path, tmp_path: Path) -> None:
    process = start(tmp_path)
    wait_until(process, tmp_path / "runs/killed/checkpoint-baseline.safetensors")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=_PATIENCE_S)
    assert process.returncode == 130
    assert "Interrupted" in said
    assert "--resume" in said
    assert "Traceback" not in said
    run_in(tmp_path)("compress", "--name", "killed", "--resume")
    assert sha256(tmp_path / "runs/killed/model.safetensors") == sha256(
        story / "runs/small/model.safetensors"
    )


def test_resume_refuses_other_options(tmp_path: Path) -> None:
    process = start(tmp_path)
    wait_until(process, tmp_path / "runs/killed/checkpoint-baseline.safetensors")
    process.kill()
    process.communicate()
    said = run_in(tmp_path)("compress", "--resume", "--sparsity", "0.3", status=2).stderr
    assert "'--sparsity' was 0.75 and is now 0.3" in " ".join(said.split())
    config = json.loads((tmp_path / "runs/killed/config.json").read_text())
    assert config["sparsity"] == 0.75


STEERED = (
    *("cnn1d", "--data", "synthetic", "--epochs", "1", "--epoch-windows", "512"),
    *("--budget", "energy=0.3", "--guard", "macro_f1>=0.25", "--finetune-epochs", "1"),
)
"""A run with a budget and a guard, of a few seconds."""


def test_a_steered_run_killed_after_a_step_ends_with_the_same_weights(tmp_path: Path) -> None:
    run_in(tmp_path)("compress", "--name", "whole", *STEERED)
    process = subprocess.Popen(
        command("compress", "--name", "killed", *STEERED),
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(process, tmp_path / "runs/killed/checkpoint.safetensors")
    process.kill()
    process.communicate()
    run_in(tmp_path)("compress", "--resume")
    for name in ("model.safetensors", "baseline.safetensors"):
        assert sha256(tmp_path / "runs/killed" / name) == sha256(tmp_path / "runs/whole" / name)
    logs = [json.loads((tmp_path / f"runs/{n}/compression.json").read_text())
            for n in ("whole", "killed")]  # fmt: skip
    assert [step["widths"] for step in logs[0]["steps"]] == [
        step["widths"] for step in logs[1]["steps"]
    ]
