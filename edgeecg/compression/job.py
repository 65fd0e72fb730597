"""One run of compression: what to do, on what, where."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass

from edgeecg.compression.guards import in_force
from edgeecg.data import Dataset
from edgeecg.models import Architecture, architecture
from edgeecg.progress import ProgressCallback
from edgeecg.runs import RunFolder
from edgeecg.schema import CompressionConfig, CompressionStep, Guard, Rollback

StepCallback = Callable[[CompressionStep | Rollback], None]
"""Called after every step, kept or rolled back, once it is on the disk."""


@dataclass(frozen=True)
class Job:
    """One run: what to do, on what, where.

    Attributes:
        config: What was asked for.
        dataset: What it runs on.
        run: The folder everything is written to.
        command: The command line, for the journal.
        progress: Called after every batch of training.
        on_step: Called after every step; when a run is resumed, first with the steps that it has.
        custom: The custom module, where the configuration is of one.
        score_test: Whether to score the finished model on the test records and write its card. A
            search does not: it compares its runs by validation scores alone.
    """

    config: CompressionConfig
    dataset: Dataset
    run: RunFolder
    command: str
    progress: ProgressCallback | None = None
    on_step: StepCallback | None = None
    custom: Architecture | None = None
    score_test: bool = True

    @property
    def architecture(self) -> Architecture:
        """The architecture."""
        return architecture(self.model, self.custom)

    @property
    def guards(self) -> tuple[Guard, ...]:
        """What has to hold after every step."""
        return in_force(self.config, self.dataset.summary.source)

    @property
    def model(self) -> str:
        """Name of the architecture."""
        return self.config.training.model

    def from_its_dense_model(self, verb: str) -> str:
        """Return the command line that starts from the dense model of this run once more.

        Args:
            verb: ``"compress"`` or ``"search"``.
        """
        custom = [] if self.config.custom is None else [shlex.quote(self.config.custom.file)]
        return " ".join(["edgeecg", verb, *custom, "--start", self.run.shell_name])
