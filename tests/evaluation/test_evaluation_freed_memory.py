"""Memory that PyTorch frees stays with the process."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# Page faults of forty steps of training, after a few that take what memory they need.
_FAULTS = """
import resource, torch
from torch import nn
from edgeecg.evaluation.freed_memory import keep_freed_memory
from edgeecg.evaluation.inference import predict
from edgeecg.training.device import open_accelerator
{first}
torch.set_num_threads(1)
model = nn.Sequential(nn.Conv1d(1, 32, 7), nn.ReLU(), nn.Conv1d(32, 64, 7), nn.ReLU())
for step in range(45):
    if step == 5:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    model(torch.ones(128, 1, 256)).mean().backward()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(first: str) -> int:
    """Return how many page faults a new process has, which performs a line first."""
    code = _FAULTS.format(first=first)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is one of glibc")
def test_a_tensor_takes_the_memory_of_the_one_before() -> None:
    without = faults("")
    for first in (
        "keep_freed_memory()",
        "open_accelerator(1)",
        "predict(torch.nn.Linear(4, 2), torch.zeros(3, 4).numpy())",
    ):
        assert faults(first) < without / 5, first
