"""A Ray cluster of three nodes on this machine, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_PROGRAM = Path(__file__).parent / "tuning" / "toy_cluster.py"
_END_S = 400


class ToyCluster:
    """A head, and two nodes that perform one task at a time each.

    Attributes:
        address: Of the head node.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Wait until the nodes are there."""
        self._process = process
        self.address = self._said("address").split()[1]

    def kill_a_node(self) -> None:
        """End one of the two nodes without warning."""
        assert self._process.stdin is not None
        self._process.stdin.write("kill\n")
        self._process.stdin.flush()
        self._said("killed")

    def _said(self, word: str) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(word):
                return line.strip()
        raise AssertionError(f"The cluster ended before it said '{word}'.")


@contextmanager
def toy_cluster() -> Generator[ToyCluster]:
    """Yield a cluster, which ends with the block."""
    with subprocess.Popen(
        [sys.executable, str(_PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield ToyCluster(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(timeout=_END_S)
