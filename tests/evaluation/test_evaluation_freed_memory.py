"""Memory that PyTorch frees stays with the process."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# Page faults of twenty tensors of 8 MiB, each freed before the next one is made.
_FAULTS = """
import resource, torch
from edgeecg.evaluation.freed_memory import keep_freed_memory
from edgeecg.evaluation.inference import predict
from edgeecg.training.device import open_accelerator
{first}
torch.ones(2 << 20), torch.ones(2 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    torch.ones(2 << 20)
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
