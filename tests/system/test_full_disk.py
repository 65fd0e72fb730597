"""A disk that really fills up: the run folder lies on a small file system."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors.numpy import load_file
from system_program import SMALL, run_in

from edgeecg.files import sha256

pytestmark = pytest.mark.system


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB; the checkpoint of the baseline alone needs more."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a file system needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_explained_and_resume_works(story: Path, small_disk: Path) -> None:
    edgeecg = run_in(small_disk)
    said = edgeecg("compress", "--name", "full", *SMALL, status=1).stderr
    assert "No space left on device" in said
    assert "--resume" in said
    assert "Traceback" not in said
    for path in (small_disk / "runs/full").glob("*.safetensors"):
        load_file(path)
    subprocess.run(["mount", "-o", "remount,size=30m", str(small_disk)], check=True)
    edgeecg("compress", "--resume")
    assert sha256(small_disk / "runs/full/model.safetensors") == sha256(
        story / "runs/small/model.safetensors"
    )
