"""Runtimes, which run exported files: one module per runtime, named after it.

A runtime module has the attributes and functions of :class:`Runtime`. Importing it imports no
native library; that happens in ``load``. Other packages add runtimes through entry points in the
group ``edgeecg.runtimes``, see :mod:`edgeecg.plugins`.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from edgeecg import plugins
from edgeecg.costs.input_shapes import Shapes
from edgeecg.errors import PluginError, UsageError


@dataclass(frozen=True)
class Operation:
    """One operation in the profile of a runtime.

    Attributes:
        name: The runtime's name for it; starts with the name of the file's node.
        op: The kind of operation, as the runtime calls it.
        seconds: Time of one run with the profiler on.
    """

    name: str
    op: str
    seconds: float


@dataclass(frozen=True)
class Profile:
    """How long each operation of a file takes, or why that is unknown.

    Attributes:
        operations: The operations in the order of execution; empty if unknown.
        reason: Why they are unknown and what to do, or None.
        method: How they were timed, e.g. ``"LiteRT profiler"``; None if unknown.
        whole_s: Time of a whole run in the same session; None when there is no such time, as where
            every operation was timed alone.
    """

    operations: tuple[Operation, ...]
    reason: str | None
    method: str | None = None
    whole_s: float | None = None


class Session(Protocol):
    """A loaded file, ready to run one window at a time."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the first input; ``(1, leads, samples)`` for files that edgeecg exported."""
        ...

    @property
    def dtype(self) -> str:
        """Element type of the input, e.g. ``"float32"``."""
        ...

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the first output as float32.

        Args:
            x: One input of shape ``input_shape``.
        """
        ...

    def invoke(self) -> None:
        """Run once on the input that is already set. This call alone is timed."""
        ...

    def manifest_json(self) -> str | None:
        """Return the text embedded under ``schema.MANIFEST_KEY``, or None."""
        ...


class Runtime(Protocol):
    """What a module ``runtimes/NAME.py`` contains.

    Attributes:
        FORMAT: The file format it runs, which is also the file's suffix.
        SPIN_SWITCH: Whether ``load`` uses its argument ``spin``.
    """

    FORMAT: str
    SPIN_SWITCH: bool

    def load(
        self,
        path: Path,
        threads: int = 1,
        spin: bool | None = None,
        shapes: Shapes | None = None,
    ) -> Session:
        """Load a file.

        Args:
            path: The file.
            threads: Number of threads.
            spin: Whether idle worker threads spin; None means the runtime's default.
            shapes: Shapes of the inputs that have free axes; a free axis has length 1 otherwise.

        Raises:
            ArtifactError: The runtime does not accept the file.
            MissingDependencyError: The runtime is not installed.
        """
        ...

    def profile(
        self,
        path: Path,
        x: NDArray[np.float32],
        threads: int,
        runs: int,
        shapes: Shapes | None = None,
    ) -> Profile:
        """Time the operations of a file with the profiler, in a separate session.

        Args:
            path: The file.
            x: The input, of the file's input shape.
            threads: Number of threads.
            runs: Number of runs to profile.
            shapes: Shapes of the inputs that have free axes.

        Raises:
            ArtifactError: The runtime does not accept the file.
            MissingDependencyError: The runtime is not installed.
        """
        ...

    def version(self) -> str:
        """Load the runtime's library and return name and version, e.g. ``"litert 2.3.0"``.

        Raises:
            MissingDependencyError: The runtime is not installed.
        """
        ...

    def empty_graph(self) -> bytes | None:
        """Return a file whose output is its input, or None when it cannot be built."""
        ...

    def peak_graph(self, dtype: str) -> tuple[bytes, int] | None:
        """Return a compute-bound file and its MACs, or None when it cannot be built.

        Args:
            dtype: Type of the multiplications, e.g. ``"int8"``.
        """
        ...


def names() -> list[str]:
    """Return the names of all runtimes, those of other packages included, in alphabetical order."""
    return plugins.names(__name__)


def external_names() -> list[str]:
    """Return the names of the runtimes of other packages, in alphabetical order."""
    return plugins.external_names(__name__)


def get(name: str) -> Runtime:
    """Return one runtime's module.

    Raises:
        PluginError: The runtime belongs to another package and cannot be imported.
    """
    return cast(Runtime, plugins.load(__name__, name))


def for_file(path: Path) -> Runtime:
    """Return the runtime that runs files with this suffix.

    Runtimes of other packages that cannot be imported are skipped.

    Raises:
        UsageError: No runtime runs such a file; the message lists the formats that can be run.
    """
    formats: set[str] = set()
    for name in names():
        with contextlib.suppress(PluginError):
            runtime = get(name)
            if path.suffix == f".{runtime.FORMAT}":
                return runtime
            formats.add(f".{runtime.FORMAT}")
    raise UsageError(
        f"{path} cannot be run.",
        f"Its suffix is '{path.suffix}'; the formats that can be run are "
        f"{', '.join(sorted(formats))}.",
        "Give a file that 'edgeecg export' wrote.",
    )
