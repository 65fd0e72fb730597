"""Windows in batches: the same logits, one batch in memory at a time."""

from __future__ import annotations

import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from edgeecg.evaluation.batches import run_in_batches
from edgeecg.evaluation.inference import predict

WINDOWS = np.random.default_rng(0).standard_normal((10, 1, 16)).astype(np.float32)


def first_three(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """A model whose logits are the first three samples."""
    return windows[:, 0, :3].copy()


@pytest.mark.parametrize("size", [1, 3, 10, 64])
def test_logits_do_not_depend_on_the_size_of_a_batch(size: int) -> None:
    assert np.array_equal(run_in_batches(first_three, WINDOWS, size), WINDOWS[:, 0, :3])


def test_progress_counts_the_windows() -> None:
    done: list[int] = []
    run_in_batches(first_three, WINDOWS, 4, done.append)
    assert done == [4, 8, 10]


def test_no_windows_give_no_logits() -> None:
    assert len(run_in_batches(first_three, WINDOWS[:0], 4)) == 0


def test_the_output_of_a_batch_is_not_kept() -> None:
    outputs: list[weakref.ref[NDArray[np.float32]]] = []

    def watched(windows: NDArray[np.float32]) -> NDArray[np.float32]:
        # Where earlier outputs are kept, the heap cannot shrink between batches.
        assert sum(output() is not None for output in outputs) <= 1
        logits = first_three(windows)
        outputs.append(weakref.ref(logits))
        return logits

    run_in_batches(watched, WINDOWS, 2)
    assert len(outputs) == 5


def test_windows_of_a_read_only_memory_map_are_predicted(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", WINDOWS)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    expected = model(torch.from_numpy(WINDOWS)).detach().numpy()
    np.testing.assert_allclose(predict(model, mapped), expected, rtol=1e-6, atol=1e-6)
    assert model.training


def file_bytes() -> int:
    """Return how much of mapped files is in the memory of this process."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("RssFile"))
    return 1024 * int(line.split()[1])


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="reads Linux's /proc")
def test_a_memory_map_is_read_in_little_memory(tmp_path: Path) -> None:
    count, samples = 100_000, 256  # 102 MB
    with (tmp_path / "x").open("wb") as opened:
        opened.truncate(4 * count * samples)
    windows = np.memmap(tmp_path / "x", np.float32, "r", shape=(count, 1, samples))
    before = file_bytes()
    used: list[int] = []

    def watched(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        used.append(file_bytes() - before)
        return first_three(batch)

    run_in_batches(watched, windows, 512)
    assert max(used) < 20e6
    assert not windows.any()
    assert file_bytes() - before > 80e6  # without the release the whole file counts
