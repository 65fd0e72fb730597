"""What runs an exported file: one module per runtime, named after it.

A runtime module offers what :class:`Runtime` lists. Modules whose name starts with ``_`` are
helpers and no runtimes. Importing a runtime module imports no runtime: that happens in ``load``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from edgeecg import plugins
from edgeecg.errors import UsageError


@dataclass(frozen=True)
class Operation:
    """One operation as a runtime ran it.

    Attributes:
        name: The runtime's name for it; begins with that of the file's node.
        op: What it does, in the runtime's words.
        seconds: Of one run, while the runtime watched itself.
    """

    name: str
    op: str
    seconds: float


@dataclass(frozen=True)
class Profile:
    """How long each operation of a file takes, or why that is unknown.

    Attributes:
        operations: In the order of execution; empty if unknown.
        reason: Why it is unknown and what helps, or None.
    """

    operations: tuple[Operation, ...]
    reason: str | None


class Session(Protocol):
    """A loaded file, ready to run one window at a time."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the (first) input, ``(1, leads, samples)`` for our own files."""
        ...

    @property
    def dtype(self) -> str:
        """Element type of the input, e.g. ``"float32"``."""
        ...

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the first output, float32, for one input of ``input_shape``."""
        ...

    def invoke(self) -> None:
        """Run once on the input already set; this bare call is what is timed."""
        ...

    def manifest_json(self) -> str | None:
        """Return the text embedded under ``schema.MANIFEST_KEY``, or None."""
        ...


class Runtime(Protocol):
    """What ``runtimes/NAME.py`` offers.

    Attributes:
        FORMAT: The file format it runs, also the file's suffix.
        SPIN_SWITCH: Whether ``load`` heeds ``spin``.
    """

    FORMAT: str
    SPIN_SWITCH: bool

    def load(self, path: Path, threads: int = 1, spin: bool | None = None) -> Session:
        """Load a file.

        Args:
            path: The file.
            threads: Threads to use.
            spin: Whether idle worker threads spin; None leaves the runtime's default.

        Raises:
            ArtifactError: The runtime does not accept the file.
            MissingDependencyError: The runtime is not installed.
        """
        ...

    def profile(self, path: Path, x: NDArray[np.float32], threads: int, runs: int) -> Profile:
        """Time the operations of a file in a session of its own, which that slows down.

        Args:
            path: The file.
            x: Input to run on, of the file's shape.
            threads: Threads to use.
            runs: How many runs to look at.

        Raises:
            ArtifactError: The runtime does not accept the file.
            MissingDependencyError: The runtime is not installed.
        """
        ...

    def version(self) -> str:
        """Load the runtime's library; return name and version, e.g. ``"litert 2.3.0"``.

        Raises:
            MissingDependencyError: The runtime is not installed.
        """
        ...

    def empty_graph(self) -> bytes | None:
        """Return a file that only hands its input on, or None when none can be made here."""
        ...

    def peak_graph(self, dtype: str) -> tuple[bytes, int] | None:
        """Return a compute-bound file in this type and its MACs, or None when none can be made."""
        ...


def names() -> list[str]:
    """Return the names of all runtimes, in alphabetical order."""
    return plugins.names(__name__)


def get(name: str) -> Runtime:
    """Return one runtime's module."""
    return cast(Runtime, plugins.load(__name__, name))


def for_file(path: Path) -> Runtime:
    """Return the runtime that runs files with this suffix.

    Raises:
        UsageError: No runtime does; lists the formats that can be run.
    """
    runtimes = [get(name) for name in names()]
    for runtime in runtimes:
        if path.suffix == f".{runtime.FORMAT}":
            return runtime
    raise UsageError(
        f"{path} cannot be run.",
        f"Its suffix is '{path.suffix}'; files with "
        f"{', '.join(sorted('.' + runtime.FORMAT for runtime in runtimes))} can.",
        "Give a file that 'edgeecg export' wrote.",
    )
