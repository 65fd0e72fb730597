"""One run of compression: what to do, on what, where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgeecg.compression.guards import in_force
from edgeecg.data import Dataset
from edgeecg.models import Architecture, architecture
from edgeecg.progress import ProgressCallback
from edgeecg.runs import RunFolder
from edgeecg.schema import CompressionConfig, CompressionStep, Guard, Rollback

Watch = Callable[[CompressionStep | Rollback], None]
"""Told of every step, kept or rolled back, once it is on the disk."""


@dataclass(frozen=True)
class Job:
    """One run: what to do, on what, where.

    Attributes:
        config: What was asked for.
        dataset: What it runs on.
        run: The folder everything is written to.
        command: The command line, for the record.
        progress: Called after every batch of training.
        watch: Told of every step; after a resume, first of those that were there.
        custom: The custom module, where the configuration is of one.
        score_test: Score the finished model on the test records and write its card. Without, the
            run stops before that: a search compares its runs by validation scores alone.
    """

    config: CompressionConfig
    dataset: Dataset
    run: RunFolder
    command: str
    progress: ProgressCallback | None = None
    watch: Watch | None = None
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
